# amaranth: UnusedElaboratable=no
"""Model of the memory: when beats are offered, and what the bytes are; the checker of AXI bites."""

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out
from harness.axi import watch_reads, watch_writes
from harness.bus_bench import random_memory, set_model
from harness.component import seeded

from hwsim.config import BusConfig
from hwsim.rtl.bus.axi import OKAY, SLVERR, read_port, write_port
from hwsim.rtl.cosim.memory import MemoryModel

BUS = BusConfig()


async def read(ctx, port, bursts, ready=lambda: 1):
    """Request bursts ``(addr, beats)`` as soon as they are taken.

    Returns the cycles of their transfers, and for each beat the cycle of its offer, the cycle of
    its transfer, its data and its response.
    """
    taken, beats, cycle, offered = [], [], 0, None
    while len(beats) < sum(count for _, count in bursts):
        more = len(taken) < len(bursts)
        addr, count = bursts[min(len(taken), len(bursts) - 1)]
        ctx.set(port.ar.valid, more)
        ctx.set(port.ar.addr, addr)
        ctx.set(port.ar.len, count - 1)
        takes = ready()
        ctx.set(port.r.ready, takes)
        _, _, accepted, valid, data, resp = await ctx.tick().sample(
            port.ar.ready, port.r.valid, port.r.data, port.r.resp
        )
        if more and accepted:
            taken.append(cycle)
        if valid and offered is None:
            offered = cycle
        if valid and takes:
            beats.append((offered, cycle, data, resp))
            offered = None
        cycle += 1
    ctx.set(port.ar.valid, 0)
    return taken, beats


