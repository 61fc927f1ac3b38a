# amaranth: UnusedElaboratable=no
"""Load engine before a memory: words, cycles, and what an error does."""

import pytest
from harness.axi import watch_reads
from harness.bus_bench import MEMORY_BYTES, Bench, bits_of, random_blocks, random_memory, set_model
from harness.component import seeded

from hwsim.accelerator.load import LoadBlock, load_cycles
from hwsim.config import BusConfig, MemoryConfig
from hwsim.contract.descriptors import TARGETS
from hwsim.rtl.bus.load import Load

#: Bus -> bits of the words of act, weight, scale, and list where there is one.
CASES = [
    ({}, (64, 64, 128)),
    ({"burst": 4, "outstanding": 2}, (32, 72, 640)),
    ({"data_width": 32, "burst": 8}, (32, 256, 96)),
    ({"data_width": 32, "outstanding": 1}, (8, 24, 40)),
    ({"data_width": 128, "outstanding": 16}, (64, 24, 32)),
    ({"data_width": 256, "burst": 1, "addr_width": 40}, (32, 256, 96)),
    ({"data_width": 256, "burst": 128, "outstanding": 3}, (64, 160, 512, 96)),
]
#: Words of each memory: more than blocks here address.
DEPTHS = dict.fromkeys(TARGETS, 2048)
IDEAL = MemoryConfig(name="ideal", source="test", latency=1, bytes_per_cycle=32)


def names(widths):
    return dict(zip(TARGETS, widths, strict=False))


