"""Compile a GEMM for the bitmask array: M tiles, filters dealt to PEs, memory writes, beats."""

from __future__ import annotations

import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Words
from hwsim.arrays.decoding import cut as decoding
from hwsim.arrays.decoding.alone import check_alone
from hwsim.arrays.decoding.cut import Piece, parts_of_k
from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import check_range
from hwsim.formats import codes
from hwsim.formats.bitmask import PIECE, encode, mask_words
from hwsim.workload.gemm import GEMM

__all__ = [
    "Tile",
    "check_operands",
    "commands",
    "compile",
    "cut_tiles",
    "full_tiles",
    "parts",
    "resident_words",
    "tiles",
    "weight_writes",
]

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

    def edge(self, array: BitmaskConfig) -> int:
        """Beats of partial sums of the last local filters: up to the last PE that has one."""
        last = np.flatnonzero(np.tile(self.filters[-1] >= 0, array.clusters))[-1]
        return int(last) // array.beat_psums + 1

    def drain_beats(self, array: BitmaskConfig) -> int:
        """Beats of partial sums of a group."""
        return (self.rows - 1) * array.drain_slices + self.edge(array)

    def mask_beats(self, array: BitmaskConfig, chunks: int) -> int:
        """Beats of the weight stream with masks."""
        banks = array.cluster_pes // array.load_pes
        return banks * self.rows * chunks * (array.chunk // PIECE)

    def value_beats(self, array: BitmaskConfig) -> int:
        """Beats of the weight stream with values: each bank's longest value memory."""
        return int(self.sizes.reshape(-1, array.load_pes).max(axis=1).sum())

    def weight_beats(self, array: BitmaskConfig, chunks: int) -> int:
        """Beats of the weight stream: all masks, and values."""
        return self.mask_beats(array, chunks) + self.value_beats(array)


def check_operands(arch: ArchConfig, gemm: GEMM) -> None:
    """Make sure that a GEMM fits the design, with its operands as far as it has any.

    Raises
    ------
    InputError
        Too many pixels, K too large for the mask memories, a weight without a code or an
        activation that its width cannot hold.
    """
    array, numbers = arch.array_as(BitmaskConfig), arch.numbers
    if min(gemm.M, gemm.K, gemm.N) < 1:
        raise InputError(gemm.name, "M, K, N", (gemm.M, gemm.K, gemm.N), "must be at least 1")
    limit = array.mask_depth * array.chunk
    if limit < gemm.K and not array.carries:
        rule = f"must be at most mask_depth times chunk of {arch.name}, {limit}"
        raise InputError(gemm.name, "K", gemm.K, rule)
    if -(-gemm.N // array.clusters) >> 32:
        raise InputError(gemm.name, "N", gemm.N, "must make fewer than 2**32 groups of clusters")
    if gemm.weight is not None:
        codes.check(gemm.name, gemm.weight, numbers)
    values = gemm.matrix if gemm.ifmap is None else gemm.ifmap
    if values is not None:
        check_range(gemm.name, "act" if gemm.ifmap is None else "ifmap", values, numbers.act_width)


def tiles(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> Iterator[Tile]:
    """M tiles, each as many local filters as accumulators and weight memories hold.

    Raises
    ------
    InputError
        One local filter alone overflows a value memory.
    """
    for (tile,) in cut_tiles(arch, weight, [range(weight.shape[1])], name):
        yield tile


def cut_tiles(
    arch: ArchConfig, weight: NDArray[np.integer], parts: Sequence[range], name: str
) -> Iterator[list[Tile]]:
    """M tiles of which every part of K fits, each with what the parts hold of its filters.

    Raises
    ------
    InputError
        One local filter alone overflows a value memory.
    """
    array = arch.array_as(BitmaskConfig)
    chunks = max(-(-len(part) // array.chunk) for part in parts)
    most = min(array.acc_depth, array.mask_depth // chunks)
    sizes = np.stack(
        [
            (weight[:, part.start : part.stop] != 0).sum(axis=1, dtype=np.int32).astype(np.int64)
            for part in parts
        ]
    )
    start = 0
    while start < sizes.shape[1]:
        rows = min(most, -(-(sizes.shape[1] - start) // array.cluster_pes))
        while True:
            some = sizes[:, start : start + rows * array.cluster_pes]
            filters = _deal(some.sum(axis=0), array, rows)
            by_pe = np.where(filters < 0, 0, some[:, filters]).sum(axis=1)
            if int(by_pe.max()) <= array.entry_depth:
                break
            if rows == 1:
                raise _filter_overflows(arch, name, int(by_pe.max()))
            rows -= 1
        filters = np.where(filters < 0, -1, filters + start)
        yield [Tile(filters, each) for each in by_pe]
        start += some.shape[1]


def resident_words(
    arch: ArchConfig, weight: NDArray[np.integer], name: str
) -> dict[str, NDArray[np.int64]]:
    """Words that each PE of a cluster holds of all weights of a layer: none is loaded again.

    Returns
    -------
    dict
        Field of the depth -> ``(cluster_pes,)``.

    Raises
    ------
    InputError
        As :func:`tiles`.
    """
    array = arch.array_as(BitmaskConfig)
    cut = list(tiles(arch, weight, name))
    chunks = -(-weight.shape[1] // array.chunk)
    masks = np.full(array.cluster_pes, sum(tile.rows for tile in cut) * chunks, np.int64)
    return {"entry_depth": np.asarray(sum(tile.sizes for tile in cut)), "mask_depth": masks}


def parts(arch: ArchConfig, k: int, weight: NDArray[np.integer] | None) -> list[range]:
    """Parts of K of each command: one where it fits, or sums cannot stay."""
    array = arch.array_as(BitmaskConfig)
    return parts_of_k(array, k, weight, array.chunk, array.mask_depth * array.chunk)


def commands(
    arch: ArchConfig, weight: NDArray[np.integer], pixels: int, name: str
) -> Iterator[Piece[Tile]]:
    """Commands of a product; where a design carries sums, K is cut where it does not fit.

    Raises
    ------
    InputError
        As :func:`tiles`.
    """
    array, cut = arch.array_as(BitmaskConfig), parts(arch, weight.shape[1], weight)
    return decoding.commands(
        cut_tiles(arch, weight, cut, name), cut, -(-pixels // array.clusters),
        lambda tile: array.kept_groups(tile.rows),
    )  # fmt: skip


def full_tiles(arch: ArchConfig, shape: tuple[int, int], name: str) -> Iterator[tuple[Tile, int]]:
    """M tiles of weights ``(M, K)`` that are all non-zero, each with how often it comes.

    All filters are alike: ``filters`` says 0 for each of them.

    Raises
    ------
    InputError
        One local filter alone overflows a value memory.
    """
    array = arch.array_as(BitmaskConfig)
    num_filters, depth = shape
    chunks = -(-depth // array.chunk)
    rows = min(array.acc_depth, array.mask_depth // chunks, array.entry_depth // depth)
    if rows == 0:
        raise _filter_overflows(arch, name, depth)
    full, rest = divmod(num_filters, rows * array.cluster_pes)
    for size, times in ((rows * array.cluster_pes, full), (rest, 1)):
        if size and times:
            # filters of one size are dealt in turn, whatever the balance
            here = np.arange(-(-size // array.cluster_pes) * array.cluster_pes) < size
            filters = np.where(here, 0, -1).reshape(-1, array.cluster_pes)
            yield Tile(filters, np.count_nonzero(filters == 0, axis=0) * depth), times


def _filter_overflows(arch: ArchConfig, name: str, values: int) -> InputError:
    depth = arch.array_as(BitmaskConfig).entry_depth
    rule = f"one filter must fit entry_depth of {arch.name}, {depth}"
    return InputError(name, "non-zero weights", values, rule)


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
        No operands; else as :func:`check_operands` and :func:`tiles`.
    """
    check_alone(arch)
    check_operands(arch, gemm)
    array, weight, act = arch.array_as(BitmaskConfig), gemm.weight, gemm.act
    if weight is None or act is None:
        raise InputError(gemm.name, "", None, "compiling needs weights and activations")
    pieces = list(commands(arch, weight, gemm.N, gemm.name))
    chunks = [-(-len(piece.k) // array.chunk) for piece in pieces]
    command: dict[str, list[int]] = {
        "weight_beats": [
            piece.tile.weight_beats(array, each) for piece, each in zip(pieces, chunks, strict=True)
        ],
        "chunks": chunks,
        "groups": [len(piece.groups) for piece in pieces],
        "rows": [piece.tile.rows for piece in pieces],
        "masks": [each * piece.tile.rows for piece, each in zip(pieces, chunks, strict=True)],
        "edge": [piece.tile.edge(array) for piece in pieces],
    }
    if array.carries:
        command |= {"carry": [piece.carry for piece in pieces]}
        command |= {"keep": [piece.keep for piece in pieces]}
    writes = [
        weight_writes(arch, weight[:, piece.k.start : piece.k.stop], piece.tile) for piece in pieces
    ]
    beats = [
        _act_beats(
            arch,
            act[
                piece.k.start : piece.k.stop,
                piece.groups.start * array.clusters : piece.groups.stop * array.clusters,
            ],
        )
        for piece in pieces
    ]
    index = [
        _ofmap_index(array, piece.tile, piece.groups, gemm.N) for piece in pieces if not piece.keep
    ]
    return Job(
        inputs={
            "command": {name: np.array(column, np.int64) for name, column in command.items()},
            "weight": {name: np.concatenate([w[name] for w in writes]) for name in writes[0]},
            "act": {name: np.concatenate([b[name] for b in beats]) for name in beats[0]},
        },
        ofmap_index=np.concatenate(index),
        shape=(gemm.M, gemm.N),
    )


def weight_writes(arch: ArchConfig, weight: NDArray[np.integer], tile: Tile) -> Words:
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
    """Beats of every group: each chunk's mask, then its non-zeros, ``window`` a beat.

    The pixels of a group share their beats: a chunk takes as many as the densest of them needs.
    """
    array, width = arch.array_as(BitmaskConfig), arch.numbers.act_width
    (num_rows, pixels), chunk, window = act.shape, array.chunk, array.window
    chunks, groups = -(-num_rows // chunk), -(-pixels // array.clusters)
    padded = np.zeros((chunks * chunk, groups * array.clusters), dtype=np.int64)
    padded[:num_rows, :pixels] = act
    # one line a group and chunk: (groups * chunks, clusters, chunk)
    by_group = padded.reshape(chunks, chunk, groups, array.clusters).transpose(2, 0, 3, 1)
    lines = by_group.reshape(-1, array.clusters, chunk)
    mask = lines != 0
    order = np.argsort(~mask, axis=2, kind="stable")
    packed = np.take_along_axis(lines, order, axis=2) & ((1 << width) - 1)
    missing = -chunk % (window * width)
    masks = mask_words(np.pad(mask, ((0, 0), (0, 0), (0, missing))), width)
    words = np.concatenate([masks, packed], axis=2).reshape(len(lines), array.clusters, -1, window)
    beats = array.mask_beats(arch.numbers) + -(-mask.sum(axis=2).max(axis=1) // window)
    line = np.repeat(np.arange(len(beats)), beats)
    ends = np.cumsum(beats)
    word = np.arange(ends[-1]) - np.repeat(ends - beats, beats)
    return {
        "data": words[line, :, word],
        "last": (word + 1 == beats[line]).astype(np.int64),
    }


def _ofmap_index(array: BitmaskConfig, tile: Tile, groups: range, pixels: int) -> Ints:
    """Flat index of each partial sum: one row per beat, cluster after cluster."""
    group, row, cluster, pe = np.ogrid[
        groups.start : groups.stop, : tile.rows, : array.clusters, : array.cluster_pes
    ]
    pixel = group * array.clusters + cluster
    out = tile.filters[row, pe]
    index: Ints = np.where((out >= 0) & (pixel < pixels), out * pixels + pixel, -1)
    beats = index.reshape(len(groups), -1, array.beat_psums)
    return beats[:, : tile.drain_beats(array)].reshape(-1, array.beat_psums)
