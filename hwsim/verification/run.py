"""Prove a design: the same jobs on its simulator and its Verilog, compared with ``==``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from hwsim.arrays.base import Job, Run, array_model
from hwsim.config import ArchConfig
from hwsim.system import extras
from hwsim.verification.cases import Case
from hwsim.verification.compare import Comparison, Simulated, compare, golden

__all__ = ["STEP_LIMIT", "Notify", "verify"]

#: Cycles above which the fast form stands in for the cycle model, in cases without pauses.
STEP_LIMIT = 20_000

#: Is told a stage (``simulate``, ``generate``, ``build``, ``run``), cases simulated, and all cases.
Notify = Callable[[str, int, int], None]


def verify(
    arch: ArchConfig,
    cases: Sequence[Case],
    build_dir: Path,
    simulator: str = "verilator",
    notify: Notify = lambda stage, done, total: None,
    *,
    waves: bool = False,
) -> list[Comparison]:
    """Run every case on the simulator and, in one Verilog simulation, on the generated array.

    Parameters
    ----------
    build_dir
        Gets NAME.v, NAME.json and the built simulation, which is used again while it is the same.
    simulator
        ``verilator`` or ``icarus``.
    waves
        Leave those of all signals beside the build. Verilator only.

    Raises
    ------
    InputError
        A case does not fit the design, or a tool is missing.
    hwsim.errors.SimulationError
        The build or the Verilog simulation failed by itself.
    """
    extras.require("rtl")
    from hwsim.rtl.cosim import toolchain
    from hwsim.rtl.cosim.run import simulate_rtl

    toolchain.require(simulator)

    jobs, simulated = [], []
    for index, case in enumerate(cases):
        notify("simulate", index, len(cases))
        jobs.append(array_model(arch).compile(arch, case.gemm))
        simulated.append(_simulate(arch, case, jobs[-1]))
    cycles = [each.run.counts.cycles for each in simulated]
    runs = simulate_rtl(
        arch,
        jobs,
        [case.pauses for case in cases],
        build_dir=build_dir,
        simulator=simulator,
        limits=[1000 + 2 * count for count in cycles],
        resets={
            index: int(case.cut * count)
            for index, (case, count) in enumerate(zip(cases, cycles, strict=True))
            if case.cut is not None
        },
        waves=waves,
        notify=lambda stage: notify(stage, 0, len(cases)),
    )
    return [
        compare(arch, case, each, run)
        for case, each, run in zip(cases, simulated, runs, strict=True)
    ]


def _simulate(arch: ArchConfig, case: Case, job: Job) -> Simulated:
    """Simulator's run: cycle by cycle, or counted where that takes long and nothing pauses."""
    if not case.pauses:
        counts = array_model(arch).count(arch, case.gemm)
        if counts.cycles > STEP_LIMIT:
            return Simulated(Run(golden(arch, case.gemm), counts), "fast form")
    return Simulated(array_model(arch).simulate(arch, job, case.pauses), "cycle model")
