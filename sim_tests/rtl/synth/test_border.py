# amaranth: UnusedElaboratable=no
"""Registers at a border: every bit of every port is one cycle later, and nothing else changes."""

import random

from amaranth import Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.synth.border import Border

PAIR = data.StructLayout({"low": 3, "high": 5})


class Block(wiring.Component):
    """Ports of both directions, of a struct, in an array, and inside a stream."""

    def __init__(self):
        super().__init__(
            {"a": In(stream.Signature(PAIR)), "b": Out(stream.Signature(8)), "c": In(4).array(2)}
        )

    def elaborate(self, platform):
        m = Module()
        m.d.comb += self.b.payload.eq(self.a.payload.as_value() ^ self.c[0] ^ (self.c[1] << 4))
        m.d.comb += [self.b.valid.eq(self.a.valid), self.a.ready.eq(self.b.ready)]
        return m


def test_values_pass_two_registers(simulate):
    border = Border(Block())
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    draw = random.Random(seed)

    async def bench(ctx):
        sent = []
        for cycle in range(50):
            high, low, *rest = (draw.randrange(1 << bits) for bits in (5, 3, 4, 4, 1, 1))
            ctx.set(border.a.payload, {"low": low, "high": high})
            ctx.set(border.a.valid, rest[2])
            ctx.set(border.b.ready, rest[3])
            for port, value in zip(border.c, rest[:2], strict=True):
                ctx.set(port, value)
            sent.append((low | high << 3, *rest))
            await ctx.tick()
            if cycle:
                act, c0, c1, valid, ready = sent[cycle - 1]
                assert ctx.get(border.b.payload) == act ^ c0 ^ c1 << 4
                assert ctx.get(border.b.valid) == valid
                assert ctx.get(border.a.ready) == ready

    simulate(border, bench)


def test_a_design_keeps_its_ports():
    block = Block()
    assert Border(block).signature == block.signature
    assert isinstance(Border(block).c[0], Signal)
