"""Fast exact form of the bitmask array's cycles, for streams that never pause.

With no pauses the array's clocks follow from a recurrence over the chunks of activations: when
each is complete in the buffers, and when each PE is through with it (``docs/timing/bitmask.md``
derives it). A chunk costs the AND and the population count of two masks for every filter, several
dozen pixels at a time.
"""

from __future__ import annotations

from functools import reduce
from operator import add
from typing import Any

import numpy as np
from numba import njit, types
from numba.extending import intrinsic
from numpy.typing import NDArray

from hwsim.arrays.bitmask.compile import Tile, operands, tiles
from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.formats.base import flags
from hwsim.workload.gemm import GEMM

__all__ = ["count"]

Words = NDArray[np.uint64]

#: What the recurrence adds up, by place.
BROADCAST, FULL, MAC, EMPTY, FETCH, BUFFER, DRAIN, DONE, LAST = range(9)

#: Pixels that are joined together: enough for long vector loops, few enough for the cache.
BLOCK = 128

#: Filters that are joined with one load of the activations.
FILTERS = 4

#: Clocks are kept in 32 bits, less an origin that moves when they pass this.
FAR = 1 << 29


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Cycles and causes of a GEMM with no pauses; equal to ``simulate`` of the compiled job.

    ``load`` of ``control`` is what resident weights would save. ``mac`` of ``pe`` is the useful
    products; their P-th part is the time with perfect balance and no empty chunks.

    Raises
    ------
    InputError
        As :func:`~hwsim.arrays.bitmask.compile.compile`.
    """
    array = arch.array_as(BitmaskConfig)
    weight, act = operands(arch, gemm)
    masks = _masks(act, array.chunk, -gemm.N % array.clusters)
    by_filter = _filter_masks(weight, array.chunk)
    return reduce(
        add,
        (_count_tile(arch, tile, by_filter, masks) for tile in tiles(arch, weight, gemm.name)),
    )


def _count_tile(arch: ArchConfig, tile: Tile, weight: Words, act: Words) -> Counts:
    array = arch.array_as(BitmaskConfig)
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
    control = dict.fromkeys(arch.array.cause_names["control"], 0) | {
        "idle": 1,
        "load": beats,
        "broadcast": int(total[BROADCAST]),
        "full": int(total[FULL]),
        "act": 1,
    }
    control["drain"] = cycles - sum(control.values())
    pe = dict.fromkeys(arch.array.cause_names["pe"], 0) | {
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
    num_rows, num_cols = values.shape
    whole = num_rows // 8 * 8
    # eight rows a pass over the words; unsigned indices cannot count from the end
    for k in range(0, whole, 8):
        line, row, place = k // width, np.uint64(k), np.uint64(k % width)
        for n in range(np.uint64(num_cols)):
            bits = np.uint64(0)
            for i in range(8):
                bits |= np.uint64(values[row + np.uint64(i), n] != 0) << np.uint64(i)
            words[line, n] |= bits << place
    for k in range(whole, num_rows):
        for n in range(num_cols):
            words[k // width, n] |= np.uint64(values[k, n] != 0) << np.uint64(k % width)


def _filter_masks(weight: NDArray[np.integer], chunk: int) -> Words:
    """Masks of the rows of ``(M, K)``: ``(chunks, words, M)``, zeros at the end."""
    num_rows, num_cols = weight.shape
    width = min(chunk, 64) // 8
    packed = np.packbits(flags(weight), axis=1, bitorder="little")
    missing = -(-num_cols // chunk) * (chunk // 8) - packed.shape[1]
    by_word = np.pad(packed, ((0, 0), (0, missing))).reshape(-1, width)
    words = np.pad(by_word, ((0, 0), (0, 8 - width))).view("<u8")
    return words.reshape(num_rows, -1, chunk // 8 // width).transpose(1, 2, 0)


def _emit_count_ones(typing_context, word):  # type: ignore[no-untyped-def]
    def codegen(context, builder, signature, args):  # type: ignore[no-untyped-def]
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), codegen


#: Population count of a 64-bit word; the compiler makes vector instructions of it.
_count_ones: Any = intrinsic(_emit_count_ones)


@njit(cache=True, nogil=True)
def _join(act, weight, missing, first, clusters, service, densest):  # type: ignore[no-untyped-def]
    """Join the chunks of a block of groups, from group ``first`` on, with all local filters.

    The last ``missing`` filters fill up a multiple of FILTERS and take no clock. ``service`` is
    ``(groups, chunks, PEs * clusters)`` and gets the clocks of each PE of each cluster; ``densest``
    is ``(groups, chunks)`` and gets the non-zeros of the densest pixel. Returns pairs and clocks.
    """
    chunks, num_words, pixels = act.shape
    num_rows, pes = weight.shape[1], weight.shape[3]
    groups = min(len(service), pixels // clusters - first)
    # unsigned indices cannot count from the end: plain vector loads
    one, width = np.uint64(1), np.uint64(clusters)
    start, span = np.uint64(first) * width, np.uint64(groups) * width
    found, clocks = np.empty(span, dtype=np.uint64), np.empty(span, dtype=np.uint64)
    pairs, worked = np.uint64(0), np.uint64(0)
    for chunk in range(chunks):
        for pe in range(np.uint64(pes)):
            clocks[:] = -missing  # modulo 2**64
            for f in range(0, num_rows, FILTERS):
                if num_words == 1:
                    mask0, mask1 = weight[chunk, f, 0, pe], weight[chunk, f + 1, 0, pe]
                    mask2, mask3 = weight[chunk, f + 2, 0, pe], weight[chunk, f + 3, 0, pe]
                    for n in range(span):
                        word = act[chunk, 0, start + n]
                        found0, found1 = _count_ones(word & mask0), _count_ones(word & mask1)
                        found2, found3 = _count_ones(word & mask2), _count_ones(word & mask3)
                        pairs += found0 + found1 + found2 + found3
                        clocks[n] += max(found0, one) + max(found1, one)
                        clocks[n] += max(found2, one) + max(found3, one)
                    continue
                for i in range(FILTERS):
                    found[:] = 0
                    for w in range(np.uint64(num_words)):
                        mask = weight[chunk, f + i, w, pe]
                        for n in range(span):
                            found[n] += _count_ones(act[chunk, w, start + n] & mask)
                    for n in range(span):
                        pairs += found[n]
                        clocks[n] += max(found[n], one)
            for n in range(span):
                worked += clocks[n]
            for group in range(groups):
                place = np.uint64(group) * width
                for cluster in range(width):
                    service[group, chunk, pe * width + cluster] = clocks[place + cluster]
        found[:] = 0
        for w in range(np.uint64(num_words)):
            for n in range(span):
                found[n] += _count_ones(act[chunk, w, start + n])
        for group in range(groups):
            place, most = np.uint64(group) * width, np.uint64(0)
            for cluster in range(width):
                most = max(most, found[place + cluster])
            densest[group, chunk] = most
    return np.int64(pairs), np.int64(worked)


@njit(cache=True, nogil=True, forceinline=True)
def _pass(free, complete, drained, service, group, chunk):  # type: ignore[no-untyped-def]
    """Give a chunk to every PE: ``free`` moves to the last clock of its last pair.

    ``complete`` is the clock of its last beat. A PE loads its first masks two clocks later, when it
    is through with the chunk before, and after ``drained``. Returns the latest of ``free``, and the
    clocks that PEs waited for the beat and for the bank. Inlined: a call counts the references to
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
        # the clock of the load is a fetch, all others that find their masks wait for the bank
        drain += max(np.int32(0), np.int32(start - max(first, np.int32(before + 1))))
        after = np.int32(start + service[group, chunk, p])
        free[p] = after
        latest = max(latest, after)
    return latest, buffer, drain


