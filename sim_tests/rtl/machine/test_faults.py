"""Faults in a machine's ports: the checker in its bench sees each of them while a program runs."""

from dataclasses import replace

import pytest
from amaranth import Signal
from harness.component import seeded
from harness.machine import small_machine

from hwsim.compiler.prepare import on_acts
from hwsim.config import MemoryConfig
from hwsim.config.machine import PAGE
from hwsim.errors import SimulationError
from hwsim.rtl.cosim import machine_bench
from hwsim.rtl.cosim.checker import RULES
from hwsim.rtl.machine.machine import Machine
from hwsim.verification.machine import job_of
from hwsim.verification.networks import random_work

SIZE = 1 << 16
#: A slow memory: offers wait.
MEMORY = MemoryConfig(name="test", source="test", latency=30, bytes_per_cycle=1)
#: Which fault there is -> the rule that it breaks; region 3, which no small network uses, says it.
FAULTS = {"word changes": 0, "answer is withdrawn": 0, "page is crossed": 1, "no last word": 2}


class Faulty(Machine):
    """A machine with a fault that the host chooses."""

    def elaborate(self, platform):
        m = super().elaborate(platform)
        load, store, registers = (
            getattr(m.submodules, name) for name in ("load", "store", "registers")
        )
        odd = Signal()
        m.d.sync += odd.eq(~odd)
        # bases of regions are whole beats
        with m.Switch(registers.regions[3][8:]):
            with m.Case(1):
                m.d.comb += self.write.w.data.eq(store.axi.w.data ^ odd)
            with m.Case(2):
                m.d.comb += self.host.r.valid.eq(registers.r.valid & (odd | self.host.r.ready))
            with m.Case(3):
                m.d.comb += self.read.ar.addr.eq(load.axi.ar.addr | (PAGE - self.arch.bus.bytes))
            with m.Case(4):
                m.d.comb += self.write.w.last.eq(0)
        return m


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(machine_bench, "Machine", Faulty)
        return machine_bench.build(small_machine(), tmp_path_factory.mktemp("faulty"), SIZE)


@pytest.fixture(scope="module")
def work():
    rng = seeded(1)
    network, checkpoint = random_work(rng, small_machine())
    size = (1, network.input.channels, network.input.height, network.input.width)
    return on_acts(small_machine(), network, checkpoint, rng.integers(-128, 128, size).astype("i1"))


def job(work, fault):
    found = job_of(work.compiled.program, MEMORY, 20_000)
    assert not work.compiled.program.map_bytes
    return replace(found, regions=(*found.regions[:3], fault << 8))


@pytest.mark.parametrize(("name", "rule"), FAULTS.items(), ids=list(FAULTS))
def test_a_fault_is_seen(bench, work, name, rule):
    fault = 1 + list(FAULTS).index(name)
    with pytest.raises(SimulationError, match="rules of AXI are broken: bits ") as caught:
        machine_bench.run(bench, work.compiled.image(work.act), [job(work, fault)])
    assert int(str(caught.value).split()[-1]) >> rule & 1, RULES[rule]


def test_what_was_broken_before_a_reset_is_not_forgotten(bench, work):
    cut = replace(job(work, 3), reset=2000)
    with pytest.raises(SimulationError, match="rules of AXI are broken"):
        machine_bench.run(bench, work.compiled.image(work.act), [cut])


def test_without_a_fault_nothing_is_seen(bench, work):
    (outcome,) = machine_bench.run(bench, work.compiled.image(work.act), [job(work, 0)])
    assert outcome.error == "none"
    assert (work.compiled.outputs(outcome.output) == work.results).all()