def words_of(blocks, image, bus, bits):
    """What is to be written, ``(target, index, addr, word)``."""
    memory = b"".join(beat.to_bytes(bus.bytes, "little") for beat in image)
    for block in blocks:
        for row in range(block.rows):
            start = block.address + row * block.row_step
            width = bits[block.target]
            for word in range(block.words):
                at = start + word * width // 8
                value = int.from_bytes(memory[at : at + width // 8], "little")
                yield block.target, block.index, block.to + row * block.to_step + word, value


def image_of(rng, bus):
    beats = MEMORY_BYTES // bus.bytes
    return [int.from_bytes(rng.bytes(bus.bytes), "little") for _ in range(beats)]


async def load(ctx, engine, blocks):
    """Offer blocks; returns cycles, words, beats and the error at the end."""
    write = engine.write
    words, beats, cycles, offered = [], 0, 0, 0
    while True:
        if offered < len(blocks):
            ctx.set(engine.block.payload, blocks[offered]._asdict())
        ctx.set(engine.block.valid, offered < len(blocks))
        _, _, ready, busy, beat, valid, *word = await ctx.tick().sample(
            engine.block.ready, engine.busy, engine.beat,
            write.valid, write.target, write.index, write.addr, write.data,
        )  # fmt: skip
        if cycles and not busy:
            return cycles, words, beats, ctx.get(engine.error)
        offered += offered < len(blocks) and ready
        beats += beat
        if valid:
            words.append(tuple(word))
        cycles += 1


@pytest.mark.parametrize(("config", "widths"), CASES, ids=str)
def test_words_and_cycles(simulate, config, widths):
    bus = BusConfig(**config)
    rng = seeded(sum(widths) + bus.data_width)
    image = image_of(rng, bus)
    bench = Bench(Load(bus=bus, widths=names(widths), depths=DEPTHS), bus, image)
    bits = bits_of(widths, bus)

    async def testbench(ctx):
        for case in range(12):
            memory = IDEAL if case == 0 else random_memory(rng, bus)
            set_model(ctx, bench.memory.model, memory, bus)
            blocks = random_blocks(rng, bus, widths, int(rng.choice([1, 2, 3, 3, 9])))
            cycles, words, beats, error = await load(ctx, bench.engine, blocks)
            low = [(*place, word & ((1 << bits[place[0]]) - 1)) for *place, word in words]
            assert low == list(words_of(blocks, image, bus, bits)), (memory, blocks)
            assert cycles == load_cycles(blocks, memory, bus, names(widths)), (memory, blocks)
            assert beats == sum(block.rows * block.beats for block in blocks)
            assert not error
            for _ in range(rng.integers(3)):
                await ctx.tick()

    checker = watch_reads(bench.engine.axi, bus.burst)
    simulate(bench, testbench, background=[checker], max_cycles=60_000)


def test_an_error_stays_until_the_next_block_and_every_burst_is_drained(simulate):
    bus, widths = BusConfig(), (64, 64, 128)
    bench = Bench(Load(bus=bus, widths=names(widths), depths=DEPTHS), bus)
    block = LoadBlock(0, 512, 3, 32, 32, 0, 32, 1, 0)

    async def testbench(ctx):
        set_model(ctx, bench.memory.model, IDEAL, bus)
        expected = load_cycles([block], IDEAL, bus, names(widths))
        inject = bench.memory.inject
        # the first beat, one in the middle, the last; then none
        for first in (0, 512 + 88, 1024 + 248, None):
            ctx.set(inject.enable, first is not None)
            ctx.set(inject.first, first or 0)
            ctx.set(inject.last, (first or 0) + 7)
            cycles, words, beats, error = await load(ctx, bench.engine, [block])
            assert (cycles, len(words), beats) == (expected, 96, 96)
            assert error == (first is not None)
            await ctx.tick().repeat(3)
            assert ctx.get(bench.engine.error) == error
        # beyond the memory
        outside = block._replace(address=MEMORY_BYTES - 512)
        *_, beats, error = await load(ctx, bench.engine, [outside])
        assert beats == 96
        assert error

    simulate(bench, testbench, background=[watch_reads(bench.engine.axi, bus.burst)])


def test_a_word_beyond_its_memory_is_told(simulate):
    bus, widths = BusConfig(), (64, 64, 128)
    depths = dict(zip(TARGETS, (64, 128, 4), strict=False))
    bench = Bench(Load(bus=bus, widths=names(widths), depths=depths), bus)

    async def testbench(ctx):
        set_model(ctx, bench.memory.model, IDEAL, bus)
        for target, name in enumerate(depths):
            words = 3
            # up to the last word, one further, far beyond in a later row, and back
            for to, step, beyond in (
                (depths[name] - words, 0, False),
                (depths[name] - words + 1, 0, True),
                (0, 1 << 15, True),
                (0, 0, False),
            ):
                beats = words * widths[target] // bus.data_width
                block = LoadBlock(0, 0, 2, beats, words, to, step, target, 0)
                await load(ctx, bench.engine, [block])
                assert ctx.get(bench.engine.beyond) == beyond, (name, to)
                await ctx.tick().repeat(3)
                assert ctx.get(bench.engine.beyond) == beyond, (name, to)

    simulate(bench, testbench)


@pytest.mark.parametrize(("config", "widths"), CASES[:5], ids=str)
def test_words_with_random_stalls(simulate, config, widths):
    """A slave that is ready and valid when it likes: the words are the same."""
    bus = BusConfig(**config)
    rng = seeded(sum(widths))
    image, bits = image_of(rng, bus), bits_of(widths, bus)
    engine = Load(bus=bus, widths=names(widths), depths=DEPTHS)
    blocks = random_blocks(rng, bus, widths, 5)

    async def slave(ctx):
        due, offers, ready = [], False, 0
        async for _, _, valid, addr, length, taken in ctx.tick().sample(
            engine.axi.ar.valid, engine.axi.ar.addr, engine.axi.ar.len, engine.axi.r.ready
        ):
            if valid and ready:
                start = addr // bus.bytes
                due += [(image[start + i], i == length) for i in range(length + 1)]
            if offers and taken:
                due.pop(0)
                offers = False
            ready = int(rng.random() < 0.3)
            offers = offers or (bool(due) and rng.random() < 0.5)
            ctx.set(engine.axi.ar.ready, ready)
            ctx.set(engine.axi.r.valid, offers)
            if offers:
                ctx.set(engine.axi.r.data, due[0][0])
                ctx.set(engine.axi.r.last, due[0][1])

    async def testbench(ctx):
        _, words, _, error = await load(ctx, engine, blocks)
        low = [(*place, word & ((1 << bits[place[0]]) - 1)) for *place, word in words]
        assert low == list(words_of(blocks, image, bus, bits))
        assert not error

    simulate(engine, testbench, background=[slave, watch_reads(engine.axi, bus.burst)])
