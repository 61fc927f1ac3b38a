"""Prove a machine: networks from memory in Verilog; values and counters compare with ``==``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.accelerator.bursts import least_latency
from hwsim.accelerator.program import OUTPUTS, Program
from hwsim.accelerator.simulate import simulate
from hwsim.accelerator.tile import ArrayJob
from hwsim.compiler.prepare import Prepared, on_acts
from hwsim.config import ArchConfig, BusConfig, MemoryConfig
from hwsim.config.shape import MachineShape
from hwsim.errors import InputError
from hwsim.report.result import Result
from hwsim.system import extras
from hwsim.system.files import held
from hwsim.verification.networks import random_checkpoint, random_work, wide_network

if TYPE_CHECKING:
    from hwsim.rtl.cosim.machine_bench import Job, Outcome

__all__ = [
    "MachineCase",
    "MachineComparison",
    "MachineVerification",
    "accepted",
    "draw_memory",
    "job_of",
    "random_cases",
    "verify_machine",
]

#: Networks that are drawn for a case before the machine is said to be too small for any.
_TRIES = 200
#: Images of a random case at most.
_IMAGES = 3
#: Of so many cases one has a layer of which a fold of filters does not fit the weight memory.
_WIDE = 5
#: Weights of each of its filters at first: it grows until K is cut.
_INPUTS = 500


@dataclass(frozen=True)
class MachineCase:
    """A network with its images, and the memory that it lies in."""

    name: str
    prepared: Prepared
    memory: MemoryConfig


@dataclass(frozen=True)
class MachineComparison:
    """A case on the simulator and in RTL."""

    case: MachineCase
    simulator: dict[str, int]
    rtl: dict[str, int]
    difference: str

    @property
    def equal(self) -> bool:
        """Whether values and all counters are the same."""
        return not self.difference

    def to_row(self) -> dict[str, Any]:
        """Flat row of plain values."""
        memory, tiles = self.case.memory, self.case.prepared.compiled.program.tiles
        return {
            "case": self.case.name,
            "layers": len({tile.layer for tile in tiles} - {""}),
            "tiles": len(tiles),
            "images": len(self.case.prepared.act),
            "values": self.case.prepared.results.size,
            "latency": memory.latency,
            "bytes_per_cycle": memory.bytes_per_cycle,
            "cycles_simulator": self.simulator["cycles"],
            "cycles_rtl": self.rtl.get("cycles"),
            "equal": self.equal,
            "difference": self.difference,
        }


@dataclass(frozen=True)
class MachineVerification(Result):
    """A machine on its simulator and in RTL, case by case."""

    arch: ArchConfig
    comparisons: list[MachineComparison]
    #: Verilog that was simulated: the machine with its memory.
    verilog: Path
    #: Wall time.
    seconds: float
    seed: int = 0
    #: Weights of the network, in words.
    weights: str | None = None

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.arch.name}: simulator and Verilog, from memory"

    @property
    def different(self) -> list[MachineComparison]:
        """Comparisons that are not equal."""
        return [each for each in self.comparisons if not each.equal]

    @property
    def equal(self) -> bool:
        """Whether simulator and RTL are equal in every case."""
        return not self.different

    @property
    def cycles(self) -> int:
        """Cycles of all cases in RTL."""
        return sum(each.rtl.get("cycles", 0) for each in self.comparisons)

    def summary(self) -> str:
        """One sentence."""
        cases, counters = len(self.comparisons), len(self.comparisons[0].simulator)
        equal = cases - len(self.different)
        words = f"{equal} of {cases} cases equal in values and {counters} counters"
        return words if self.weights is None else f"{words}; weights: {self.weights}"

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "arch": self.arch.name,
            "seed": self.seed,
            "weights": self.weights,
            "equal": self.equal,
            "different": len(self.different),
            "cycles": self.cycles,
            "seconds": self.seconds,
            "verilog": str(self.verilog),
            "cases": [
                each.to_row() | {"simulator": each.simulator, "rtl": each.rtl}
                for each in self.comparisons
            ],
        }

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per case."""
        return [each.to_row() for each in self.comparisons]


def random_cases(arch: ArchConfig, count: int, seed: int) -> list[MachineCase]:
    """Draw networks that fit the machine, weights, images and memories.

    The same seed gives the same cases, and a longer list begins with the shorter one.
    """
    return [_draw(arch, index, np.random.default_rng([seed, index])) for index in range(count)]


