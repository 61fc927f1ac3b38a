"""The machine cycle by cycle against the fast form: random programs, networks, every counter."""

import pytest
from harness.component import seeded
from harness.machine import ARRAYS, small_machine

from hwsim.accelerator.model import step
from hwsim.accelerator.program import Constants, Program
from hwsim.accelerator.simulate import simulate
from hwsim.accelerator.tile import ArrayJob, Load, Nest, Store, Tile, VectorJob
from hwsim.config import MemoryConfig
from hwsim.contract.descriptors import TARGETS
from hwsim.verification.machine import random_cases


def random_memory(rng, bus):
    """A memory whose pauses no block waits for."""
    bytes_per_cycle = int(rng.integers(1, bus.bytes + 1))
    overhead = int(rng.integers(0, 6))
    least = max(1, -(-bus.bytes // bytes_per_cycle) + overhead - 4)
    return MemoryConfig(
        name="random", source="test", latency=int(rng.integers(least, least + 60)),
        bytes_per_cycle=bytes_per_cycle, outstanding=int(rng.integers(1, 9)), overhead=overhead,
    )  # fmt: skip


def random_program(rng, arch):
    """Tiles that no compiler would write: blocks of any shape, anywhere in memory."""
    bus, program = arch.bus, Program(arch, [], Constants(arch), 4096, 4096)
    widths = program.shape.widths

    def place():
        return int(rng.integers(0, 4096)) * bus.bytes

    def load():
        target = str(rng.choice([name for name in TARGETS if name in widths]))
        words = int(rng.integers(1, 40))
        beats = -(-words * widths[target] // bus.data_width)
        return Load(
            target, int(rng.integers(0, 2)), int(rng.integers(0, 3)), place(), words, beats,
            int(rng.integers(1, 4)), place(), int(rng.integers(0, 100)), int(rng.integers(0, 100)),
        )  # fmt: skip

    def job():
        nest, kind = Nest.of(0, (3, 1)), rng.random()
        if kind < 0.3:
            return None
        if kind < 0.6:
            size = int(rng.integers(1, 6))
            return VectorJob(0, 1, 0, nest, nest, window=size, windows=int(rng.integers(1, 30)))
        return ArrayJob(
            0, 1, 0, nest, nest, pixels=int(rng.integers(1, 5)), raw=bool(rng.random() < 0.3),
            cycles=int(rng.integers(1, 300)), act_beats=int(rng.integers(1, 90)),
        )  # fmt: skip

    def store():
        if rng.random() < 0.5:
            return None
        words = int(rng.integers(1, 30))
        rows = int(rng.integers(1, 4))
        return Store(0, 2, place(), words, rows, place(), 0, int(rng.integers(0, 50)))

    for _ in range(int(rng.integers(1, 12))):
        loads = tuple(load() for _ in range(int(rng.integers(0, 4))))
        program.tiles.append(Tile(loads, job(), store(), barrier=bool(rng.random() < 0.2)))
    return program


@pytest.mark.parametrize("data_width", [32, 64, 128, 256])
@pytest.mark.parametrize("kind", ARRAYS)
@pytest.mark.parametrize("seed", range(6))
def test_random_programs(seed, kind, data_width):
    rng = seeded(seed + 100 * data_width + 7 * len(kind))
    bus = {"data_width": data_width, "burst": int(rng.choice([1, 4, 16])), "outstanding": 3}
    arch = small_machine(kind, bus=bus)
    program, memory = random_program(rng, arch), random_memory(rng, arch.bus)
    assert step(program, memory) == simulate(program, memory).counters()


@pytest.mark.parametrize("kind", ARRAYS)
def test_random_networks(kind):
    for case in random_cases(small_machine(kind), 2, seed=1):
        program = case.prepared.compiled.program
        assert step(program, case.memory) == simulate(program, case.memory).counters()
