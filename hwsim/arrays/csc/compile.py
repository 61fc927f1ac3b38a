"""Compile a GEMM for the index-decoding array: M tiles, memory writes, words of activations."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Words
from hwsim.arrays.decoding import cut as decoding
from hwsim.arrays.decoding.alone import check_alone
from hwsim.arrays.decoding.cut import Piece, parts_of_k
from hwsim.config import ArchConfig, CSCConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import check_range
from hwsim.formats import codes
from hwsim.formats.csc import (
    codebook,
    encode,
    entry_codes,
    entry_has_zero,
    entry_width,
    full_table,
    zero_run,
)
from hwsim.formats.csc_entries import count_entries, row_entries
from hwsim.workload.gemm import GEMM

__all__ = [
    "Tile",
    "check_operands",
    "commands",
    "compile",
    "cut_folds",
    "full_tiles",
    "group_folds",
    "parts",
    "resident_words",
    "tiles",
    "weight_words",
]


@dataclass(frozen=True)
class Tile:
    """Rows ``start`` to ``stop`` of the weights, and the entries they make.

    ``entries`` is ``(P, K)``: entries of each column on each PE, padding included.
    ``padding`` is ``(K,)``: padding of each column. ``table`` is the words of the layer's codebook
    that are loaded with the tile: all with the first one, none with the others.
    """

    start: int
    stop: int
    entries: NDArray[np.unsignedinteger]
    padding: NDArray[np.int64]
    table: int

    def rows(self, pes: int) -> int:
        """Local rows."""
        return -(-(self.stop - self.start) // pes)

    def entry_beats(self, array: CSCConfig) -> int:
        """Beats of the weight stream with entries: each bank's longest entry memory."""
        per_bank = self.entries.sum(axis=1, dtype=np.int64).reshape(-1, array.load_pes)
        return int(per_bank.max(axis=1).sum())

    def weight_beats(self, array: CSCConfig) -> int:
        """Beats of the weight stream: table, all pointers, entries."""
        pointers = (array.pes // array.load_pes) * (len(self.padding) + 1)
        return self.table + pointers + self.entry_beats(array)


def check_operands(arch: ArchConfig, gemm: GEMM) -> None:
    """Make sure that a GEMM fits the design, with its operands as far as it has any.

    Raises
    ------
    InputError
        K too large for the pointer memories, too many pixels, a weight without a code or an
        activation that its width cannot hold.
    """
    array, numbers = arch.array_as(CSCConfig), arch.numbers
    if min(gemm.M, gemm.K, gemm.N) < 1:
        raise InputError(gemm.name, "M, K, N", (gemm.M, gemm.K, gemm.N), "must be at least 1")
    if array.col_depth < gemm.K and not array.carries:
        raise InputError(
            gemm.name, "K", gemm.K, f"must be at most col_depth of {arch.name}, {array.col_depth}"
        )
    if -(-gemm.N // array.lanes) >> 32:
        raise InputError(gemm.name, "N", gemm.N, "must make fewer than 2**32 groups of lanes")
    if gemm.weight is not None:
        codes.check(gemm.name, gemm.weight, numbers)
    values = gemm.matrix if gemm.ifmap is None else gemm.ifmap
    if values is not None:
        check_range(gemm.name, "act" if gemm.ifmap is None else "ifmap", values, numbers.act_width)


def _table(array: CSCConfig, weight: NDArray[np.integer], name: str) -> NDArray[np.int64] | None:
    """Codebook of a layer, if the design has one.

    Raises
    ------
    InputError
        The layer has too many distinct weights.
    """
    if array.codebook_bits is None:
        return None
    return codebook(weight, array.codebook_bits, name)


def tiles(
    arch: ArchConfig,
    weight: NDArray[np.integer],
    name: str,
    rows: int | None = None,
    entries_of_pe: int | None = None,
) -> Iterator[Tile]:
    """M tiles, each of the most local rows that accumulators and entry memories hold.

    ``rows`` and ``entries_of_pe`` are the limits, by default their depths.

    Raises
    ------
    InputError
        One local row alone overflows the entry memory, or the weights overflow the codebook.
    """
    rooms = None if entries_of_pe is None else [entries_of_pe]
    for (tile,) in cut_tiles(arch, weight, [range(weight.shape[1])], name, rows, rooms):
        yield tile


def cut_tiles(
    arch: ArchConfig,
    weight: NDArray[np.integer],
    parts: Sequence[range],
    name: str,
    rows: int | None = None,
    rooms: Sequence[int] | None = None,
) -> Iterator[list[Tile]]:
    """M tiles of which every part of K fits, each with what the parts hold of its rows.

    ``rows`` and ``rooms`` are the limits, of rows and of each part's entries.

    Raises
    ------
    InputError
        As :func:`tiles`.
    """
    array = arch.array_as(CSCConfig)
    run = zero_run(array.index_bits, entry_has_zero(arch))
    table = _table(array, weight, name)
    words = 0 if table is None else len(table)
    columns = [weight[:, part.start : part.stop] for part in parts]
    depths = rooms or [array.entry_depth] * len(parts)
    num_rows, start = len(weight), 0
    most = window = array.pes * (array.acc_depth if rows is None else rows)
    while start < num_rows:
        stop = min(num_rows, start + window)
        counts = [count_entries(some[start:stop], array.pes, run) for some in columns]
        fit = None
        for some, depth, (entries, _) in zip(columns, depths, counts, strict=True):
            if int(entries.sum(axis=1, dtype=np.int64).max()) > depth:
                grown = np.cumsum(row_entries(some[start:stop], array.pes, run), axis=0)
                fits = int(np.count_nonzero(grown.max(axis=1) <= depth))
                if fits == 0:
                    raise _row_overflows(arch, name, int(grown[0].max()), depth)
                fit = fits if fit is None else min(fit, fits)
        if fit is not None:
            stop = start + fit * array.pes
            counts = [count_entries(some[start:stop], array.pes, run) for some in columns]
            # the next tile will be about as high: no need to count all that is left
            window = min(most, 2 * (stop - start))
        elif window < most and stop < num_rows:
            window = most
            continue
        loaded = words if start == 0 else 0
        yield [Tile(start, stop, entries, padding, loaded) for entries, padding in counts]
        start = stop


def full_tiles(arch: ArchConfig, shape: tuple[int, int], name: str) -> Iterator[tuple[Tile, int]]:
    """M tiles of weights ``(M, K)`` that are all non-zero, each with how often it comes.

    Raises
    ------
    InputError
        One local row alone overflows the entry memory.
    """
    array = arch.array_as(CSCConfig)
    num_rows, num_cols = shape
    depth = min(array.acc_depth, array.entry_depth // num_cols)
    if depth == 0:
        raise _row_overflows(arch, name, num_cols, array.entry_depth)
    table = 0 if array.codebook_bits is None else full_table(arch, num_rows * num_cols)
    height = depth * array.pes
    full, rest = divmod(num_rows, height)
    sizes = [(height, full)] if full else []
    if table and full > 1:
        sizes = [(height, 1), (height, full - 1)]
    sizes += [(rest, 1)] if rest else []
    for index, (rows, times) in enumerate(sizes):
        yield _full_tile(array, rows, num_cols, table if index == 0 else 0), times


def resident_words(
    arch: ArchConfig, weight: NDArray[np.integer], name: str
) -> dict[str, NDArray[np.int64]]:
    """Words that each PE holds of all weights of a layer, so that none is loaded again.

    Returns
    -------
    dict
        Field of the depth -> ``(pes,)``.

    Raises
    ------
    InputError
        As :func:`tiles`.
    """
    array = arch.array_as(CSCConfig)
    cut = list(tiles(arch, weight, name))
    entries = sum(tile.entries.sum(axis=1, dtype=np.int64) for tile in cut)
    columns = np.full(array.pes, len(cut) * (weight.shape[1] + 1), np.int64)
    return {"entry_depth": np.asarray(entries), "col_depth": columns}


def _full_tile(array: CSCConfig, rows: int, num_cols: int, table: int) -> Tile:
    """Tile of ``rows`` rows whose weights are all non-zero, as if it were the first."""
    kind = np.min_scalar_type(-(-rows // array.pes) + 1)
    local = (rows - np.arange(array.pes) + array.pes - 1) // array.pes
    entries = np.broadcast_to(local.astype(kind)[:, None], (array.pes, num_cols))
    return Tile(0, rows, entries, np.zeros(num_cols, dtype=np.int64), table)


def _row_overflows(arch: ArchConfig, name: str, entries: int, depth: int) -> InputError:
    rule = f"one row must fit entry_depth of {arch.name}, {depth}"
    return InputError(name, "entries", entries, rule)


def compile(arch: ArchConfig, gemm: GEMM) -> Job:
    """Compile a GEMM into what the streams carry: for each M tile, its weights, then all groups.

    Raises
    ------
    InputError
        No operands, or as :func:`check_operands` and :func:`tiles`.
    """
    array = arch.array_as(CSCConfig)
    weight, act = gemm.weight, gemm.act
    if weight is None or act is None:
        raise InputError(gemm.name, "", None, "compiling needs weights and activations")
    check_alone(arch)
    check_operands(arch, gemm)
    words = _act_words(array, act)
    pieces = list(commands(arch, weight, gemm.N, gemm.name))
    command: dict[str, list[int]] = {
        "weight_beats": [piece.tile.weight_beats(array) for piece in pieces],
        "words": [-(-len(piece.k) // array.window) for piece in pieces],
        "groups": [len(piece.groups) for piece in pieces],
        "rows": [piece.tile.rows(array.pes) for piece in pieces],
        "beats": [array.banks.beats] * len(pieces),
        "tail": [
            array.drain_beats(min(gemm.N - piece.groups[-1] * array.lanes, array.lanes))
            for piece in pieces
        ],
    }
    if array.carries:
        command |= {"carry": [piece.carry for piece in pieces]}
        command |= {"keep": [piece.keep for piece in pieces]}
    table = _table(array, weight, gemm.name)
    beats = [_table_words(arch, table)] if table is not None else []
    acts = []
    for tile, k, groups, *_ in pieces:
        rows, columns = slice(tile.start, tile.stop), slice(k.start, k.stop)
        beats.append(_weight_words(arch, weight[rows, columns], table))
        first, last = k.start // array.window, -(-k.stop // array.window)
        acts.append(words[groups.start : groups.stop, first:last].reshape(-1, *words.shape[2:]))
    index = [
        _ofmap_index(array, piece.tile, piece.groups, gemm.N) for piece in pieces if not piece.keep
    ]
    return Job(
        inputs={
            "command": {name: np.array(column, np.int64) for name, column in command.items()},
            "weight": {name: np.concatenate([b[name] for b in beats]) for name in beats[0]},
            "act": {"act": np.concatenate(acts)},
        },
        ofmap_index=np.concatenate(index),
        shape=(gemm.M, gemm.N),
    )


def parts(arch: ArchConfig, k: int, weight: NDArray[np.integer] | None) -> list[range]:
    """Parts of K of each command: one where it fits, or sums cannot stay."""
    array = arch.array_as(CSCConfig)
    return parts_of_k(array, k, weight, array.window, array.col_depth)


def commands(
    arch: ArchConfig, weight: NDArray[np.integer], pixels: int, name: str
) -> Iterator[Piece[Tile]]:
    """Commands of a product; where a design carries sums, K is cut where it does not fit.

    Raises
    ------
    InputError
        As :func:`tiles`.
    """
    array, cut = arch.array_as(CSCConfig), parts(arch, weight.shape[1], weight)
    return decoding.commands(
        cut_tiles(arch, weight, cut, name), cut, -(-pixels // array.lanes),
        lambda tile: array.kept_groups(tile.rows(array.pes)),
    )  # fmt: skip


def weight_words(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> Words:
    """Words of the weight stream of one tile."""
    codes.check(name, weight, arch.numbers)
    return _weight_words(arch, weight, None)


def group_folds(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> Iterator[int]:
    """Local rows of each tile of a machine, whose words fit a half of its weight memory.

    Raises
    ------
    InputError
        K exceeds the pointer memories or a half, or one local row the entry memories.
    """
    array, memory = arch.array_as(CSCConfig), arch.memory
    assert memory is not None
    num_cols, banks = weight.shape[1], array.pes // array.load_pes
    room = _room(arch, num_cols)
    if num_cols > array.col_depth or room < 1:
        limit = min(array.col_depth, memory.weight_depth // banks - 2)
        rule = f"must be at most {limit}: K, in whole words, of which columns have pointers"
        raise InputError(arch.name, name, num_cols, rule)
    rows = min(array.acc_depth, memory.scale_depth)
    for tile in tiles(arch, weight, name, rows, room):
        yield tile.rows(array.pes)


def cut_folds(
    arch: ArchConfig, weight: NDArray[np.integer], parts: Sequence[range], name: str
) -> list[int]:
    """:func:`group_folds` of weights of which every part of K must fit; none where one does not."""
    array, memory = arch.array_as(CSCConfig), arch.memory
    assert memory is not None
    rooms = [_room(arch, len(part)) for part in parts]
    for part, room in zip(parts, rooms, strict=True):
        row = np.count_nonzero(weight[:, part.start : part.stop], axis=1)
        if len(part) > array.col_depth or int(row.max()) > room:
            return []
    rows = min(array.acc_depth, memory.scale_depth)
    tiles_of_parts = cut_tiles(arch, weight, parts, name, rows, rooms)
    return [first.rows(array.pes) for first, *_ in tiles_of_parts]


def _room(arch: ArchConfig, num_cols: int) -> int:
    """Entries of a PE that its memory holds, and a half beside a pointer for each column."""
    array, memory = arch.array_as(CSCConfig), arch.memory
    assert memory is not None
    banks = array.pes // array.load_pes
    return min(array.entry_depth, memory.weight_depth // banks - num_cols - 1)


def _act_words(array: CSCConfig, act: NDArray[np.integer]) -> NDArray[np.int64]:
    """Words of every group, ``(groups, words, window, lanes)``, zeros beyond K and N."""
    num_rows, pixels = act.shape
    words, groups = -(-num_rows // array.window), -(-pixels // array.lanes)
    padded = np.zeros((words * array.window, groups * array.lanes), dtype=np.int64)
    padded[:num_rows, :pixels] = act
    split = padded.reshape(words, array.window, groups, array.lanes)
    return split.transpose(2, 0, 1, 3)


def _table_words(arch: ArchConfig, table: NDArray[np.int64]) -> Words:
    """Writes of the codebook, each to every PE; address 0 is the zero and needs none."""
    array, size = arch.array_as(CSCConfig), len(table)
    words = codes.encode(table, arch.numbers)
    return {
        "kind": np.full(size, 2),
        "bank": np.zeros(size, dtype=np.int64),
        "addr": np.arange(1, size + 1),
        "data": np.broadcast_to(words[:, None], (size, array.load_pes)),
    }


def _weight_words(
    arch: ArchConfig, weight: NDArray[np.integer], table: NDArray[np.int64] | None
) -> Words:
    """Memory writes of one tile, bank after bank: pointers, then entries."""
    array = arch.array_as(CSCConfig)
    matrix = encode(weight, array.pes, array.index_bits, entry_has_zero(arch))
    code = entry_codes(matrix, arch.numbers, table) | matrix.rel_idx << entry_width(arch)
    parts = []
    for bank in range(array.pes // array.load_pes):
        pes = range(bank * array.load_pes, (bank + 1) * array.load_pes)
        entries = np.zeros((int(matrix.entries[pes].max()), array.load_pes), dtype=np.int64)
        for lane, pe in enumerate(pes):
            entries[: matrix.entries[pe], lane] = code[matrix.memory(pe)]
        for kind, memory in enumerate((matrix.pointers[pes].T, entries)):
            parts.append((kind, bank, memory))
    return {
        "kind": np.concatenate([np.full(len(memory), kind) for kind, _, memory in parts]),
        "bank": np.concatenate([np.full(len(memory), bank) for _, bank, memory in parts]),
        "addr": np.concatenate([np.arange(len(memory)) for _, _, memory in parts]),
        "data": np.concatenate([memory for _, _, memory in parts]),
    }


def _ofmap_index(array: CSCConfig, tile: Tile, groups: range, pixels: int) -> NDArray[np.int64]:
    """Flat index of each partial sum: one beat per group, local row and ``drain_lanes`` lanes.

    ``(transfers, drain_pes * drain_lanes)``, PE after PE.
    """
    rows, beats = tile.rows(array.pes), array.lanes // array.drain_lanes
    group, row, beat, pe, lane = np.ogrid[
        groups.start : groups.stop, :rows, :beats, : array.pes, : array.drain_lanes
    ]
    pixel = group * array.lanes + beat * array.drain_lanes + lane
    out = tile.start + row * array.pes + pe
    index = np.where((out < tile.stop) & (pixel < pixels), out * pixels + pixel, -1)
    here = np.broadcast_to(pixel < pixels, (len(groups), rows, beats, 1, array.drain_lanes))
    used: NDArray[np.int64] = index[here.any((3, 4))]
    return used.reshape(-1, array.pes // array.drain_slices * array.drain_lanes)
