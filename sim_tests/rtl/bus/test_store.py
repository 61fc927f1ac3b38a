# amaranth: UnusedElaboratable=no
"""Store engine before a memory: bytes, cycles, and what an error does."""

import pytest
from harness.axi import watch_writes
from harness.bus_bench import MEMORY_BYTES, Bench, random_memory, set_model
from harness.component import seeded

from hwsim.accelerator.store import StoreBlock, store_cycles
from hwsim.config import BusConfig, MemoryConfig
from hwsim.rtl.bus.store import Store

#: Bus -> bits of a word.
CASES = [
    ({}, 64),
    ({"burst": 4, "outstanding": 2}, 32),
    ({"burst": 8}, 16),
    ({"data_width": 32, "burst": 8}, 256),
    ({"data_width": 32, "outstanding": 1}, 8),
    ({"data_width": 128, "outstanding": 16}, 32),
    ({"data_width": 256, "burst": 1, "addr_width": 40}, 64),
    ({"data_width": 256, "burst": 128, "outstanding": 3}, 512),
]
IDEAL = MemoryConfig(name="ideal", source="test", latency=1, bytes_per_cycle=32)


def random_blocks(rng, bus, width, count):
    blocks = []
    for _ in range(count):
        rows = int(rng.choice([1, 1, 2, 5]))
        beats = int(rng.integers(1, 1 + 60 // rows))
        words = max(1, beats * bus.data_width // width)
        words = int(rng.integers(max(1, words // 2), words + 1))
        beats = -(-words * width // bus.data_width)
        row_step = bus.bytes * int(rng.integers(beats, beats + 60))
        space = (MEMORY_BYTES - row_step * (rows - 1)) // bus.bytes - beats
        address = bus.bytes * int(rng.integers(space + 1))
        if rng.random() < 0.5 and row_step * rows < MEMORY_BYTES // 2:
            address = 4096 - bus.bytes * int(rng.integers(1, 9))
        step = int(rng.integers(words, words + 9))
        blocks.append(
            StoreBlock(address, row_step, rows, words, int(rng.integers(1000)), step,
                       int(rng.integers(8)))
        )  # fmt: skip
    return blocks


def put(image, block, bus, width, banks):
    """Store a block into bytes."""
    for row in range(block.rows):
        bits = 0
        for word in reversed(range(block.words)):
            bits = bits << width | banks(block.index, block.from_ + row * block.from_step + word)
        count = -(-block.words * width // bus.data_width) * bus.bytes
        start = block.address + row * block.row_step
        image[start : start + count] = bits.to_bytes(count, "little")


def banks_of(rng, width):
    salt = int(rng.integers(1 << 30)) | 1

    def word(index, addr):
        value = (addr * 8 + index + 1) * salt
        return int.from_bytes(value.to_bytes(8, "little") * (width // 8), "big") % (1 << width)

    return word


def bank_port(engine, banks):
    """Background testbench: a word one cycle after it is asked for, and only then."""

    async def serve(ctx):
        read = engine.read
        async for _, _, en, index, addr in ctx.tick().sample(read.en, read.index, read.addr):
            ctx.set(read.data, banks(index, addr) if en else 0)

    return serve


async def store(ctx, engine, blocks):
    """Offer blocks; returns cycles, beats, and the error at the end."""
    beats, cycles, offered = 0, 0, 0
    while True:
        ctx.set(engine.block.valid, offered < len(blocks))
        if offered < len(blocks):
            ctx.set(engine.block.payload, blocks[offered]._asdict())
        elif not ctx.get(engine.busy):
            return cycles, beats, ctx.get(engine.error)
        _, _, ready, beat = await ctx.tick().sample(engine.block.ready, engine.beat)
        offered += offered < len(blocks) and ready
        beats += beat
        cycles += 1


@pytest.mark.parametrize(("config", "width"), CASES, ids=str)
def test_bytes_and_cycles(simulate, config, width):
    bus = BusConfig(**config)
    rng = seeded(width + bus.data_width)
    bench = Bench(Store(bus=bus, width=width), bus)
    banks = banks_of(rng, width)
    image = bytearray(MEMORY_BYTES)

    async def testbench(ctx):
        for case in range(12):
            memory = IDEAL if case == 0 else random_memory(rng, bus)
            set_model(ctx, bench.memory.model, memory, bus)
            blocks = random_blocks(rng, bus, width, int(rng.choice([1, 1, 2])))
            cycles, beats, error = await store(ctx, bench.engine, blocks)
            for block in blocks:
                put(image, block, bus, width, banks)
            assert cycles == store_cycles(blocks, memory, bus, width), (memory, blocks)
            assert beats == sum(b.rows * -(-b.words * width // bus.data_width) for b in blocks)
            assert not error
            words = [ctx.get(word) for word in map(bench.memory.data.data.__getitem__,
                                                   range(MEMORY_BYTES // bus.bytes))]  # fmt: skip
            assert b"".join(word.to_bytes(bus.bytes, "little") for word in words) == image
            for _ in range(rng.integers(3)):
                await ctx.tick()

    simulate(bench, testbench, max_cycles=60_000,
             background=[watch_writes(bench.engine.axi, bus.burst),
                         bank_port(bench.engine, banks)])  # fmt: skip


def test_an_error_stays_until_the_next_block_and_every_burst_is_drained(simulate):
    bus = BusConfig()
    bench = Bench(Store(bus=bus, width=64), bus)
    block = StoreBlock(0, 512, 3, 32, 0, 32, 1)

    async def testbench(ctx):
        set_model(ctx, bench.memory.model, IDEAL, bus)
        expected = store_cycles([block], IDEAL, bus, 64)
        for first in (0, 512 + 88, 1024 + 248, None):
            inject = {"enable": first is not None, "first": first or 0, "last": (first or 0) + 7}
            ctx.set(bench.memory.inject, inject)
            cycles, beats, error = await store(ctx, bench.engine, [block])
            assert (cycles, beats, error) == (expected, 96, first is not None)
            await ctx.tick().repeat(3)
            assert ctx.get(bench.engine.error) == error
        _, beats, error = await store(ctx, bench.engine, [block._replace(address=MEMORY_BYTES)])
        assert (beats, error) == (96, 1)

    simulate(bench, testbench, background=[watch_writes(bench.engine.axi, bus.burst)])


@pytest.mark.parametrize(("config", "width"), CASES[:6], ids=str)
def test_bytes_with_random_stalls(simulate, config, width):
    """A slave that is ready when it likes, and answers when it likes: the beats are the same."""
    bus = BusConfig(**config)
    rng = seeded(width)
    engine = Store(bus=bus, width=width)
    banks = banks_of(rng, width)
    blocks = random_blocks(rng, bus, width, 4)
    image, expected = bytearray(MEMORY_BYTES), bytearray(MEMORY_BYTES)
    for block in blocks:
        put(expected, block, bus, width, banks)

    async def slave(ctx):
        axi, due, unanswered = engine.axi, [], 0
        aw_ready = w_ready = answers = 0
        async for _, _, aw, addr, length, w, data in ctx.tick().sample(
            axi.aw.valid, axi.aw.addr, axi.aw.len, axi.w.valid, axi.w.data
        ):
            unanswered -= answers
            if w and w_ready:
                at, last = due.pop(0)
                image[at : at + bus.bytes] = data.to_bytes(bus.bytes, "little")
                unanswered += last
            if aw and aw_ready:
                due += [(addr + bus.bytes * i, i == length) for i in range(length + 1)]
            aw_ready, w_ready = int(rng.random() < 0.3), int(bool(due) and rng.random() < 0.5)
            answers = int(unanswered > 0 and rng.random() < 0.3)
            ctx.set(axi.aw.ready, aw_ready)
            ctx.set(axi.w.ready, w_ready)
            ctx.set(axi.b.valid, answers)

    async def testbench(ctx):
        await store(ctx, engine, blocks)
        assert image == expected

    simulate(engine, testbench,
             background=[slave, watch_writes(engine.axi, bus.burst),
                         bank_port(engine, banks)])  # fmt: skip


@pytest.mark.parametrize("width", [4, 24, 48])
def test_width_is_a_power_of_two(width):
    with pytest.raises(ValueError, match="width must be a power of two"):
        Store(bus=BusConfig(), width=width)
