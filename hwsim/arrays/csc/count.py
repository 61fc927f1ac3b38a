"""Fast exact form of the index-decoding array's cycles, for streams that never pause.

With no pauses the array's clocks follow from a recurrence over the broadcast tokens: when each is
broadcast, and when each PE is through with its column (``docs/timing/csc.md`` derives it). A token
costs a few vector instructions over the PEs, so a layer costs its non-zero positions times P,
however long the array itself takes.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.arrays.counts import Counts
from hwsim.arrays.csc.compile import Tile, operands, tiles
from hwsim.arrays.csc.entries import flags
from hwsim.config import ArchConfig, CSCConfig
from hwsim.workload.gemm import GEMM

__all__ = ["count"]

#: What the recurrence adds up, by place.
BROADCAST, SCAN, FULL, WORK, PADDING, COLUMN, POINTER, DRAIN, DONE, LAST = range(10)

#: Groups whose positions are found together: neighbours in a row of the activations.
BLOCK = 64

#: Clocks are kept in 32 bits, less an origin that moves when they pass this.
FAR = 1 << 29


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Cycles and causes of a GEMM with no pauses; equal to ``simulate`` of the compiled job.

    ``load`` of ``control`` is what resident weights would save. ``mac`` plus ``padding`` of ``pe``
    is the entries touched; their P-th part is the time with perfect balance.

    Raises
    ------
    InputError
        As :func:`~hwsim.arrays.csc.compile.compile`.
    """
    weight, act = operands(arch, gemm)
    is_nonzero = flags(act)
    return reduce(
        add, (_count_tile(arch, tile, is_nonzero) for tile in tiles(arch, weight, gemm.name))
    )


def _count_tile(arch: ArchConfig, tile: Tile, act: NDArray[np.int8]) -> Counts:
    array = arch.array_as(CSCConfig)
    total = _recur(
        act,
        _service(tile),
        tile.entries.sum(axis=0, dtype=np.int64),
        tile.padding,
        np.count_nonzero(tile.entries == 0, axis=0),
        np.arange(len(act)) // array.window,
        array.lanes,
        array.drain_lanes,
        array.fifo_depth,
        tile.rows(array.pes),
        FAR,
    )
    beats = tile.weight_beats(array)
    # a clock for the command, the beats, a clock for the first word, then the clocks up to LAST
    cycles = beats + 2 + int(total[LAST])
    control = dict.fromkeys(arch.array.cause_names["control"], 0) | {
        "idle": 1,
        "load": beats,
        "broadcast": int(total[BROADCAST]),
        "scan": int(total[SCAN]),
        "full": int(total[FULL]),
        "act": 1,
    }
    control["drain"] = cycles - sum(control.values())
    pe = dict.fromkeys(arch.array.cause_names["pe"], 0) | {
        "idle": array.pes * (beats + 2),
        "mac": int(total[WORK] - total[PADDING]),
        "padding": int(total[PADDING]),
        "column": int(total[COLUMN]),
        "pointer": int(total[POINTER]),
        "drain": int(total[DRAIN]),
        "done": int(total[DONE]),
    }
    pe["empty"] = array.pes * cycles - sum(pe.values())
    return Counts(cycles, {"control": control, "pe": pe})


def _service(tile: Tile) -> NDArray[np.unsignedinteger]:
    """Clocks of every column on every PE, ``(K + 1, P)``; the last row is a null token's."""
    num_pes, num_cols = tile.entries.shape
    service = np.ones((num_cols + 1, num_pes), dtype=tile.entries.dtype)
    np.maximum(tile.entries.T, 1, out=service[:num_cols])
    return service


@njit(cache=True, nogil=True)
def _find(act, first, groups, lanes, positions, found):  # type: ignore[no-untyped-def]
    """List the positions of ``groups`` groups from ``first`` on that are not zero in every lane."""
    found[:] = 0
    for k in range(act.shape[0]):
        for g in range(groups):
            start = (first + g) * lanes
            stop = min(start + lanes, act.shape[1])
            bits = np.int8(0)
            # an unsigned index cannot count from the end: plain vector loads
            for pixel in range(np.uint64(start), np.uint64(stop)):
                bits |= act[k, pixel]
            positions[g, found[g]] = k
            found[g] += bits != 0


