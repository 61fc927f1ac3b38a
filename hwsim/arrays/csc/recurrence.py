"""Recurrence of the index-decoding array over its tokens (``docs/timing/csc.md`` derives it)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.formats.base import flags
from hwsim.workload.gemm import GEMM

__all__ = [
    "ACT", "BROADCAST", "COLUMN", "DONE", "DRAIN", "FAR", "FULL", "LAST", "NULL", "PADDING",
    "POINTER", "SCAN", "WORK", "Feed", "Positions", "recur",
]  # fmt: skip

#: What the recurrence adds up, by index.
BROADCAST, NULL, SCAN, FULL, WORK, PADDING, COLUMN, POINTER, DRAIN, DONE, LAST, ACT = range(12)

#: Groups whose positions are listed together: neighbours in a row of the activations.
BLOCK = 64

#: Cycles are kept in 32 bits, less an origin that moves when they pass this.
FAR = 1 << 29

NOWHERE = np.zeros(0, dtype=np.int64)


class Feed(NamedTuple):
    """How words of activations come, and partial sums are taken.

    By default words never wait, and a transfer of partial sums is taken in every cycle. In a
    machine a transposer makes blocks of ``words`` words out of ``fills`` words of its bank, no more
    than ``words`` (:class:`hwsim.rtl.machine.transpose.Transposer`), of which the first is offered
    in cycle ``first`` of the run. Where it must wait for an empty block, that is full again before
    the other one is empty: its waits delay nothing.
    """

    first: int = 0
    #: Words of a bank that make a block; 0: words never wait.
    fills: int = 0
    words: int = 1
    #: Cycles from one transfer of partial sums to the next.
    gap: int = 1


class Positions(NamedTuple):
    """Which activations are not zero.

    Either ``matrix`` holds flags ``(K, N)``; or flag (k, n) is ``flat[k_offset[k] + n_offset[n]]``
    of a padded ifmap, which a layer of 3x3 taps then holds once instead of nine times; or, where
    both are empty, every activation is not zero.
    """

    matrix: NDArray[np.int8] = np.zeros((0, 0), dtype=np.int8)
    flat: NDArray[np.int8] = np.zeros(0, dtype=np.int8)
    k_offset: NDArray[np.int64] = NOWHERE
    n_offset: NDArray[np.int64] = NOWHERE

    @classmethod
    def of(cls, gemm: GEMM) -> Positions:
        """Positions of a GEMM's activations."""
        if gemm.ifmap is not None and gemm.conv is not None:
            padded = gemm.conv.padded(flags(gemm.ifmap))
            return cls(cls().matrix, padded.reshape(-1), *gemm.conv.offsets())
        return cls() if gemm.matrix is None else cls(flags(gemm.matrix))


@njit(cache=True, nogil=True)
def _list(act, first, groups, lanes, positions, listed):  # type: ignore[no-untyped-def]
    """List the positions of ``groups`` groups from ``first`` on that are not zero in every lane."""
    matrix, flat, k_offset, n_offset = act
    listed[:] = 0
    for k in range(positions.shape[1] - 1):
        for g in range(groups):
            bits = np.int8(0)
            start = (first + g) * lanes
            # an unsigned index cannot count from the end: plain vector loads
            if matrix.size:
                for pixel in range(
                    np.uint64(start), np.uint64(min(start + lanes, matrix.shape[1]))
                ):
                    bits |= matrix[k, pixel]
            elif flat.size:
                for pixel in range(np.uint64(start), np.uint64(min(start + lanes, len(n_offset)))):
                    bits |= flat[np.uint64(k_offset[k] + n_offset[pixel])]
            else:
                bits = np.int8(1)
            positions[g, listed[g]] = k
            listed[g] += bits != 0


@njit(cache=True, nogil=True, forceinline=True)
def _pass(free, ready, service, k):  # type: ignore[no-untyped-def]
    """Pass a token of column ``k`` to every PE: ``free`` becomes the first cycle after it.

    Returns the latest of them, and the cycles in which PEs waited for the token's pointers, of the
    two that fetch and capture take. Inlined: a call counts the references to its arrays, in atomic
    instructions that cost more than the pass.
    """
    latest = np.int32(0)
    waited = np.int32(0)
    for p in range(len(free)):
        before = free[p]
        waited += min(max(ready - before, np.int32(0)), np.int32(2))
        after = np.int32(max(before, ready) + service[k, p])
        free[p] = after
        latest = max(latest, after)
    return latest, waited


@njit(cache=True, nogil=True)
def _wait_for_bank(free, ready, drained, total):  # type: ignore[no-untyped-def]
    """Hold every PE at the first token of a group until the cycle after ``drained``."""
    for p in range(len(free)):
        start = max(free[p], ready)
        if drained >= start:
            total[POINTER] += min(max(ready - free[p], 0), 2)
            total[DRAIN] += drained + 1 - start
            free[p] = drained + 1


@njit(cache=True, nogil=True)
def _compare(  # type: ignore[no-untyped-def]
    state, keeps, free, room, slot, broadcast, drained, drained_q, latest_q
):
    """Compare what the next groups depend on, relative to the last broadcast, to ``state``.

    Returns whether it is the same; ``keeps`` puts it into ``state``.
    """
    pes, depth = len(free), len(room)
    is_same = True
    for i in range(pes + depth + 3):
        if i < pes:
            cycle = np.int64(free[i])
        elif i < pes + depth:
            cycle = room[(slot + i - pes) % depth]
        else:
            cycle = (drained, drained_q, latest_q)[i - pes - depth]
        is_same &= state[i] == cycle - broadcast
        if keeps:
            state[i] = cycle - broadcast
    return is_same


