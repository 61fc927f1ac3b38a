"""What the two dataflows of the dense family share: the loop over folds and the clocked model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Counts, Job, Pauses, Run
from hwsim.arrays.streams import Sink, Source
from hwsim.config import ArchConfig, DenseConfig
from hwsim.config.causes import CAUSES as ALL_CAUSES

__all__ = ["CAUSES", "DenseModel", "FoldCounter", "counts", "dense", "shifted", "split"]

#: Status group -> cause names of the family.
CAUSES = ALL_CAUSES["dense"]


def dense(arch: ArchConfig) -> DenseConfig:
    """Array of a design of this family."""
    if not isinstance(arch.array, DenseConfig):
        raise TypeError(f"{arch.name} must be of family dense, not {arch.array.family}")
    return arch.array


def split(size: int, fold: int) -> tuple[int, int]:
    """Folds that ``size`` takes, and what the last of them holds (1 to ``fold``)."""
    folds = -(-size // fold)
    return folds, size - (folds - 1) * fold


def counts(**cycles: int) -> Counts:
    """Counts of a run from its cycles by cause; a cause not named took none."""
    return Counts(
        sum(cycles.values()), {"array": {cause: cycles.get(cause, 0) for cause in CAUSES["array"]}}
    )


class FoldCounter:
    """Place in a nest of loops, the innermost first; ``bounds`` are the loops' lengths."""

    def __init__(self, levels: int) -> None:
        self.start([1] * levels)

    def start(self, bounds: Sequence[int]) -> None:
        """Go to the first fold of a nest."""
        self.bounds, self.index = list(bounds), [0] * len(bounds)

    def first(self, level: int) -> bool:
        """Whether a loop is in its first iteration."""
        return self.index[level] == 0

    def last(self, level: int) -> bool:
        """Whether a loop is in its last iteration."""
        return self.index[level] == self.bounds[level] - 1

    @property
    def done(self) -> bool:
        """Whether this is the last fold of the nest."""
        return all(self.last(level) for level in range(len(self.bounds)))

    def advance(self) -> None:
        """Go to the next fold; after the last, to the first."""
        for level in range(len(self.bounds)):
            if not self.last(level):
                self.index[level] += 1
                return
            self.index[level] = 0


class DenseModel(ABC):
    """Clock-by-clock model of one array; its state is named like the RTL's registers."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        array = dense(arch)
        self.rows, self.cols = array.rows, array.cols
        self.psum_width = arch.numbers.psum_width
        self.clock = 0
        self.command = Source(job, "command", pauses)
        self.weight_stream = Source(job, "weight", pauses)
        self.act_stream = Source(job, "act", pauses)
        self.sink = Sink(job, pauses)
        self._job = job

    @abstractmethod
    def step(self) -> str:
        """Pass one clock; return its cause."""

    def run(self) -> Run:
        """Run to the last transfer of the ``ofmap`` stream."""
        spent = dict.fromkeys(CAUSES["array"], 0)
        while not self.sink.done:
            spent[self.step()] += 1
            self.clock += 1
        return Run(self._job.gather(self.sink.payloads), counts(**spent))


def shifted(
    line: NDArray[np.int64], value: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Put ``value`` into delay lines ``(lines, registers)``.

    Returns the taps ``(lines, 1 + registers)``, tap d being the input d clocks ago, and the
    registers after the clock.
    """
    taps = np.concatenate((value[:, None], line), axis=1)
    return taps, taps[:, :-1]