def _draw(arch: ArchConfig, index: int, rng: np.random.Generator) -> MachineCase:
    lanes = MachineShape.of(arch).word_lanes
    refusal: InputError | None = None
    wide, inputs = arch.array.machine_carries and index % _WIDE == _WIDE - 1, _INPUTS
    for _ in range(_TRIES):
        if wide:
            network = wide_network(rng, f"wide_{index}", inputs)
            checkpoint, inputs = random_checkpoint(rng, network, numbers=arch.numbers), 2 * inputs
        else:
            network, checkpoint = random_work(rng, arch, f"random_{index}", lanes)
        size = network.input.channels, network.input.height, network.input.width
        act = rng.integers(-128, 128, size=(int(rng.integers(1, _IMAGES + 1)), *size))
        memory = draw_memory(arch.bus, rng)
        try:
            prepared = on_acts(arch, network, checkpoint, act.astype(np.int8))
        except InputError as error:
            refusal, wide = error, False
            continue
        if not wide or _carries(prepared):
            return MachineCase(network.name, prepared, memory)
    assert refusal is not None
    raise refusal


def draw_memory(bus: BusConfig, rng: np.random.Generator) -> MemoryConfig:
    """A memory that a machine with this bus accepts: a short latency is lengthened to the least."""
    memory = MemoryConfig(
        name="random",
        source="random",
        latency=int(rng.integers(1, 200)),
        bytes_per_cycle=int(rng.integers(1, bus.bytes + 1)),
        outstanding=int(rng.integers(1, 5)),
    )
    return accepted(memory, bus)


def accepted(memory: MemoryConfig, bus: BusConfig) -> MemoryConfig:
    """The memory, or one of the least latency that a machine with this bus takes."""
    latency = max(memory.latency, least_latency(memory, bus))
    return memory.model_copy(update={"latency": latency})


def _carries(prepared: Prepared) -> bool:
    """Whether K of a layer is cut over jobs."""
    jobs = (tile.job for tile in prepared.compiled.program.tiles)
    return any(isinstance(job, ArrayJob) and job.keep for job in jobs)


def verify_machine(
    arch: ArchConfig,
    cases: Sequence[MachineCase],
    folder: Path,
    *,
    waves: range | None = None,
    notify: Callable[[str, int, int], None] = lambda stage, done, total: None,
) -> tuple[list[MachineComparison], Path]:
    """Run every case on the simulator and on the generated machine, from a memory of its own.

    Parameters
    ----------
    folder
        Gets the Verilog and the built simulation, which is used again while it is the same.
    waves
        Cycles whose waves are left in ``folder``: of all signals in the first case that differs,
        else in the last one.

    Returns
    -------
    list of MachineComparison, and the path of the Verilog

    Raises
    ------
    InputError
        A tool is missing.
    hwsim.errors.SimulationError
        The build or the simulation failed by itself, or a rule of AXI was broken.
    """
    extras.require("rtl")
    from hwsim.rtl.cosim import machine_bench as bench

    runs = []
    for index, case in enumerate(cases):
        notify("simulate", index, len(cases))
        runs.append(simulate(case.prepared.compiled.program, case.memory))
    size = max(case.prepared.compiled.program.size for case in cases)
    comparisons = []
    with held(folder / ".build", waits=True):  # the build must stay as it is while it runs
        notify("build", 0, len(cases))
        memory = 1 << max(16, (size - 1).bit_length())
        built = bench.build(arch, folder, memory, waves=waves is not None)

        def play(case: MachineCase, cycles: int, waves: range | None = None) -> Outcome:
            compiled = case.prepared.compiled
            job = job_of(compiled.program, case.memory, 10_000 + 2 * cycles, waves=waves)
            return bench.run(built, compiled.image(case.prepared.act), [job])[0]

        notify("run", 0, len(cases))
        for case, run in zip(cases, runs, strict=True):
            outcome = play(case, run.cycles)
            found = next(_differences(case, run.counters(), outcome), "")
            comparisons.append(MachineComparison(case, run.counters(), outcome.counters, found))
        if waves is not None:
            shown = next((each for each in comparisons if not each.equal), comparisons[-1])
            play(shown.case, shown.simulator["cycles"], waves)
    return comparisons, folder / "bench.v"


def job_of(program: Program, memory: MemoryConfig, limit: int, **others: Any) -> Job:
    """Job of the bench that runs a program from address 0 on, and reads its outputs back."""
    from hwsim.rtl.cosim.machine_bench import Job

    output = (program.bases()[OUTPUTS], program.output_bytes)
    return Job(memory, 0, len(program.tiles), program.bases(), limit, output, **others)


def _differences(case: MachineCase, expected: dict[str, int], outcome: Any) -> Iterator[str]:
    if not outcome.ended:
        yield f"rtl: no end after {outcome.waited} cycles"
    if outcome.error != "none":
        yield f"rtl: error {outcome.error} at descriptor {outcome.error_index}"
    results = case.prepared.results
    wrong = np.argwhere(case.prepared.compiled.outputs(outcome.output) != results)
    if len(wrong):
        image, value = wrong[0].tolist()
        got = case.prepared.compiled.outputs(outcome.output)[image, value]
        yield (
            f"image {image}, value {value}: rtl {got}, golden {results[image, value]} "
            f"({len(wrong)} of {results.size} differ)"
        )
    for name, count in expected.items():
        if outcome.counters.get(name) != count:
            yield f"{name}: rtl {outcome.counters.get(name)}, simulator {count}"