@njit(cache=True, nogil=True)
def _repeat(is_same, keeps, mark, total, group, groups_left, cycle):  # type: ignore[no-untyped-def]
    """Repeat the groups since ``mark``, where the state is the same, as often as groups are left.

    Returns how many groups that is, and their cycles. ``mark`` is a group, its cycle and the sums
    before it; ``keeps`` puts the current ones there.
    """
    times = 0
    period = group - mark[0]
    if is_same and mark[0] > 0:
        times = groups_left // period
    cycles = times * (cycle - mark[1])
    for i in range(len(total)):
        total[i] += times * (total[i] - mark[2 + i])
        if keeps:
            mark[2 + i] = total[i]
    if keeps:
        mark[0], mark[1] = group, cycle
    return times * period, cycles


@njit(cache=True, nogil=True)
def recur(  # type: ignore[no-untyped-def]
    act,
    service,
    work,
    padding,
    empty,
    word_of,
    pixels,
    lanes,
    drain_lanes,
    fifo_depth,
    rows,
    far,
    feed,
):
    """Run every group. Cycle 0 is the first of the run; ``far`` bounds cycles less the origin.

    ``act`` is :class:`Positions`, ``feed`` is :class:`Feed`. The last row of ``service`` is a
    null token's. Sums of a group are kept in scalars, rows are addressed rather than sliced: a
    token costs a few dozen instructions, and those would double it.

    Where all activations are non-zero, all groups have the same tokens: once the state at the
    beginning of a group is that of a group before it, what happened in between happens again and
    again, up to the last group.
    """
    num_cols, pes = len(work), service.shape[1]
    num_groups, last_word = -(-pixels // lanes), word_of[-1]
    total = np.zeros(12, dtype=np.int64)
    positions = np.empty((BLOCK, num_cols + 1), dtype=np.int32)
    listed = np.empty(BLOCK, dtype=np.int64)

    first, fills, words_of_block, gap = feed
    # when the block whose words come next is full, and its words that are left
    arrival, words_left = first + fills, words_of_block

    free = np.zeros(pes, dtype=np.int32)  # first cycle in which a PE's issue stage is free
    latest, latest_q = 0, 0  # the largest of free, and of free one token before
    room = np.full(fifo_depth, -far, dtype=np.int64)  # when the token fifo_depth ago left room
    slot = 0
    broadcast = 0  # cycle of the last broadcast
    drained, drained_q = -far, -far  # last cycles of the drains of the two groups before
    origin = 0
    are_alike = act[0].size == 0 and act[1].size == 0 and fills == 0
    state, mark = np.zeros(pes + fifo_depth + 3, dtype=np.int64), np.zeros(14, dtype=np.int64)
    group = 0
    while group < num_groups:
        if are_alike and group > 0:
            keeps = group >= 2 * mark[0]
            is_same = _compare(
                state, keeps, free, room, slot, broadcast, drained, drained_q, latest_q
            )
            left, cycle = num_groups - 1 - group, origin + broadcast
            skipped, cycles = _repeat(is_same, keeps, mark, total, group, left, cycle)
            group, origin, are_alike = group + skipped, origin + cycles, skipped == 0
        block = group % BLOCK
        if block == 0:
            _list(act, group, min(BLOCK, num_groups - group), lanes, positions, listed)
        tokens = listed[block]
        ends_null = tokens == 0 or word_of[positions[block, tokens - 1]] != last_word
        positions[block, tokens] = num_cols  # the null token
        word = -1
        scanned = full = worked = padded = columns = pointers = starved = 0
        for token in range(tokens + ends_null):
            k = positions[block, token]
            next_word = word_of[k] if k < num_cols else last_word
            scans = max(0, next_word - word - 1)
            offered = broadcast + 1 + scans
            if fills and next_word > word:
                offered = broadcast
                for _ in range(word, next_word):
                    taken = max(offered, arrival)
                    starved += taken - offered
                    offered = taken + 1
                    words_left -= 1
                    if words_left == 0:
                        words_left = words_of_block
                        arrival += fills
            word = next_word
            broadcast = max(offered, room[slot])
            full += broadcast - offered
            room[slot] = max(broadcast + 2, latest_q)
            slot = slot + 1 if slot + 1 < fifo_depth else 0

            ready = np.int32(broadcast + 3)
            if token == 0:
                _wait_for_bank(free, ready, drained_q, total)
            latest_q = latest
            latest, waited = _pass(free, ready, service, k)
            pointers += waited
            scanned += scans
            if k < num_cols:
                worked += work[k]
                padded += padding[k]
                columns += empty[k]
            if broadcast > far:
                origin += broadcast
                # [:] keeps the names bound: rebinding would count references in every token
                free[:] -= np.int32(broadcast)
                room[:] -= broadcast
                latest -= broadcast
                latest_q -= broadcast
                drained -= broadcast
                drained_q -= broadcast
                arrival -= broadcast
                broadcast = 0
        total[BROADCAST] += tokens
        total[NULL] += ends_null
        total[SCAN] += scanned
        total[FULL] += full
        total[WORK] += worked
        total[PADDING] += padded
        total[COLUMN] += columns
        total[POINTER] += pointers
        total[ACT] += starved
        used = min(lanes, pixels - group * lanes)
        transfers = rows * -(-used // drain_lanes)
        drained_q, drained = drained, max(latest + 5 - gap, drained) + transfers * gap
        group += 1
    total[LAST] = origin + drained
    for p in range(pes):
        total[DONE] += drained - 1 - free[p]
    return total
