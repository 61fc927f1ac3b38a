"""What every array family shares: the job its streams carry, pauses on them, and its model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.counts import Counts
from hwsim.config.arrays import wing
from hwsim.contract.events import STREAMS, stream_event
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer

if TYPE_CHECKING:
    from hwsim.config import ArchConfig

__all__ = ["ArrayModel", "Fed", "Job", "Pauses", "Run", "Words", "array_model", "is_paused"]

#: Payloads of one stream: field name -> ``(transfers, ...)`` integers. The RTL's payload layout has
#: the same field names in the same order, so packing needs no table.
Words = dict[str, NDArray[np.int64]]

#: Stall pattern of each stream, repeated endlessly: ``True`` in cycle ``t % len`` keeps an idle
#: source from offering, or a sink from being ready. A source that has offered holds on until the
#: transfer.
Pauses = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Job:
    """One GEMM compiled for one array: what each input stream carries, and what comes out.

    ``inputs`` maps ``command``, ``weight`` and ``act`` to their payloads. ``ofmap_index`` has one
    row a transfer of the ``ofmap`` stream and one column a lane: the flat index into
    ``ofmap[M, N]``, or -1 for a lane that carries nothing.
    """

    inputs: dict[str, Words]
    ofmap_index: NDArray[np.int64]
    shape: tuple[int, int]

    @property
    def transfers(self) -> int:
        """Transfers of the ``ofmap`` stream."""
        return len(self.ofmap_index)

    def beats(self) -> dict[str, int]:
        """Transfers of each stream in a whole run, as events."""
        words = {name: len(next(iter(fields.values()))) for name, fields in self.inputs.items()}
        words |= {"ofmap": self.transfers}
        return {stream_event(stream): words.get(stream, 0) for stream in STREAMS}

    def gather(self, ofmap: NDArray[np.int64]) -> NDArray[np.int64]:
        """``ofmap[M, N]`` from transfers ``(transfers, lanes)``; unwritten elements are 0."""
        flat = np.zeros(self.shape[0] * self.shape[1], dtype=np.int64)
        used = self.ofmap_index >= 0
        flat[self.ofmap_index[used]] = ofmap[used]
        return flat.reshape(self.shape)


@dataclass(frozen=True)
class Run:
    """Result of a cycle-by-cycle run, or of the RTL."""

    ofmap: NDArray[np.int64]
    counts: Counts


@dataclass(frozen=True)
class Fed:
    """A job of a machine, for an array that takes pixels in groups.

    Attributes
    ----------
    act
        Beats of activations ``(beats, lanes)`` that the feeder gives, in order.
    pixels
        Pixels of each group.
    loads
        Weights come first; else those of the job before stay.
    gap
        Cycles from one transfer of partial sums to the next.
    keep
        Sums stay in the array, none is transferred.
    """

    act: NDArray[np.integer]
    pixels: int
    loads: bool
    gap: int
    keep: bool = False


class ArrayModel(Protocol):
    """What ``hwsim/arrays/<family>/array.py`` offers, as module-level names."""

    #: Compile a GEMM with both operands into stream contents.
    compile: Callable[[ArchConfig, GEMM], Job]
    #: Cycle model: ``simulate(arch, job, pauses)``.
    simulate: Callable[[ArchConfig, Job, Pauses], Run]
    #: Fast exact counts with no pauses; equal to ``simulate`` on the compiled job.
    count: Callable[[ArchConfig, GEMM], Counts]
    #: Words of the weight stream of a matrix of whole folds, for a machine's memory:
    #: ``weight_words(arch, weight, name)``; zeros are stored as they are.
    weight_words: Callable[[ArchConfig, NDArray[np.integer], str], Words]
    #: Matrices ``(copies, M, K)`` that the format holds and whose sum is a matrix, for a machine
    #: that sends each beat of activations for each of them: ``spread(arch, weight)``.
    spread: Callable[[ArchConfig, NDArray[np.integer]], NDArray[np.integer]]
    #: The same layer in a form that the format holds, and the change in words, ``""`` where it is
    #: held as it is; absent where the format holds any: ``arranged(arch, layer)``.
    arranged: Callable[[ArchConfig, Layer], tuple[Layer, str]]
    #: Counts of a matrix of whole folds in a machine, nothing left out: ``count_whole(arch, weight,
    #: pixels)``.
    count_whole: Callable[[ArchConfig, NDArray[np.integer], int], Counts]
    #: Words that each PE of an index-decoding array holds of all weights of a layer, by the field
    #: of the depth: ``resident_words(arch, weight, name)``.
    resident_words: Callable[[ArchConfig, NDArray[np.integer], str], dict[str, NDArray[np.int64]]]
    #: Words of the weight stream of a matrix that PEs hold at once, or more than any memory has
    #: where they do not: ``held_words(arch, weight, name)``.
    held_words: Callable[[ArchConfig, NDArray[np.integer], str], int]
    #: The same for an array that skips zero activations: ``count_fed(arch, weight, pixels, act)``,
    #: with the beats of activations ``(beats, lanes)`` that the feeder gives, in order; ``keep``:
    #: its sums stay.
    count_fed: Callable[..., Counts]
    #: Whether PEs, and so many words, hold each so many filters of each part of K: ``holds(arch,
    #: weight, filters, parts, limit)``.
    holds: Callable[[ArchConfig, NDArray[np.integer], int, Sequence[range], int], bool]
    #: The same for an array that takes pixels in groups: ``count_groups(arch, weight, fed)``.
    count_groups: Callable[[ArchConfig, NDArray[np.integer], Fed], Counts]
    #: Folds of filters that such an array holds together, of a matrix one group after the other:
    #: ``group_folds(arch, weight, name)``.
    group_folds: Callable[[ArchConfig, NDArray[np.integer], str], Iterator[int]]
    #: The same for weights whose K is cut into parts of each at most so many beats: ``cut_folds(
    #: arch, weight, parts, name)``; none where a part does not fit.
    cut_folds: Callable[[ArchConfig, NDArray[np.integer], Sequence[range], str], Sequence[int]]


def array_model(arch: ArchConfig) -> ArrayModel:
    """Model of a design's array."""
    return cast(ArrayModel, wing(arch.array.MODEL))


def is_paused(pauses: Pauses, stream: str, cycle: int) -> bool:
    """Whether the pattern pauses ``stream`` in ``cycle``; without a pattern nothing is paused."""
    pattern = pauses.get(stream)
    return pattern is not None and len(pattern) > 0 and bool(pattern[cycle % len(pattern)])
