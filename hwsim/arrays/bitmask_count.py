"""Fast exact form of the bitmask array's cycles, for streams that never pause.

With no pauses the array's clocks follow from a recurrence over the chunks of activations: when
each is complete in the buffers, and when each PE is through with it (``docs/timing/bitmask.md``
derives it). A chunk costs the AND and the population count of two masks for every filter.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from hwsim.arrays.base import GEMM, Counts
from hwsim.arrays.bitmask_compile import Tile, config, operands, tiles
from hwsim.arrays.csc_entries import flags
from hwsim.config import ArchConfig
from hwsim.config.causes import causes

__all__ = ["count"]

Words = NDArray[np.uint64]

#: What the recurrence adds up, by place.
BROADCAST, FULL, MAC, EMPTY, FETCH, BUFFER, DRAIN, DONE, LAST = range(9)

#: Clocks are kept in 32 bits, less an origin that moves when they pass this.
FAR = 1 << 29


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Cycles and causes of a GEMM with no pauses; equal to ``simulate`` of the compiled job.

    ``load`` of ``control`` is what resident weights would save. ``mac`` of ``pe`` is the useful
    products; their P-th part is the time with perfect balance and no empty chunks.

    Raises
    ------
    InputError
        As :func:`~hwsim.arrays.bitmask_compile.compile`.
    """
    array = config(arch)
    weight, act = operands(arch, gemm)
    masks = _masks(act, array.chunk, -gemm.N % array.clusters)
    by_filter = _masks(weight.T, array.chunk, 0)
    return reduce(
        add,
        (_count_tile(arch, tile, by_filter, masks) for tile in tiles(arch, weight, gemm.name)),
    )


def _count_tile(arch: ArchConfig, tile: Tile, weight: Words, act: Words) -> Counts:
    array = config(arch)
    chunks = len(act)
    # one more filter, without weights, for the PEs that have fewer than others
    padded = np.concatenate((weight, np.zeros_like(weight[:, :, :1])), axis=2)
    local = np.ascontiguousarray(padded[:, :, tile.filters].transpose(0, 2, 1, 3))
    total = _recur(
        act, local, array.clusters, array.window, array.buffer_depth, array.acc_banks, FAR
    )
    beats = tile.weight_beats(array, chunks)
    # a clock for the command, the beats, then the clocks of the run up to LAST
    cycles = beats + 2 + int(total[LAST])
    control = dict.fromkeys(causes(arch)["control"], 0) | {
        "idle": 1,
        "load": beats,
        "broadcast": int(total[BROADCAST]),
        "full": int(total[FULL]),
        "act": 1,
    }
    control["drain"] = cycles - sum(control.values())
    pe = dict.fromkeys(causes(arch)["pe"], 0) | {
        "idle": array.pes * (beats + 1),
        "mac": int(total[MAC]),
        "empty": int(total[EMPTY]),
        "fetch": int(total[FETCH]),
        "buffer": int(total[BUFFER]),
        "drain": int(total[DRAIN]),
        "done": int(total[DONE]),
    }
    return Counts(cycles, {"control": control, "pe": pe})


