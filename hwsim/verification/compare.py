"""One case on the simulator and on the RTL: outputs, cycles by cause and events, with ``==``."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Run, array_model
from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig
from hwsim.fixedpoint import wrap
from hwsim.verification.cases import Case
from hwsim.workload.gemm import GEMM

if TYPE_CHECKING:
    from hwsim.rtl.cosim.run import RTLRun

__all__ = ["Comparison", "Simulated", "compare", "golden"]

#: What gave the simulator's side of a comparison.
ModelName = Literal["cycle model", "fast form"]


@dataclass(frozen=True)
class Simulated:
    """The simulator's run of one case, and the model that it ran on."""

    run: Run
    model: ModelName


@dataclass(frozen=True)
class Comparison:
    """Simulator and RTL on one case; ``difference`` is the first one, ``""`` where they are equal.

    ``model`` says what the RTL was compared with: the cycle model, which ran cycle by cycle, or the
    fast form, which stands in for it where a case has many cycles and no pauses.
    """

    case: Case
    model: ModelName
    simulator: Counts
    rtl: Counts
    difference: str

    @property
    def equal(self) -> bool:
        """Whether outputs, cycles by cause and events are all the same."""
        return not self.difference

    def to_row(self) -> dict[str, Any]:
        """Flat row of plain values: :meth:`to_dict` without causes."""
        gemm = self.case.gemm
        return {
            "case": self.case.name,
            "M": gemm.M,
            "K": gemm.K,
            "N": gemm.N,
            "weight_density": _density(gemm.weight),
            "act_density": _density(gemm.act),
            "stalls": self.case.stalls,
            "reset": self.case.cut is not None,
            "model": self.model,
            "cycles_simulator": self.simulator.cycles,
            "cycles_rtl": self.rtl.cycles,
            "equal": self.equal,
            "difference": self.difference,
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain data: one case of ``results.json``."""
        return self.to_row() | {
            "causes_simulator": self.simulator.causes,
            "causes_rtl": self.rtl.causes,
        }


def compare(arch: ArchConfig, case: Case, simulated: Simulated, run: RTLRun) -> Comparison:
    """Compare golden product, simulator's run and RTL's run; find the first difference."""
    difference = next(_differences(arch, case, simulated.run, run), "")
    return Comparison(case, simulated.model, simulated.run.counts, run.counts, difference)


def golden(arch: ArchConfig, gemm: GEMM) -> NDArray[np.int64]:
    """``ofmap[M, N]``: the product, wrapped to the width of a partial sum."""
    assert gemm.weight is not None
    assert gemm.act is not None
    product: NDArray[np.int64] = gemm.weight.astype(np.int64) @ gemm.act.astype(np.int64)
    return wrap(product, arch.numbers.psum_width)


def _differences(arch: ArchConfig, case: Case, model: Run, run: RTLRun) -> Iterator[str]:
    expected = golden(arch, case.gemm)
    yield from _wrong_values("simulator", model.ofmap, "golden", expected)
    if not case.pauses:
        counts = array_model(arch).count(arch, case.gemm)
        yield from _wrong_counts("simulator", model.counts, "fast form", counts)
    if run.fault:
        yield f"rtl: {run.fault}"
    yield from _wrong_values("rtl", run.ofmap, "golden", expected)
    yield from _wrong_counts("rtl", run.counts, "simulator", model.counts)


def _wrong_values(
    what: str, ofmap: NDArray[np.int64], other: str, expected: NDArray[np.int64]
) -> Iterator[str]:
    """First element of an ofmap that differs."""
    if ofmap.shape != expected.shape:
        yield f"ofmap: {what} has the shape {ofmap.shape}, {other} {expected.shape}"
        return
    wrong = np.argwhere(ofmap != expected)
    if len(wrong):
        m, n = (int(index) for index in wrong[0])
        yield (
            f"ofmap[{m}, {n}]: {what} {ofmap[m, n]}, {other} {expected[m, n]} "
            f"({len(wrong)} of {ofmap.size} differ)"
        )


def _wrong_counts(what: str, counts: Counts, other: str, expected: Counts) -> Iterator[str]:
    """First count that differs."""
    if counts.cycles != expected.cycles:
        yield f"cycles: {what} {counts.cycles}, {other} {expected.cycles}"
    for group, causes in expected.causes.items():
        own = counts.causes.get(group, {})
        for cause, cycles in causes.items():
            if own.get(cause) != cycles:
                yield f"{group}.{cause}: {what} {own.get(cause)}, {other} {cycles}"
    if counts.causes.keys() != expected.causes.keys():
        yield f"groups: {what} {list(counts.causes)}, {other} {list(expected.causes)}"
    for event, times in expected.events.items():
        if counts.events.get(event) != times:
            yield f"events.{event}: {what} {counts.events.get(event)}, {other} {times}"
    if counts.events.keys() != expected.events.keys():
        yield f"events: {what} {list(counts.events)}, {other} {list(expected.events)}"


def _density(values: NDArray[np.integer] | None) -> float:
    assert values is not None
    return int(np.count_nonzero(values)) / values.size
