"""Kernel patterns and connectivity (PCONV, PatDNN): 4 of 9 taps by id, one channel list a group.

A 3x3 kernel (one filter's taps on one input channel) stores four weights and the id of the pattern
that says which taps they are, in a library of the layer. Filters are reordered into groups of as
many as the array has columns; a group has one list of input channels, and stores a kernel of each
of its filters for every channel on the list. A kernel that was removed although its group walks the
channel is stored as zeros (padding). Of any other layer, four consecutive K are a *kernel* with the
one pattern 0, 1, 2, 3, and blocks of four K stand for the channels.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, PatternConfig
from hwsim.errors import InputError
from hwsim.formats.base import Bits, index_width
from hwsim.formats.lists import Lists, lists_of
from hwsim.formats.pattern_groups import Groups, group_filters

__all__ = [
    "CANDIDATES",
    "TAPS",
    "WINDOW",
    "PatternMatrix",
    "bits",
    "decode",
    "encode",
    "full_library",
    "kernels_of",
    "library_of",
    "lists",
    "masks_of",
    "measure",
    "nonzeros",
    "plan",
    "project",
    "project_for",
]

Ints = NDArray[np.int64]

#: Weights that a kernel stores, and taps that it chooses them from.
TAPS, WINDOW = 4, 9
_CENTRE = 4
#: Patterns that pruning chooses from, ``(56, 4)``: the centre and three of its neighbours.
CANDIDATES: Ints = np.array(
    [taps for taps in combinations(range(WINDOW), TAPS) if _CENTRE in taps], dtype=np.int64
)
#: Every pattern that the format can tell, as masks of taps.
_MASKS = [sum(1 << tap for tap in taps) for taps in combinations(range(WINDOW), TAPS)]
#: Partial libraries that the search for one looks at before it gives up.
_SEARCH_LIMIT = 5000


@dataclass(frozen=True)
class PatternMatrix:
    """A weight matrix as the array walks it.

    Attributes
    ----------
    shape
        ``(M, K)`` of the whole matrix.
    channels
        Input channels of a 3x3 layer; 0 for any other layer.
    library
        ``(patterns, 4)``: the taps of each pattern, ascending.
    groups
        Filters and channel list of each group.
    ids
        ``(entries, cols)``: pattern of each kernel, an entry being one channel of one group's list;
        -1 for a kernel that was removed, and beyond the last filter.
    values
        ``(entries, cols, 4)``: its weights, 0 where ``ids`` is -1.
    has_zero
        Whether the code of the weights has a zero.
    """

    shape: tuple[int, int]
    channels: int
    library: Ints
    groups: Groups
    ids: Ints
    values: Ints
    has_zero: bool

    @property
    def kernels(self) -> int:
        """Kernels of each filter: input channels, or blocks of four K."""
        return self.channels or -(-self.shape[1] // TAPS)


def encode(
    weight: NDArray[np.integer],
    array: PatternConfig,
    channels: int = 0,
    *,
    has_zero: bool = True,
    source: str = "pattern format",
) -> PatternMatrix:
    """Encode ``weight[M, K]`` for an array.

    Parameters
    ----------
    channels
        Input channels of a 3x3 layer, whose K is ordered (tap, channel); 0 for any other layer.
    has_zero
        Whether the weights' code has a zero. Without, a kernel keeps four weights or none.

    Raises
    ------
    ValueError
        The matrix has no element, or is not a matrix.
    InputError
        A kernel fits no pattern, naming ``source`` (the layer), filter, channel and rule.
    """
    if weight.ndim != 2 or weight.size == 0:
        raise ValueError(f"weight must be a matrix with elements, not of shape {weight.shape}")
    masks, groups = plan(weight, array, channels, has_zero=has_zero, source=source)
    library = library_of(masks, array, channels, source)
    ids_of, values_of = kernels_of(weight, masks, library, channels)
    filters = groups.filters()  # of each entry
    channel = groups.channels[:, None]
    ids = np.where(filters < 0, -1, ids_of[filters, channel])
    values = np.where(ids[..., None] < 0, 0, values_of[filters, channel])
    num_rows, num_cols = weight.shape
    return PatternMatrix((num_rows, num_cols), channels, library, groups, ids, values, has_zero)


def kernels_of(
    weight: NDArray[np.integer], masks: Ints, library: Ints, channels: int = 0
) -> tuple[Ints, Ints]:
    """Pattern of each kernel ``(M, kernels)``, -1 for none, and its weights ``(M, kernels, 4)``."""
    ids = _ids(library)[masks]
    taps = library[np.maximum(ids, 0)]
    values = np.take_along_axis(_kernels(weight, channels), taps, axis=2)
    return ids, np.where(ids[..., None] < 0, 0, values)


def masks_of(weight: NDArray[np.integer], channels: int = 0) -> Ints:
    """Mask of the non-zero taps of each kernel, ``(M, kernels)``."""
    nonzero = weight != 0
    masks = np.zeros((len(weight), channels or -(-weight.shape[1] // TAPS)), dtype=np.int64)
    for tap in range(WINDOW if channels else TAPS):
        part = nonzero[:, tap * channels : (tap + 1) * channels] if channels else nonzero[:, tap::4]
        masks[:, : part.shape[1]] |= part.astype(np.int64) << tap
    return masks


def plan(
    weight: NDArray[np.integer],
    array: PatternConfig,
    channels: int = 0,
    *,
    has_zero: bool = True,
    source: str = "pattern format",
) -> tuple[Ints, Groups]:
    """Taps that each kernel keeps, a mask ``(M, kernels)``, and the groups of its filters.

    Raises
    ------
    InputError
        A kernel keeps more than four taps or, where the code has no zero, fewer.
    """
    if channels and weight.shape[1] != WINDOW * channels:
        raise ValueError(f"K must be {WINDOW} taps of {channels} channels, not {weight.shape[1]}")
    masks = masks_of(weight, channels)
    kept = np.array([mask.bit_count() for mask in range(1 << WINDOW)])[masks]
    if channels:
        _refuse(kept > TAPS, masks, source, f"must keep at most {TAPS} of {WINDOW} taps")
    if not has_zero:
        needed = np.full(masks.shape[1], TAPS)
        if not channels and weight.shape[1] % TAPS:
            needed[-1] = weight.shape[1] % TAPS
        rule = f"must keep {TAPS} taps or none: the code has no zero"
        _refuse((kept > 0) & (kept < needed), masks, source, rule)
    return masks, group_filters(masks != 0, array.rows, array.cols)


def decode(matrix: PatternMatrix) -> Ints:
    """Weight matrix ``(M, K)`` of an encoded one; the inverse of :func:`encode`."""
    taps = WINDOW if matrix.channels else TAPS
    kernels = np.zeros((matrix.shape[0], matrix.kernels, taps), dtype=np.int64)
    used = matrix.ids >= 0
    filters = matrix.groups.filters()[used]
    channel = np.broadcast_to(matrix.groups.channels[:, None], used.shape)[used]
    kernels[filters[:, None], channel[:, None], matrix.library[matrix.ids[used]]] = matrix.values[
        used
    ]
    if matrix.channels:
        kernels = kernels.swapaxes(1, 2)
    return kernels.reshape(matrix.shape[0], -1)[:, : matrix.shape[1]]


def bits(matrix: PatternMatrix, weight_width: int) -> Bits:
    """Size by kind.

    Values: weights. Indices: pattern ids, channel lists (a list or a bitmap, whichever is smaller;
    nothing for a list of all channels), the filter order where it is not the layer's own, and the
    library. Pointers: the length of each group's list. Padding: zeros that are stored in a kernel,
    and all of a removed one, its id included.
    """
    count_kernels = int(np.count_nonzero(matrix.ids >= 0))
    count_weights = int(np.count_nonzero(matrix.values))
    stored = int(np.count_nonzero(matrix.groups.filters() >= 0))
    id_width = _id_width(len(matrix.library), matrix.has_zero)
    size = _kernel_bits(stored, count_kernels, count_weights, id_width, weight_width)
    lists = _list_bits(matrix.groups, matrix.shape[0], matrix.kernels)
    return size + lists + _library_bits(len(matrix.library), matrix.channels)


def _id_width(patterns: int, has_zero: bool) -> int:
    """Bits of a pattern id; where the code has no zero, one more id stands for no kernel."""
    choices = patterns + (0 if has_zero else 1)
    return index_width(choices) if choices > 1 else 0


def _kernel_bits(stored: int, kernels: int, weights: int, id_width: int, weight_width: int) -> Bits:
    """Size of ``stored`` kernels, of which ``kernels`` are not removed and hold ``weights``."""
    return Bits(
        values=weights * weight_width,
        indices=kernels * id_width,
        padding=(stored * TAPS - weights) * weight_width + (stored - kernels) * id_width,
    )


def _list_bits(groups: Groups, filters: int, kernels: int) -> Bits:
    """Size of the channel lists, of their lengths, and of the order of the filters."""
    lengths = np.diff(groups.starts)
    bits = np.minimum(lengths * index_width(kernels), kernels)[lengths < kernels]
    order = 0 if _is_own(groups.order, filters) else len(groups.order)
    return Bits(
        indices=int(bits.sum()) + order * index_width(filters),
        pointers=len(lengths) * index_width(kernels + 1) if len(bits) else 0,
    )


def _is_own(order: Ints, filters: int) -> bool:
    """Whether an order of filters is that of the layer, with none left out."""
    return len(order) == filters and bool((np.diff(order) > 0).all())


def _library_bits(patterns: int, channels: int) -> Bits:
    """Size of the library; a layer that is not 3x3 has none."""
    return Bits(indices=patterns * TAPS * index_width(WINDOW) if channels else 0)


def measure(
    arch: ArchConfig,
    weight: NDArray[np.integer] | None,
    shape: tuple[int, int],
    channels: int = 0,
    name: str = "pattern format",
) -> Bits:
    """Size of a weight matrix for a design; ``channels`` as in :func:`encode`.

    Without weights, no weight is zero: every kernel keeps four taps, in order.
    """
    array, has_zero = arch.array_as(PatternConfig), arch.numbers.has_zero
    width, kernels = arch.numbers.weight_width, channels or -(-shape[1] // TAPS)
    if weight is None:
        patterns, stored = full_library(array, shape[0], channels), shape[0] * kernels
        id_width = _id_width(patterns, has_zero)
        weights = nonzeros(arch, shape, channels)
        size = _kernel_bits(stored, stored, weights, id_width, width)
        return size + _library_bits(patterns, channels)
    masks, groups = plan(weight, array, channels, has_zero=has_zero, source=name)
    patterns = len(library_of(masks, array, channels, name))
    per_group = np.count_nonzero(groups.table() >= 0, axis=1)
    stored = int(per_group @ np.diff(groups.starts))
    present, weights = int(np.count_nonzero(masks)), int(np.count_nonzero(weight))
    size = _kernel_bits(stored, present, weights, _id_width(patterns, has_zero), width)
    return size + _list_bits(groups, shape[0], kernels) + _library_bits(patterns, channels)


def lists(
    arch: ArchConfig,
    weight: NDArray[np.integer],
    taps: int = 1,
    channels: int = 0,
    name: str = "pattern format",
) -> Lists:
    """Gather lists of a matrix for a design: the channels of each group, and the order of filters.

    An entry is an address, as an array that gathers reads it; :func:`bits` stores a list as a
    bitmap where that is smaller. Where K has no taps the layer before may put its filters in any
    order, and so the columns, but not where several groups share them.
    """
    array, has_zero = arch.array_as(PatternConfig), arch.numbers.has_zero
    masks, groups = plan(weight, array, channels, has_zero=has_zero, source=name)
    filters, kernels = masks.shape
    in_order = taps > 1 or len(groups.starts) > 2
    named = 0 if _is_own(groups.order, filters) else len(groups.order)
    of_groups = (
        lists_of(np.arange(filters), each, (filters, kernels), array.rows, in_order=in_order)
        for each in np.split(groups.channels, groups.starts[1:-1])
    )
    return sum(of_groups, Lists(filters=named, bits=named * index_width(filters)))


def full_library(array: PatternConfig, filters: int, channels: int) -> int:
    """Patterns of a layer whose kernels all keep four taps: the most that can differ."""
    return min(array.patterns, filters * channels) if channels else 1


def project(
    weight: NDArray[np.integer],
    array: PatternConfig,
    channels: int = 0,
    keep: float = 1.0,
    *,
    has_zero: bool = True,
) -> NDArray[np.integer]:
    """Nearest weights (Euclidean) with patterns of a library of the layer's most frequent.

    Each 3x3 kernel goes to its best of :data:`CANDIDATES`; the ``array.patterns`` that most kernels
    chose are the library; each kernel goes to its best in the library. Then the ``keep`` of all
    kernels that have the largest norm stay. A layer that is not 3x3 is returned as it is. Where the
    code ``has_zero`` not, kernels that are left with fewer than four weights go.
    """
    kernels = _kernels(weight, channels)
    if channels:
        kernels = _patterned(kernels, array.patterns, keep)
    if not has_zero:
        whole = np.full(kernels.shape[1], TAPS)
        if not channels and weight.shape[1] % TAPS:
            whole[-1] = weight.shape[1] % TAPS
        kernels *= (np.count_nonzero(kernels, axis=2) == whole)[..., None]
    if channels:
        kernels = kernels.swapaxes(1, 2)
    projected = kernels.reshape(len(weight), -1)[:, : weight.shape[1]]
    return projected.astype(weight.dtype)


def _patterned(kernels: Ints, patterns: int, keep: float) -> Ints:
    """Kernels ``(M, channels, 9)`` in their best pattern, the ``keep`` of largest norm."""
    energy = kernels.astype(np.float64) ** 2
    members = np.zeros((len(CANDIDATES), WINDOW))
    np.put_along_axis(members, CANDIDATES, 1.0, axis=1)
    best = (energy @ members.T).argmax(axis=2)[energy.any(axis=2)]
    votes = np.bincount(best, minlength=len(CANDIDATES))
    members = members[np.argsort(-votes, kind="stable")[:patterns]]
    scores = energy @ members.T
    kernels = kernels * members[scores.argmax(axis=2)].astype(np.int64)
    norms = scores.max(axis=2).ravel()
    removed = np.argsort(-norms, kind="stable")[round(keep * norms.size) :]
    kernels.reshape(-1, WINDOW)[removed] = 0
    return kernels


def _kernels(weight: NDArray[np.integer], channels: int) -> Ints:
    """Kernels ``(M, kernels, taps)``, a copy; short of four, the last block of K is padded."""
    if channels:
        kernels = weight.reshape(len(weight), WINDOW, channels).swapaxes(1, 2)
        return np.array(kernels, dtype=np.int64, order="C")
    padded = np.pad(weight.astype(np.int64), [(0, 0), (0, -weight.shape[1] % TAPS)])
    return padded.reshape(len(weight), -1, TAPS)


def library_of(masks: Ints, array: PatternConfig, channels: int, source: str) -> Ints:
    """Patterns ``(patterns, 4)`` that hold every kernel of :func:`plan`; most frequent first.

    Raises
    ------
    InputError
        There is no library of ``array.patterns``; names the first kernel that the most frequent
        patterns do not hold.
    """
    if not channels:
        return np.arange(TAPS, dtype=np.int64)[None]
    limit = array.patterns
    votes = np.bincount(masks.ravel(), minlength=1 << WINDOW)
    needed = [mask for mask in np.flatnonzero(votes).tolist() if mask]
    needed.sort(key=lambda mask: (-mask.bit_count(), -int(votes[mask]), mask))
    budget = [_SEARCH_LIMIT]
    cover = _cover(frozenset(needed), needed, votes, limit, budget)
    if cover is None:
        best = sorted(_MASKS, key=lambda mask: (-_held(mask, needed, votes), mask))[:limit]
        wrong = np.array([all(mask & ~taps for taps in best) for mask in range(1 << WINDOW)])
        wrong[0] = False
        rule = f"must fit a library of at most {limit} patterns"
        fits_none = wrong[masks] if wrong[masks].any() else masks != 0
        _refuse(fits_none, masks, source, rule)
        raise AssertionError("a library that does not exist has a kernel that it does not hold")
    cover = sorted(cover, key=lambda mask: (-_held(mask, needed, votes), mask)) or _MASKS[:1]
    return np.array([_taps(mask) for mask in cover], dtype=np.int64)


def _cover(
    missing: frozenset[int], order: list[int], votes: Ints, limit: int, budget: list[int]
) -> list[int] | None:
    """Patterns that hold every mask in ``missing``, depth first, the one that holds most first."""
    if not missing:
        return []
    budget[0] -= 1
    if limit == 0 or budget[0] < 0:
        return None
    hardest = next(mask for mask in order if mask in missing)
    tries = [taps for taps in _MASKS if not hardest & ~taps]
    for taps in sorted(tries, key=lambda taps: (-_held(taps, missing, votes), taps)):
        rest = frozenset(mask for mask in missing if mask & ~taps)
        cover = _cover(rest, order, votes, limit - 1, budget)
        if cover is not None:
            return [taps, *cover]
    return None


def _held(taps: int, masks: list[int] | frozenset[int], votes: Ints) -> int:
    """Kernels among ``masks`` that a pattern holds."""
    return sum(int(votes[mask]) for mask in masks if not mask & ~taps)


def _ids(library: Ints) -> Ints:
    """Pattern of each mask of taps: the first that holds it, -1 for none and for the empty mask."""
    masks = np.arange(1 << WINDOW)
    ids = np.full(1 << WINDOW, -1, dtype=np.int64)
    for position in reversed(range(len(library))):
        ids[masks & ~int((1 << library[position]).sum()) == 0] = position
    ids[0] = -1
    return ids


def _taps(mask: int) -> list[int]:
    return [tap for tap in range(WINDOW) if mask >> tap & 1]


def _refuse(wrong: NDArray[np.bool_], masks: Ints, source: str, rule: str) -> None:
    """Refuse the first kernel that is ``wrong``, if any."""
    if wrong.any():
        row, channel = (int(position) for position in np.argwhere(wrong)[0])
        taps = _taps(int(masks[row, channel]))
        raise InputError(source, f"filter {row}, channel {channel}: taps", taps, rule)


def nonzeros(arch: ArchConfig, shape: tuple[int, int], channels: int = 0) -> int:
    """Weights that the format keeps of a matrix without a zero: four of nine taps of a kernel."""
    return shape[0] * (channels * TAPS if channels else shape[1])


def project_for(
    arch: ArchConfig, weight: NDArray[np.integer], channels: int = 0
) -> NDArray[np.integer]:
    """Nearest weights that a design holds (:func:`project`)."""
    array = arch.array_as(PatternConfig)
    return project(weight, array, channels, has_zero=arch.numbers.has_zero)
