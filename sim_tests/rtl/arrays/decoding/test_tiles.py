"""Connections that csc and bitmask share: words of one PE, banks, strobes."""

import pytest
from amaranth import Module, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from harness.component import play

from hwsim.config import ArchConfig
from hwsim.rtl.arrays.decoding.tiles import connect_load, load_layout, pe_events

WEIGHT = data.StructLayout(
    {
        "kind": unsigned(2),
        "bank": unsigned(1),
        "addr": unsigned(6),
        "data": data.ArrayLayout(unsigned(9), 3),
    }
)


class Target(wiring.Component):
    """A PE that keeps what it is loaded with."""

    def __init__(self) -> None:
        layout = load_layout(WEIGHT)
        super().__init__({"load_en": In(1), "load": In(layout), "kept": Out(layout)})

    def elaborate(self, platform):
        m = Module()
        with m.If(self.load_en):
            m.d.sync += self.kept.eq(self.load)
        return m


class Loader(wiring.Component):
    """The PE on word 1 of bank 1; kind 2 goes to all."""

    def __init__(self) -> None:
        self.pe = Target()
        super().__init__({"weight": In(stream.Signature(WEIGHT)), "ready": In(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.pe = self.pe
        is_for_all = self.weight.p.kind == 2
        connect_load(m, self.weight, self.pe, bank=1, lane=1, to_all=is_for_all)
        m.d.comb += self.weight.ready.eq(self.ready)
        return m


@pytest.mark.parametrize(("kind", "bank", "expected"), [(0, 0, 0), (1, 1, 1), (2, 0, 1), (2, 1, 1)])
def test_a_beat_goes_to_the_pes_of_its_bank(simulate, kind, bank, expected):
    beat = {"kind": kind, "bank": bank, "addr": 33, "data": [1, 500, 3]}
    cycles = [
        {"weight.payload": beat, "weight.valid": 1, "ready": 1},
        {"weight.valid": 0},
        {"weight.valid": 1, "ready": 0},
    ]
    rows = play(simulate, Loader(), cycles, ["pe.load_en", "pe.kept"])
    assert [row["pe.load_en"] for row in rows] == [expected, 0, 0]
    kept = {"kind": kind, "addr": 33, "data": 500} if expected else {}
    assert rows[-1]["pe.kept"] == load_layout(WEIGHT).const(kept)


def test_strobes_of_the_array_are_those_of_its_pes():
    arch = ArchConfig.read("csc_codebook_16x4")
    per_pe = pe_events(arch.array)
    for name, strobe in arch.array.strobes.items():
        assert strobe.bits == arch.array.pes * per_pe[name].width
    assert [name for name, _ in per_pe] == list(arch.array.EVENTS)
    plain = [name for name, _ in pe_events(ArchConfig.read("csc_16x4").array)]
    assert plain == [name for name in arch.array.EVENTS if "codebook" not in name]
