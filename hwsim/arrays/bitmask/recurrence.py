"""Recurrence over the chunks of activations: when each is in the buffers and when it is joined.

``docs/timing/bitmask.md`` derives it. A chunk costs the AND and the population count of two masks
for every filter, several dozen pixels at a time, and one pass over the PEs.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from hwsim.arrays.bitmask.masks import Words

__all__ = [
    "BROADCAST", "BUFFER", "DONE", "DRAIN", "EMPTY", "FAR", "FETCH", "FULL", "LAST", "MAC",
    "Shape", "recur", "recur_alike",
]  # fmt: skip

#: What the recurrence adds up, by index. LAST is the cycle of the last transfer of ``ofmap``.
BROADCAST, FULL, MAC, EMPTY, FETCH, BUFFER, DRAIN, DONE, LAST = range(9)

#: Cycles and indices that pass from group to group: of the last broadcast, of the end of the last
#: drain, of the origin; of the next slot of the buffers, of the next bank.
SENT, DRAINED, ORIGIN, SLOT, BANK = range(5)

#: Pixels that are joined together: enough for long vector loops, few enough for the cache.
BLOCK = 128

#: Filters that are joined with one load of the activations.
FILTERS = 4

#: Cycles are kept in 32 bits, less an origin that moves when they pass this.
FAR = 1 << 29


class Shape(NamedTuple):
    """Numbers of a design that the recurrence needs; ``far`` bounds cycles less the origin."""

    clusters: int
    window: int
    mask_beats: int
    depth: int
    banks: int
    far: int = FAR


def recur(act: Words, weight: Words, drain: int, shape: Shape) -> NDArray[np.int64]:
    """Run every group of pixels of a tile; cycle 0 is the first of the run.

    Parameters
    ----------
    act
        ``(chunks, words, pixels)``: whole groups.
    weight
        ``(chunks, local filters, words, PEs of a cluster)``.
    drain
        Beats of partial sums of a group.
    """
    return np.asarray(_recur(act, weight, drain, shape))


def recur_alike(
    act: Words, groups: int, weight: Words, drain: int, shape: Shape
) -> NDArray[np.int64]:
    """:func:`recur` of ``groups`` groups that are alike, but for the last.

    ``act`` has two groups: the first stands for all but the last group, the second is the last.
    """
    return np.asarray(_recur_alike(act, groups, weight, drain, shape))


def _emit_count_ones(typing_context, word):  # type: ignore[no-untyped-def]
    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


#: Population count of a 64-bit word; the compiler makes vector instructions of it.
_count_ones: Any = intrinsic(_emit_count_ones)


@njit(cache=True, nogil=True)
def _join(act, weight, missing, first, clusters, service, densest):  # type: ignore[no-untyped-def]
    """Join the chunks of a block of groups, from group ``first`` on, with all local filters.

    The last ``missing`` filters fill up a multiple of FILTERS and take no cycle. ``service`` is
    ``(groups, chunks, PEs * clusters)`` and gets the cycles of each PE of each cluster; ``densest``
    is ``(groups, chunks)`` and gets the non-zeros of the densest pixel. Returns pairs and cycles.
    """
    chunks, num_words, pixels = act.shape
    num_rows, pes = weight.shape[1], weight.shape[3]
    groups = min(len(service), pixels // clusters - first)
    # unsigned indices cannot count from the end: plain vector loads
    one, width = np.uint64(1), np.uint64(clusters)
    start, span = np.uint64(first) * width, np.uint64(groups) * width
    common, cycles = np.empty(span, dtype=np.uint64), np.empty(span, dtype=np.uint64)
    pairs, worked = np.uint64(0), np.uint64(0)
    for chunk in range(chunks):
        for pe in range(np.uint64(pes)):
            cycles[:] = -missing  # modulo 2**64
            for f in range(0, num_rows, FILTERS):
                if num_words == 1:
                    mask0, mask1 = weight[chunk, f, 0, pe], weight[chunk, f + 1, 0, pe]
                    mask2, mask3 = weight[chunk, f + 2, 0, pe], weight[chunk, f + 3, 0, pe]
                    for n in range(span):
                        word = act[chunk, 0, start + n]
                        common0, common1 = _count_ones(word & mask0), _count_ones(word & mask1)
                        common2, common3 = _count_ones(word & mask2), _count_ones(word & mask3)
                        pairs += common0 + common1 + common2 + common3
                        cycles[n] += max(common0, one) + max(common1, one)
                        cycles[n] += max(common2, one) + max(common3, one)
                    continue
                for i in range(FILTERS):
                    common[:] = 0
                    for w in range(np.uint64(num_words)):
                        mask = weight[chunk, f + i, w, pe]
                        for n in range(span):
                            common[n] += _count_ones(act[chunk, w, start + n] & mask)
                    for n in range(span):
                        pairs += common[n]
                        cycles[n] += max(common[n], one)
            for n in range(span):
                worked += cycles[n]
            for group in range(groups):
                pixel = np.uint64(group) * width
                for cluster in range(width):
                    service[group, chunk, pe * width + cluster] = cycles[pixel + cluster]
        common[:] = 0
        for w in range(np.uint64(num_words)):
            for n in range(span):
                common[n] += _count_ones(act[chunk, w, start + n])
        for group in range(groups):
            pixel, most = np.uint64(group) * width, np.uint64(0)
            for cluster in range(width):
                most = max(most, common[pixel + cluster])
            densest[group, chunk] = most
    return np.int64(pairs), np.int64(worked)


@njit(cache=True, nogil=True, forceinline=True)
def _pass(free, complete, drained, service, group, chunk):  # type: ignore[no-untyped-def]
    """Give a chunk to every PE: ``free`` moves to the last cycle of its last pair.

    ``complete`` is the cycle of its last beat. A PE joins its first masks two cycles later, when
    the chunk before is joined, and after ``drained``. Returns the latest of ``free``, and the
    cycles that PEs waited for the beat and for the bank. Inlined: a call counts the references to
    its arrays, in atomic instructions.
    """
    latest = np.int32(0)
    buffer = drain = np.int64(0)
    complete, ready, emptied = np.int32(complete), np.int32(complete + 2), np.int32(drained + 1)
    for p in range(len(free)):
        before = free[p]
        first = max(before, ready)
        start = max(first, emptied)
        buffer += max(np.int32(0), np.int32(complete - before))
        # the cycle of the load is a fetch, all others that find their masks wait for the bank
        drain += max(np.int32(0), np.int32(start - max(first, np.int32(before + 1))))
        after = np.int32(start + service[group, chunk, p])
        free[p] = after
        latest = max(latest, after)
    return latest, buffer, drain


@njit(cache=True, nogil=True)
def _run(  # type: ignore[no-untyped-def]
    service, densest, groups, drain, shape, state, free, room, freed, total
):
    """Run a block of groups, whose work :func:`_join` gave.

    ``free`` has the last cycle of each PE's last pair; ``room`` when each slot of the buffers has
    room again; ``freed`` the last cycle of the drain of each bank.
    """
    window, depth, banks, far = shape.window, shape.depth, shape.banks, shape.far
    mask_beats = shape.mask_beats
    broadcast, drained, slot, bank = state[SENT], state[DRAINED], state[SLOT], state[BANK]
    broadcasts = full = buffered = held = 0
    for group in range(groups):
        latest = 0
        for chunk in range(service.shape[1]):
            beats = mask_beats + -(-densest[group, chunk] // window)
            offered = broadcast + 1
            first = max(offered, room[slot])
            broadcast = first + beats - 1
            full += first - offered
            broadcasts += beats
            busy = freed[bank] if chunk == 0 else -far
            latest, buffer, waits = _pass(free, broadcast, busy, service, group, chunk)
            buffered += buffer
            held += waits
            room[slot] = latest + 1
            slot = slot + 1 if slot + 1 < depth else 0
            if broadcast > far:
                state[ORIGIN] += broadcast
                # [:] keeps the names bound: rebinding would count references in every chunk
                free[:] -= np.int32(broadcast)
                room[:] -= broadcast
                freed[:] -= broadcast
                latest -= broadcast
                drained -= broadcast
                broadcast = 0
        drained = max(latest + 5, drained) + drain
        freed[bank] = drained
        bank = bank + 1 if bank + 1 < banks else 0
    state[SENT], state[DRAINED], state[SLOT], state[BANK] = broadcast, drained, slot, bank
    total[BROADCAST] += broadcasts
    total[FULL] += full
    total[BUFFER] += buffered
    total[DRAIN] += held


@njit(cache=True, nogil=True)
def _begin(pes, shape):  # type: ignore[no-untyped-def]
    """State before the first group, and what is added up."""
    state = np.zeros(5, dtype=np.int64)
    state[DRAINED] = -shape.far
    free = np.full(pes, -1, dtype=np.int32)
    room = np.full(shape.depth, -shape.far, dtype=np.int64)
    freed = np.full(shape.banks, -shape.far, dtype=np.int64)
    return state, free, room, freed, np.zeros(9, dtype=np.int64)


@njit(cache=True, nogil=True)
def _end(pairs, worked, state, free, total):  # type: ignore[no-untyped-def]
    """Add up what follows from the state after the last group."""
    total[MAC], total[EMPTY] = pairs, worked - pairs
    # a cycle from 0 to its last pair in which a PE neither works nor waits is a fetch
    total[FETCH] = len(free) * (state[ORIGIN] + 1) - worked - total[BUFFER] - total[DRAIN]
    total[LAST] = state[ORIGIN] + state[DRAINED]
    for p in range(len(free)):
        total[FETCH] += free[p]
        total[DONE] += state[DRAINED] - free[p]


@njit(cache=True, nogil=True)
def _fill(weight):  # type: ignore[no-untyped-def]
    """Masks of a multiple of FILTERS filters; the last ones have no weight."""
    chunks, num_rows, num_words, pes = weight.shape
    filters = np.zeros((chunks, num_rows + -num_rows % FILTERS, num_words, pes), dtype=np.uint64)
    filters[:, :num_rows] = weight
    return filters


@njit(cache=True, nogil=True)
def _recur(act, weight, drain, shape):  # type: ignore[no-untyped-def]
    chunks, num_rows = act.shape[0], weight.shape[1]
    groups, pes = act.shape[2] // shape.clusters, weight.shape[3] * shape.clusters
    filters, missing = _fill(weight), -num_rows % FILTERS
    block = max(1, BLOCK // shape.clusters)
    service = np.empty((block, chunks, pes), dtype=np.int32)
    densest = np.empty((block, chunks), dtype=np.int64)
    state, free, room, freed, total = _begin(pes, shape)
    pairs = worked = 0
    for first in range(0, groups, block):
        joined, cycles = _join(act, filters, missing, first, shape.clusters, service, densest)
        pairs += joined
        worked += cycles
        count = min(block, groups - first)
        _run(service, densest, count, drain, shape, state, free, room, freed, total)
    _end(pairs, worked, state, free, total)
    return total


@njit(cache=True, nogil=True)
def _recur_alike(act, groups, weight, drain, shape):  # type: ignore[no-untyped-def]
    chunks, num_rows = act.shape[0], weight.shape[1]
    pes = weight.shape[3] * shape.clusters
    filters, missing = _fill(weight), -num_rows % FILTERS
    service = np.empty((2, chunks, pes), dtype=np.int32)
    densest = np.empty((2, chunks), dtype=np.int64)
    state, free, room, freed, total = _begin(pes, shape)
    pairs = worked = 0
    for line, times in ((0, groups - 1), (1, 1)):
        one, most = service[line : line + 1], densest[line : line + 1]
        joined, cycles = _join(act, filters, missing, line, shape.clusters, one, most)
        pairs += times * joined
        worked += times * cycles
        _repeat(one, most, times, drain, shape, state, free, room, freed, total)
    _end(pairs, worked, state, free, total)
    return total


@njit(cache=True, nogil=True)
def _repeat(  # type: ignore[no-untyped-def]
    service, densest, groups, drain, shape, state, free, room, freed, total
):
    """Run one group ``groups`` times.

    The future depends on the cycles of the state less that of the last broadcast. Once these are
    as after an earlier group, everything between the two repeats, and is multiplied. A state is
    remembered after 1, 2, 4, ... groups (Brent).
    """
    run, remembered = 0, 0
    before = _relative(state, free, room, freed)
    cycle, counts = state[ORIGIN] + state[SENT], total.copy()
    while run < groups:
        _run(service, densest, 1, drain, shape, state, free, room, freed, total)
        run += 1
        after = _relative(state, free, room, freed)
        if (after == before).all():
            times = (groups - run) // (run - remembered)
            total += times * (total - counts)
            state[ORIGIN] += times * (state[ORIGIN] + state[SENT] - cycle)
            run += times * (run - remembered)
            break
        if run == 2 * remembered or run == 1:
            before, remembered = after, run
            cycle, counts = state[ORIGIN] + state[SENT], total.copy()
    for _ in range(groups - run):
        _run(service, densest, 1, drain, shape, state, free, room, freed, total)


@njit(cache=True, nogil=True)
def _relative(state, free, room, freed):  # type: ignore[no-untyped-def]
    """State with its cycles less that of the last broadcast, but for the origin."""
    sent = state[SENT]
    waiting = np.array([state[DRAINED] - sent, state[SLOT], state[BANK]])
    return np.concatenate((waiting, free - sent, room - sent, freed - sent))
