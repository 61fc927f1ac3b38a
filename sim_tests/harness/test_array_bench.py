"""The bench itself: what it refuses must not pass for a result."""

import numpy as np
import pytest
from amaranth import Module, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from harness.array_bench import INPUTS, chain, drive, pack

from hwsim.arrays.base import Job
from hwsim.config import ArchConfig

LAYOUT = data.StructLayout({"tag": unsigned(3), "lanes": data.ArrayLayout(signed(4), 2)})
OFMAP = data.StructLayout({"psum": data.ArrayLayout(signed(8), 1)})


def test_packs_by_the_layout():
    value = {"tag": 5, "lanes": np.array([-1, 7])}
    assert pack(LAYOUT, value) == LAYOUT.const({"tag": 5, "lanes": [-1, 7]}).as_bits()


@pytest.mark.parametrize(
    "value",
    [
        {"tag": 8, "lanes": [0, 0]},
        {"tag": -1, "lanes": [0, 0]},
        {"tag": 0, "lanes": [0, 8]},
        {"tag": 0, "lanes": [-9, 0]},
        {"tag": 0, "lanes": [0]},
    ],
)
def test_refuses_what_does_not_fit(value):
    with pytest.raises(ValueError, match=r"does not fit|for 2 lanes"):
        pack(LAYOUT, value)


ARCH = ArchConfig.read("dense_8x8_ws")


class Passing(wiring.Component):
    """Stand-in for an array: what comes as ``act`` goes out one cycle later, with a fault."""

    def __init__(self, arch, fault: str = "") -> None:
        self.fault = fault
        strobes = {name: unsigned(strobe.bits) for name, strobe in arch.array.strobes.items()}
        members = {name: In(stream.Signature(OFMAP)) for name in INPUTS}
        status = data.StructLayout({"array": data.ArrayLayout(unsigned(3), 1)})
        outputs = {"ofmap": Out(stream.Signature(OFMAP)), "status": Out(status)}
        super().__init__(members | outputs | {"events": Out(data.StructLayout(strobes))})

    def elaborate(self, platform):
        m = Module()
        offer = self.ofmap
        m.d.comb += self.command.ready.eq(1)
        m.d.comb += self.weight.ready.eq(self.fault != "words")
        m.d.comb += self.act.ready.eq(~offer.valid | offer.ready)
        m.d.comb += self.events.macs.eq(self.act.valid & self.act.ready)
        m.d.comb += self.status.array[0].eq(7 if self.fault == "code" else 1)
        with m.If(offer.ready):
            m.d.sync += offer.valid.eq(0)
        if self.fault == "payload":
            m.d.sync += offer.payload.eq(self.act.payload.as_value() ^ 1)
        if self.fault == "valid":
            m.d.sync += offer.valid.eq(0)
        with m.If(self.act.valid & self.act.ready):
            m.d.sync += offer.valid.eq(self.fault != "mute")
            m.d.sync += offer.payload.eq(self.act.payload)
        if self.fault == "extra":
            m.d.sync += offer.valid.eq(1)
        return m


@pytest.fixture
def job():
    words = {"psum": np.arange(1, 5).reshape(4, 1)}
    return Job(dict.fromkeys(INPUTS, words), np.arange(4).reshape(4, 1), (4, 1))


def run(monkeypatch, job, fault=""):
    monkeypatch.setattr("harness.array_bench.build", lambda arch: Passing(arch, fault))
    pauses = {"ofmap": np.array([True, True, False])}
    return drive(ARCH, [job, job], pauses, max_cycles=100)


def test_gives_back_what_comes_out(monkeypatch, job):
    for result in run(monkeypatch, job):
        assert result.ofmap.ravel().tolist() == [1, 2, 3, 4]
        assert result.counts.cycles == result.counts.causes["array"]["compute"] == 12
        assert result.counts.events["act_beats"] == 4
        # a strobe counts for the events that the design says
        assert result.counts.events["macs"] == 4 * ARCH.array.multipliers


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ("valid", "valid dropped before the transfer"),
        ("payload", "changed before the transfer"),
        ("mute", "no end after 100 cycles"),
        ("words", "words left in the sources"),
        ("extra", "offered with no job running"),
    ],
)
def test_sees_a_broken_rule(monkeypatch, job, fault, message):
    with pytest.raises(AssertionError, match=message):
        run(monkeypatch, job, fault)


def test_sees_a_code_without_a_cause(monkeypatch, job):
    with pytest.raises(IndexError):
        run(monkeypatch, job, "code")


def test_chains_jobs(job):
    chained = chain([job, job])
    assert chained.inputs["act"]["psum"].ravel().tolist() == [1, 2, 3, 4, 1, 2, 3, 4]
    assert chained.ofmap_index.ravel().tolist() == list(range(8))
    assert chained.shape == (8, 1)
