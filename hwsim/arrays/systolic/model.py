"""What the systolic families and their two dataflows share: folds, and the clocked model.

A PE multiplies a *block* of ``block`` neighbouring activations of K with the weights it holds for
them, and adds the products up. In the dense family a block is one position. Wherever the models
hold operands, the last axis is the position in the block.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Run, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.streams import Sink, Source
from hwsim.config import ArchConfig, SystolicConfig
from hwsim.contract.events import STREAM_EVENTS
from hwsim.formats import codes
from hwsim.formats.operands import act_values

__all__ = [
    "FoldCounter",
    "Ints",
    "SystolicModel",
    "counts",
    "diagonal",
    "late",
    "padded",
    "shifted",
    "split",
]

Ints = NDArray[np.int64]


def split(size: int, fold: int) -> tuple[int, int]:
    """Folds that ``size`` takes, and what the last of them holds (1 to ``fold``)."""
    folds = -(-size // fold)
    return folds, size - (folds - 1) * fold


def counts(
    arch: ArchConfig, cycles: Mapping[str, int], events: Mapping[str, int] | None = None
) -> Counts:
    """Counts of a run from its cycles by cause and its events; one that is not named is 0."""
    (names,) = arch.array.cause_names.values()
    events = events or {}
    return Counts(
        sum(cycles.values()),
        {"array": {cause: cycles.get(cause, 0) for cause in names}},
        {event: events.get(event, 0) for event in (*STREAM_EVENTS, *arch.array.strobes)},
    )


class FoldCounter:
    """Position in a nest of loops, the innermost first; ``bounds`` are the loops' lengths."""

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


class SystolicModel(ABC):
    """Cycle model of one array; its state is named like the RTL's registers.

    It holds integers where the RTL holds codes: the streams are decoded when the model is created,
    and a PE's weights are the ``block`` integers that they stand for.
    """

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        array = arch.array_as(SystolicConfig)
        self.rows, self.cols, self.block = array.rows, array.cols, array.block
        self.psum_width = arch.numbers.psum_width
        #: Binary activations have no zero to pad with: the control gates what lies beyond K.
        self.gated = arch.numbers.act_width == 1
        self.clock = 0
        decoded = Job(self.decoded(arch, job), job.ofmap_index, job.shape)
        self.command = Source(decoded, "command", pauses)
        self.weight_stream = Source(decoded, "weight", pauses)
        self.act_stream = Source(decoded, "act", pauses)
        self.sink = Sink(decoded, pauses)
        #: Whether the skid buffer is empty, and the last offer that it saw.
        self.enable, self.held = True, np.zeros(self.cols, dtype=np.int64)
        self._job = decoded
        self.arch = arch
        #: Events of the run up to now.
        self.events = dict.fromkeys(arch.array.strobes, 0)

    def decoded(self, arch: ArchConfig, job: Job) -> dict[str, Words]:
        """Contents of the streams in integers, as the model takes them."""
        act = act_values(job.inputs["act"]["act"], arch.numbers)
        return job.inputs | {
            "weight": {"weight": self.weight_values(arch, job.inputs["weight"])},
            "act": {"act": act.reshape(*act.shape[:2], self.block)},
        }

    @staticmethod
    def weight_values(arch: ArchConfig, words: Words) -> Ints:
        """Integers ``(transfers, lanes, block)`` of the words of the weight stream."""
        return codes.decode(words["weight"], arch.numbers)[:, :, None]

    @abstractmethod
    def step(self) -> str:
        """Pass one cycle; return its cause."""

    def offer(self, valid: bool, psums: Ints) -> bool:
        """Pass an offer of the array on through the skid buffer; return the cycle's ``enable``.

        An offer that is not taken waits there, and stops the array from the next cycle on up to the
        one in which it is taken.
        """
        enable, ready = self.enable, self.sink.ready(self.clock)
        if enable:
            self.held = psums
        offered = valid or not enable
        if offered and ready:
            self.sink.take(self.held)
        self.enable = ready or not offered
        return enable

    def run(self) -> Run:
        """Run to the last transfer of the ``ofmap`` stream."""
        (names,) = self.arch.array.cause_names.values()
        spent = dict.fromkeys(names, 0)
        while not self.sink.done:
            spent[self.step()] += 1
            self.clock += 1
        events = self._job.beats() | self.events
        return Run(self._job.gather(self.sink.payloads), counts(self.arch, spent, events))


def shifted(line: Ints, value: Ints) -> tuple[Ints, Ints]:
    """Put ``value`` into delay lines ``(lines, registers, ...)``.

    Returns the taps ``(lines, 1 + registers, ...)``, tap d being the input d cycles ago, and the
    registers after the cycle.
    """
    taps = np.concatenate((value[:, None], line), axis=1)
    return taps, taps[:, :-1]


def late(line: Ints, value: Ints) -> tuple[Ints, Ints]:
    """Put ``value`` into a delay line ``(registers, ...)``; return it and what leaves it."""
    line = np.concatenate((value[None], line))
    return line[:-1], line[-1]


def diagonal(taps: Ints) -> Ints:
    """Tap i of line i: what leaves a skew, ``(lines, ...)``."""
    lines = np.arange(len(taps))
    return taps[lines, lines]


def padded(words: Ints, axis: int, size: int) -> Ints:
    """Words with zeros behind them, so that ``axis`` is ``size`` long."""
    room = [(0, 0)] * words.ndim
    room[axis] = (0, size - words.shape[axis])
    return np.pad(words, room)