@njit(cache=True, nogil=True)
def _recur(act, weight, clusters, window, depth, banks, far):  # type: ignore[no-untyped-def]
    """Run every group. Clock 0 is the first of the run; ``far`` bounds clocks less the origin."""
    chunks, num_words, pixels = act.shape
    num_rows, cluster_pes = weight.shape[1], weight.shape[3]
    pes = cluster_pes * clusters
    total = np.zeros(9, dtype=np.int64)
    missing = -num_rows % FILTERS
    filters = np.zeros((chunks, num_rows + missing, num_words, cluster_pes), dtype=np.uint64)
    filters[:, :num_rows] = weight
    block = max(1, BLOCK // clusters)
    service = np.empty((block, chunks, pes), dtype=np.int32)
    densest = np.empty((block, chunks), dtype=np.int64)
    broadcasts = full = pairs = worked = buffered = held = 0

    free = np.full(pes, -1, dtype=np.int32)  # last clock of a PE's last pair
    room = np.full(depth, -far, dtype=np.int64)  # when the chunk depth ago has left room
    place = 0
    broadcast = 0  # clock of the last broadcast
    latest = 0  # the largest of free
    drained = -far  # last clock of the drain of the group before
    freed = np.full(banks, -far, dtype=np.int64)  # last clock of the drain of a bank's group
    origin = 0
    for group in range(pixels // clusters):
        line = group % block
        if line == 0:
            found, clocks = _join(act, filters, missing, group, clusters, service, densest)
            pairs += found
            worked += clocks
        for chunk in range(chunks):
            beats = max(1, -(-densest[line, chunk] // window))
            offered = broadcast + 1
            first = max(offered, room[place])
            broadcast = first + beats - 1
            full += first - offered
            broadcasts += beats
            busy = freed[group % banks] if chunk == 0 else -far
            latest, buffer, drain = _pass(free, broadcast, busy, service, line, chunk)
            buffered += buffer
            held += drain
            room[place] = latest + 3
            place = place + 1 if place + 1 < depth else 0
            if broadcast > far:
                origin += broadcast
                # [:] keeps the names bound: rebinding would count references in every chunk
                free[:] -= np.int32(broadcast)
                room[:] -= broadcast
                freed[:] -= broadcast
                latest -= broadcast
                drained -= broadcast
                broadcast = 0
        drained = max(latest + 6, drained) + num_rows
        freed[group % banks] = drained
    total[BROADCAST], total[FULL] = broadcasts, full
    total[MAC], total[EMPTY] = pairs, worked - pairs
    total[BUFFER], total[DRAIN] = buffered, held
    # what a PE neither works nor waits from clock 0 to its last pair, it fetches
    total[FETCH] = pes * (origin + 1) - worked - buffered - held
    total[LAST] = origin + drained
    for p in range(pes):
        total[FETCH] += free[p]
        total[DONE] += drained - free[p]
    return total
