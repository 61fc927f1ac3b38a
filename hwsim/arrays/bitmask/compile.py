"""Compile a GEMM for the bitmask array: M tiles, filters dealt to PEs, memory writes, beats."""

from __future__ import annotations

import heapq
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Words
from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import check_range
from hwsim.formats import codes
from hwsim.formats.bitmask import PIECE, encode, mask_words
from hwsim.workload.gemm import GEMM

__all__ = ["Tile", "compile", "operands", "tiles"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Tile:
    """Filters of one load of the weight memories.

    ``filters`` is ``(rows, cluster_pes)``: the filter that is each PE's local one, or -1.
    ``sizes`` is ``(cluster_pes,)``: non-zero weights of each PE.
    """

    filters: Ints
    sizes: Ints

    @property
    def rows(self) -> int:
        """Local filters of every PE."""
        return len(self.filters)

    def weight_beats(self, array: BitmaskConfig, chunks: int) -> int:
        """Beats of the weight stream: all masks, then each bank's longest value memory."""
        longest = self.sizes.reshape(-1, array.load_pes).max(axis=1)
        pieces = self.rows * chunks * (array.chunk // PIECE)
        return int(len(longest) * pieces + longest.sum())


def operands(arch: ArchConfig, gemm: GEMM) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Weights and activations of a GEMM that the design takes.

    Raises
    ------
    InputError
        No operands, too many pixels, K too large for the mask memories, a weight without a code
        or an activation that its width cannot hold.
    """
    array = arch.array_as(BitmaskConfig)
    if gemm.weight is None or gemm.act is None:
        raise InputError(
            gemm.name, "", None, f"{arch.name} skips zeros: its cycles need weights and activations"
        )
    if min(gemm.M, gemm.K, gemm.N) < 1:
        raise InputError(gemm.name, "M, K, N", (gemm.M, gemm.K, gemm.N), "must be at least 1")
    limit = array.mask_depth * array.chunk
    if limit < gemm.K:
        rule = f"must be at most mask_depth times chunk of {arch.name}, {limit}"
        raise InputError(gemm.name, "K", gemm.K, rule)
    if -(-gemm.N // array.clusters) >> 32:
        raise InputError(gemm.name, "N", gemm.N, "must make fewer than 2**32 groups of clusters")
    codes.check(gemm.name, gemm.weight, arch.numbers)
    check_range(gemm.name, "act", gemm.act, arch.numbers.act_width)
    return gemm.weight, gemm.act


def tiles(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> Iterator[Tile]:
    """M tiles, each as many local filters as accumulators and weight memories hold.

    Raises
    ------
    InputError
        One local filter alone overflows a value memory.
    """
    array = arch.array_as(BitmaskConfig)
    chunks = -(-weight.shape[1] // array.chunk)
    most = min(array.acc_depth, array.mask_depth // chunks)
    sizes = (weight != 0).sum(axis=1, dtype=np.int32).astype(np.int64)
    start = 0
    while start < len(sizes):
        rows = min(most, -(-(len(sizes) - start) // array.cluster_pes))
        while True:
            part = sizes[start : start + rows * array.cluster_pes]
            filters = _deal(part, array, rows)
            by_pe = np.where(filters < 0, 0, part[filters]).sum(axis=0)
            if int(by_pe.max()) <= array.entry_depth:
                break
            if rows == 1:
                rule = f"one filter must fit entry_depth of {arch.name}, {array.entry_depth}"
                raise InputError(name, "non-zero weights", int(by_pe.max()), rule)
            rows -= 1
        yield Tile(np.where(filters < 0, -1, filters + start), by_pe)
        start += len(part)


def _deal(sizes: Ints, array: BitmaskConfig, rows: int) -> Ints:
    """Filters of each PE, ``(rows, cluster_pes)``, -1 where a PE has fewer."""
    pes = array.cluster_pes
    filters = np.full((rows, pes), -1, dtype=np.int64)
    if array.balance == "none":
        filters.reshape(-1)[: len(sizes)] = np.arange(len(sizes))
        return filters
    # the densest filter first, to the PE with the least work that has room
    work = [(0, pe, 0) for pe in range(pes)]
    for m in np.argsort(-sizes, kind="stable").tolist():
        load, pe, row = heapq.heappop(work)
        filters[row, pe] = m
        if row + 1 < rows:
            heapq.heappush(work, (load + int(sizes[m]), pe, row + 1))
    return filters


def compile(arch: ArchConfig, gemm: GEMM) -> Job:
    """Compile a GEMM into what the streams carry: for each M tile, its weights, then all groups.

    Raises
    ------
    InputError
        As :func:`operands` and :func:`tiles`.
    """
    array = arch.array_as(BitmaskConfig)
    weight, act = operands(arch, gemm)
    beats = _act_beats(arch, act)
    chunks = -(-gemm.K // array.chunk)
    groups = -(-gemm.N // array.clusters)
    parts = list(tiles(arch, weight, gemm.name))
    command = {
        "weight_beats": [tile.weight_beats(array, chunks) for tile in parts],
        "chunks": [chunks] * len(parts),
        "groups": [groups] * len(parts),
        "rows": [tile.rows for tile in parts],
    }
    writes = [_weight_words(arch, weight, tile) for tile in parts]
    return Job(
        inputs={
            "command": {name: np.array(column, np.int64) for name, column in command.items()},
            "weight": {name: np.concatenate([w[name] for w in writes]) for name in writes[0]},
            "act": {name: np.concatenate([beats[name]] * len(parts)) for name in beats},
        },
        ofmap_index=np.concatenate([_ofmap_index(array, tile, gemm.N) for tile in parts]),
        shape=(gemm.M, gemm.N),
    )


def _weight_words(arch: ArchConfig, weight: NDArray[np.integer], tile: Tile) -> Words:
    """Memory writes of one tile, bank after bank: masks, then values.

    Both lie in the order in which a PE walks them: chunk by chunk, local filter by local filter.
    """
    array = arch.array_as(BitmaskConfig)
    pes, rows, chunk = array.cluster_pes, tile.rows, array.chunk
    order = tile.filters.T.reshape(-1)
    local = np.where(order[:, None] < 0, 0, weight[order])
    padded = np.pad(local, ((0, 0), (0, -local.shape[1] % chunk)))
    walk = padded.reshape(pes, rows, -1, chunk).transpose(0, 2, 1, 3).reshape(pes, -1)
    memory = encode(walk, chunk)
    pieces = mask_words(memory.mask, PIECE).reshape(pes, -1)
    values = np.split(codes.encode(memory.values, arch.numbers), np.cumsum(tile.sizes)[:-1])
    parts = []
    for bank in range(pes // array.load_pes):
        some = range(bank * array.load_pes, (bank + 1) * array.load_pes)
        stored = np.zeros((int(tile.sizes[some].max()), array.load_pes), dtype=np.int64)
        for lane, pe in enumerate(some):
            stored[: tile.sizes[pe], lane] = values[pe]
        for kind, words in enumerate((pieces[some].T, stored)):
            parts.append((kind, bank, words))
    return {
        "kind": np.concatenate([np.full(len(words), kind) for kind, _, words in parts]),
        "bank": np.concatenate([np.full(len(words), bank) for _, bank, words in parts]),
        "addr": np.concatenate([np.arange(len(words)) for _, _, words in parts]),
        "data": np.concatenate([words for _, _, words in parts]),
    }


def _act_beats(arch: ArchConfig, act: NDArray[np.integer]) -> Words:
    """Beats of every group: each chunk's non-zeros, ``window`` a beat, its mask in the last.

    The pixels of a group share their beats: a chunk takes as many as the densest of them needs.
    """
    array = arch.array_as(BitmaskConfig)
    (num_rows, pixels), chunk, window = act.shape, array.chunk, array.window
    chunks, groups = -(-num_rows // chunk), -(-pixels // array.clusters)
    padded = np.zeros((chunks * chunk, groups * array.clusters), dtype=np.int64)
    padded[:num_rows, :pixels] = act
    # one line a group and chunk: (groups * chunks, clusters, chunk)
    by_group = padded.reshape(chunks, chunk, groups, array.clusters).transpose(2, 0, 3, 1)
    lines = by_group.reshape(-1, array.clusters, chunk)
    mask = lines != 0
    beats = np.maximum(1, -(-mask.sum(axis=2).max(axis=1) // window))
    order = np.argsort(~mask, axis=2, kind="stable")
    packed = np.take_along_axis(lines, order, axis=2)
    words = packed.reshape(-1, array.clusters, chunk // window, window)
    line = np.repeat(np.arange(len(beats)), beats)
    ends = np.cumsum(beats)
    word = np.arange(ends[-1]) - np.repeat(ends - beats, beats)
    last = word + 1 == beats[line]
    masks = mask_words(mask, min(chunk, 32))[line]
    return {
        "mask": np.where(last[:, None, None], masks, 0),
        "act": words[line, :, word],
        "last": last.astype(np.int64),
    }


def _ofmap_index(array: BitmaskConfig, tile: Tile, pixels: int) -> Ints:
    """Flat index of each partial sum, ``(groups * rows, P)``, cluster after cluster."""
    groups = -(-pixels // array.clusters)
    group, row, cluster, pe = np.ogrid[:groups, : tile.rows, : array.clusters, : array.cluster_pes]
    pixel = group * array.clusters + cluster
    out = tile.filters[row, pe]
    index: Ints = np.where((out >= 0) & (pixel < pixels), out * pixels + pixel, -1)
    return index.reshape(-1, array.pes)