@njit(cache=True, nogil=True, forceinline=True)
def _pass(free, ready, service, k):  # type: ignore[no-untyped-def]
    """Give a token of column ``k`` to every PE: ``free`` moves to when each is through with it.

    Returns the latest of them, and how many PEs had nothing to do just before it. Inlined: a call
    counts the references to its arrays, in atomic instructions that cost more than the pass.
    """
    latest = np.int32(0)
    waited = np.int32(0)
    for p in range(len(free)):
        before = free[p]
        waited += np.int32(before < ready)
        after = np.int32(max(before, ready) + service[k, p])
        free[p] = after
        latest = max(latest, after)
    return latest, waited


@njit(cache=True, nogil=True)
def _wait_for_bank(free, ready, drained, total):  # type: ignore[no-untyped-def]
    """Hold every PE at the first token of a group until the clock after ``drained``."""
    for p in range(len(free)):
        start = max(free[p], ready)
        if drained >= start:
            total[POINTER] += free[p] < ready
            total[DRAIN] += drained + 1 - start
            free[p] = drained + 1


@njit(cache=True, nogil=True)
def _recur(  # type: ignore[no-untyped-def]
    act, service, work, padding, empty, word_of, lanes, drain_lanes, fifo_depth, rows, far
):
    """Run every group. Clock 0 is the first of the run; ``far`` bounds clocks less the origin.

    The last row of ``service`` is a null token's. Sums are kept in scalars, rows are addressed
    rather than sliced: a token costs a few dozen instructions, and those would double it.
    """
    num_cols, pixels = act.shape
    pes = service.shape[1]
    num_groups, last_word = -(-pixels // lanes), word_of[-1]
    total = np.zeros(10, dtype=np.int64)
    positions = np.empty((BLOCK, num_cols + 1), dtype=np.int32)
    found = np.empty(BLOCK, dtype=np.int64)
    broadcasts = scanned = full = worked = padded = columns = pointers = 0

    free = np.zeros(pes, dtype=np.int32)  # first clock in which a PE's issue stage is free
    latest = 0  # the largest of free
    room = np.full(fifo_depth, -far, dtype=np.int64)  # when the token fifo_depth ago left room
    place = 0
    broadcast = 0  # clock of the last broadcast
    drained, drained_q = -far, -far  # last clocks of the drains of the two groups before
    origin = 0
    for group in range(num_groups):
        block = group % BLOCK
        if block == 0:
            _find(act, group, min(BLOCK, num_groups - group), lanes, positions, found)
        tokens = found[block]
        ends_null = tokens == 0 or word_of[positions[block, tokens - 1]] != last_word
        positions[block, tokens] = num_cols  # the null token
        word = -1
        for token in range(tokens + ends_null):
            k = positions[block, token]
            next_word = word_of[k] if k < num_cols else last_word
            scans = max(0, next_word - word - 1)
            word = next_word
            offered = broadcast + 1 + scans
            broadcast = max(offered, room[place])
            full += broadcast - offered
            room[place] = max(broadcast + 2, latest)
            place = place + 1 if place + 1 < fifo_depth else 0

            ready = np.int32(broadcast + 2)
            if token == 0:
                _wait_for_bank(free, ready, drained_q, total)
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
                drained -= broadcast
                drained_q -= broadcast
                broadcast = 0
        broadcasts += tokens
        scanned += ends_null
        columns += pes * ends_null
        used = min(lanes, pixels - group * lanes)
        drained_q, drained = drained, max(latest + 3, drained) + rows * -(-used // drain_lanes)
    total[BROADCAST], total[SCAN], total[FULL] = broadcasts, scanned, full
    total[WORK], total[PADDING], total[COLUMN] = worked, padded, columns
    total[POINTER] += pointers
    total[LAST] = origin + drained
    for p in range(pes):
        total[DONE] += drained - free[p]
    return total