@pytest.mark.parametrize("probability", [1.0, 0.5])
def test_reads_are_offered_by_the_rules(simulate, probability):
    rng = seeded(1)
    image = [int.from_bytes(rng.bytes(8), "little") for _ in range(512)]
    dut = MemoryModel(BUS, size=4096, init=image)

    async def testbench(ctx):
        for _ in range(10):
            memory = random_memory(rng, BUS)
            set_model(ctx, dut.model, memory, BUS)
            bursts = [(8 * int(rng.integers(400)), int(rng.integers(1, 17))) for _ in range(8)]
            taken, beats = await read(
                ctx, dut.read, bursts, lambda: int(rng.random() < probability)
            )
            ends, at = [], 0
            for index, (addr, count) in enumerate(bursts):
                # the address waits for room only
                room = [ends[i] + 1 for i in [index - memory.outstanding] if i >= 0]
                assert taken[index] == max([taken[index - 1] + 1 if index else 0, *room])
                due = taken[index] + memory.latency
                if ends:
                    due = max(due, ends[-1] + memory.interval(BUS) + memory.overhead)
                for beat in range(count):
                    offered, transfer, data, resp = beats[at]
                    assert offered == due, (memory, bursts, index, beat)
                    assert data == image[addr // 8 + beat]
                    assert resp == OKAY
                    due = transfer + memory.interval(BUS)
                    at += 1
                ends.append(transfer)
            await ctx.tick().repeat(40)

    simulate(dut, testbench, background=[watch_reads(dut.read)])


def test_writes_are_taken_by_the_rules(simulate):
    rng = seeded(2)
    dut = MemoryModel(BUS, size=4096)
    port = dut.write

    async def testbench(ctx):
        for _ in range(10):
            memory = random_memory(rng, BUS)
            set_model(ctx, dut.model, memory, BUS)
            bursts = [(8 * int(rng.integers(400)), int(rng.integers(1, 17))) for _ in range(8)]
            words = [(i, beat == n - 1) for i, (_, n) in enumerate(bursts) for beat in range(n)]
            taken, sent, answered, cycle = [], [], [], 0
            image = {}
            ctx.set(port.b.ready, 1)
            while len(answered) < len(bursts):
                # a beat is offered after its address
                more = len(taken) < len(bursts)
                addr, count = bursts[min(len(taken), len(bursts) - 1)]
                burst, last = words[min(len(sent), len(words) - 1)]
                offers = len(sent) < len(words) and burst < len(taken)
                data, strb = int.from_bytes(rng.bytes(8), "little"), int(rng.integers(256))
                ctx.set(port.aw.valid, more)
                ctx.set(port.aw.addr, addr)
                ctx.set(port.aw.len, count - 1)
                ctx.set(port.w.valid, offers)
                ctx.set(port.w.data, data)
                ctx.set(port.w.strb, strb)
                ctx.set(port.w.last, last)
                _, _, accepted, ready, valid, resp = await ctx.tick().sample(
                    port.aw.ready, port.w.ready, port.b.valid, port.b.resp
                )
                if valid:
                    assert resp == OKAY
                    answered.append(cycle)
                if offers and ready:
                    position = sum(1 for i, _ in words[: len(sent)] if i == burst)
                    at = bursts[burst][0] // 8 + position
                    mask = sum(0xFF << (8 * i) for i in range(8) if strb >> i & 1)
                    image[at] = (ctx.get(dut.data.data[at]) & mask, data & mask, mask)
                    assert image[at][0] == image[at][1]
                    sent.append(cycle)
                if more and accepted:
                    taken.append(cycle)
                cycle += 1
            gap, interval, at = None, memory.interval(BUS), 0
            for index, (_, count) in enumerate(bursts):
                due = taken[index] + 1 if gap is None else max(taken[index] + 1, gap)
                for _ in range(count):
                    assert sent[at] == due, (memory, bursts, index)
                    end, due, at = due, due + interval, at + 1
                assert answered[index] == end + memory.latency
                gap = end + interval + memory.overhead
                room = index - memory.outstanding
                first = max(taken[index - 1] + 1 if index else 0,
                            answered[room] + 1 if room >= 0 else 0)  # fmt: skip
                assert taken[index] == first
            await ctx.tick().repeat(40)

    simulate(dut, testbench)


def test_addresses_beyond_and_injected_ones_are_errors(simulate):
    dut = MemoryModel(BUS, size=1024, init=[7] * 128)

    async def testbench(ctx):
        set_model(ctx, dut.model, random_memory(seeded(3), BUS), BUS)
        ctx.set(dut.inject, {"enable": 1, "first": 16, "last": 23})
        _, beats = await read(ctx, dut.read, [(0, 4), (1016, 2)])
        assert [resp for *_, resp in beats] == [OKAY, OKAY, SLVERR, OKAY, OKAY, SLVERR]
        assert [data for *_, data, _ in beats] == [7, 7, 7, 7, 7, 0]

    simulate(dut, testbench)


class Port(wiring.Component):
    """A port of which a test plays both sides."""

    def __init__(self, signature):
        super().__init__({"axi": Out(signature)})

    def elaborate(self, platform):
        m = Module()
        m.d.sync += Signal().eq(0)
        return m


AR = {"ar.valid": 1, "ar.ready": 1, "ar.addr": 64, "ar.len": 1}
R = {"ar.valid": 0, "r.valid": 1, "r.ready": 1, "r.last": 0}
AW = {"aw.valid": 1, "aw.ready": 1, "aw.addr": 64, "aw.len": 0}
W = {"aw.valid": 0, "w.valid": 1, "w.ready": 1, "w.last": 1}
B = {"w.valid": 0, "b.valid": 1, "b.ready": 1}


@pytest.mark.parametrize(
    ("cycles", "message"),
    [
        ([AR, R, R | {"r.last": 1}, {"r.valid": 0}], None),
        ([AR | {"ar.ready": 0}, {"ar.valid": 0}], "an offer is withdrawn"),
        ([AR | {"ar.ready": 0}, {"ar.addr": 72}], "an offer changes"),
        ([AR | {"ar.addr": 60}], "is not a multiple of 8"),
        ([AR | {"ar.addr": 4088}], "cross a page"),
        ([AR | {"ar.len": 16}], "17 beats, 16 are allowed"),
        ([R], "a beat of no burst"),
        ([AR, R | {"r.last": 1}], "last is 1, 1 beats left"),
        ([AR, R, R], "last is 0, 0 beats left"),
        ([AW, W, B, {"b.valid": 0}], None),
        ([AW, B], "a response to no burst"),
        ([W], "a beat before its address"),
        ([AW, W | {"w.last": 0}], "last is 0, 0 beats left"),
        ([AW, W | {"w.ready": 0}, {"w.data": 3}], "an offer changes"),
    ],
    ids=str,
)
def test_the_checker_bites(simulate, cycles, message):
    writes = any(name.startswith(("aw", "w")) for cycle in cycles for name in cycle)
    dut = Port((write_port if writes else read_port)(32, 64))
    checker = (watch_writes if writes else watch_reads)(dut.axi, 16)

    async def testbench(ctx):
        for cycle in [*cycles, {}]:
            for name, value in cycle.items():
                channel, signal = name.split(".")
                ctx.set(getattr(getattr(dut.axi, channel), signal), value)
            await ctx.tick()

    def run():
        simulate(dut, testbench, background=[checker])

    if message is None:
        run()
    else:
        with pytest.raises(AssertionError, match=message):
            run()