def _masks(values: NDArray[np.integer], chunk: int, missing: int) -> Words:
    """Masks of the columns of ``(K, N)``: ``(chunks, words, N + missing)``, zeros at the end."""
    num_rows, num_cols = values.shape
    width = min(chunk, 64)
    words = np.zeros((-(-num_rows // chunk) * (chunk // width), num_cols + missing), np.uint64)
    _set_bits(flags(values), width, words)
    return words.reshape(-1, chunk // width, num_cols + missing)


@njit(cache=True, nogil=True)
def _set_bits(values, width, words):  # type: ignore[no-untyped-def]
    for k in range(values.shape[0]):
        row = values[k]
        line = words[k // width]
        bit = np.uint64(1) << np.uint64(k % width)
        for n in range(len(row)):
            line[n] |= bit if row[n] != 0 else np.uint64(0)


def _emit_count_ones(typing_context, word):  # type: ignore[no-untyped-def]
    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


#: Population count of a 64-bit word; the compiler makes vector instructions of it.
_count_ones: Any = intrinsic(_emit_count_ones)


@njit(cache=True, nogil=True)
def _join(weight, act, pairs, service, empty):  # type: ignore[no-untyped-def]
    """Join a chunk of all local filters with one of activations, for the PEs of one cluster.

    ``weight`` is ``(rows, words, PEs)``, ``act`` is ``(words,)``. ``service`` gets the clocks of
    each PE; pairs and empty steps are added up.
    """
    num_rows, num_words, pes = weight.shape
    service[:] = 0
    for f in range(num_rows):
        line, word = weight[f, 0], act[0]
        for p in range(pes):
            pairs[p] = np.int32(_count_ones(line[p] & word))
        for w in range(1, num_words):
            line, word = weight[f, w], act[w]
            for p in range(pes):
                pairs[p] += np.int32(_count_ones(line[p] & word))
        for p in range(pes):
            is_empty = np.int32(pairs[p] == 0)
            empty[p] += is_empty
            service[p] += pairs[p] + is_empty


@njit(cache=True, nogil=True)
def _pass(free, complete, drained, service, waited):  # type: ignore[no-untyped-def]
    """Give a chunk to every PE: ``free`` moves to the last clock of its last pair.

    ``complete`` is the clock of its last beat. A PE loads its first masks two clocks later, when it
    is through with the chunk before, and after ``drained``; what it waited for is added to
    ``waited``. Returns the latest of ``free``.
    """
    latest = np.int32(0)
    ready = np.int32(complete + 2)
    for p in range(len(free)):
        before = free[p]
        first = max(before, ready)
        start = max(first, np.int32(drained + 1))
        buffer = max(np.int32(0), np.int32(complete) - before)
        waited[0, p] += buffer
        # the clock of the load is a fetch, all others that find their masks wait for the bank
        drain = max(np.int32(0), start - max(first, np.int32(before + 1)))
        waited[1, p] += drain
        waited[2, p] += start - before - buffer - drain
        after = np.int32(start + service[p])
        free[p] = after
        latest = max(latest, after)
    return latest


@njit(cache=True, nogil=True)
def _recur(act, weight, clusters, window, depth, banks, far):  # type: ignore[no-untyped-def]
    """Run every group. Clock 0 is the first of the run; ``far`` bounds clocks less the origin."""
    chunks, num_words, pixels = act.shape
    num_rows, pes = weight.shape[1], weight.shape[3]
    total = np.zeros(9, dtype=np.int64)
    service = np.zeros((clusters, pes), dtype=np.int32)
    pairs = np.zeros(pes, dtype=np.int32)
    empty = np.zeros(pes, dtype=np.int64)
    waited = np.zeros((3, clusters * pes), dtype=np.int64)
    word = np.zeros(num_words, dtype=np.uint64)

    free = np.full(clusters * pes, -1, dtype=np.int32)  # last clock of a PE's last pair
    room = np.full(depth, -far, dtype=np.int64)  # when the chunk depth ago has left room
    place = 0
    broadcast = 0  # clock of the last broadcast
    drained = -far  # last clock of the drain of the group before
    freed = np.full(banks, -far, dtype=np.int64)  # last clock of the drain of a bank's group
    origin = 0
    for group in range(pixels // clusters):
        for chunk in range(chunks):
            most = np.int64(0)
            for cluster in range(clusters):
                found = np.int64(0)
                for w in range(num_words):
                    word[w] = act[chunk, w, group * clusters + cluster]
                    found += np.int64(_count_ones(word[w]))
                most = max(most, found)
                _join(weight[chunk], word, pairs, service[cluster], empty)
            beats = max(1, -(-most // window))
            offered = broadcast + 1
            first = max(offered, room[place])
            broadcast = first + beats - 1
            total[FULL] += first - offered
            total[BROADCAST] += beats
            busy = freed[group % banks] if chunk == 0 else -far
            latest = _pass(free, broadcast, busy, service.reshape(-1), waited)
            total[MAC] += service.sum()
            room[place] = latest + 3
            place = place + 1 if place + 1 < depth else 0
            if broadcast > far:
                origin += broadcast
                free -= np.int32(broadcast)
                room -= broadcast
                latest -= broadcast
                drained -= broadcast
                freed -= broadcast
                broadcast = 0
        drained = max(latest + 6, drained) + num_rows
        freed[group % banks] = drained
    total[EMPTY] = empty.sum()
    total[MAC] -= total[EMPTY]
    total[BUFFER], total[DRAIN], total[FETCH] = waited[0].sum(), waited[1].sum(), waited[2].sum()
    total[LAST] = origin + drained
    for p in range(len(free)):
        total[DONE] += drained - free[p]
    return total
