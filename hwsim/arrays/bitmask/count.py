"""Fast exact form of the bitmask array's counts, for streams that never pause.

With no pauses the array's cycles follow from a recurrence over the chunks of activations, which
:mod:`hwsim.arrays.bitmask.recurrence` evaluates. Weights or activations that are absent are all
non-zero: their tiles and groups are alike, and are counted once.
"""

from __future__ import annotations

from functools import partial, reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.bitmask.compile import Tile, check_operands, commands, full_tiles, parts, tiles
from hwsim.arrays.bitmask.masks import Words, act_masks, full_masks, row_masks
from hwsim.arrays.bitmask.recurrence import (
    BROADCAST,
    BUFFER,
    DONE,
    DRAIN,
    EMPTY,
    FETCH,
    FULL,
    LAST,
    MAC,
    Shape,
    recur,
    recur_alike,
)
from hwsim.arrays.counts import Counts
from hwsim.arrays.decoding.alone import check_alone
from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.workload.gemm import GEMM

__all__ = ["count", "count_command"]

Ints = NDArray[np.int64]


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Cycles, causes and events of a GEMM with no pauses; equal to ``simulate`` of the job.

    Where weights or activations are absent, all of them are non-zero. ``load`` of ``control`` is
    what resident weights would save. ``mac`` of ``pe`` is the useful products; their P-th part is
    the time with perfect balance and no empty chunks.

    Raises
    ------
    InputError
        As :func:`~hwsim.arrays.bitmask.compile.compile`.
    """
    check_alone(arch)
    check_operands(arch, gemm)
    array = arch.array_as(BitmaskConfig)
    # a group is full but for the last, whose clusters may have no pixel
    missing = -gemm.N % array.clusters
    if len(parts(arch, gemm.K, gemm.weight)) > 1:
        return _count_commands(arch, gemm, missing)
    if gemm.has_act:
        act = act_masks(gemm, array.chunk, missing)
    else:
        act = _two_groups(full_masks(gemm.K, array.chunk), array.clusters, missing)
    if gemm.weight is None:
        filters = _and_none(full_masks(gemm.K, array.chunk)[:, :, None])
        alike = full_tiles(arch, (gemm.M, gemm.K), gemm.name)
    else:
        filters = _and_none(row_masks(gemm.weight, array.chunk))
        alike = ((tile, 1) for tile in tiles(arch, gemm.weight, gemm.name))
    groups, shape = -(-gemm.N // array.clusters), _shape(arch)

    def counted(tile: Tile) -> Counts:
        run = partial(recur, act) if gemm.has_act else partial(recur_alike, act, groups)
        drain = tile.drain_beats(array)
        total = run(_local(filters, tile), drain, shape)
        return _counts(array, tile, len(act), groups, total, drain)

    return reduce(add, (counted(tile).scaled(times) for tile, times in alike))


def _and_none(filters: Words) -> Words:
    """One more filter, without weights, for the PEs that have fewer than others."""
    return np.concatenate((filters, np.zeros_like(filters[:, :, :1])), axis=2)


def _local(filters: Words, tile: Tile) -> Words:
    """Masks of the filters of a tile, row by row."""
    return np.ascontiguousarray(filters[:, :, tile.filters].transpose(0, 2, 1, 3))


def _shape(arch: ArchConfig) -> Shape:
    array = arch.array_as(BitmaskConfig)
    return Shape(
        array.clusters,
        array.window,
        array.mask_beats(arch.numbers),
        array.buffer_depth,
        array.acc_banks,
    )


def _count_commands(arch: ArchConfig, gemm: GEMM, missing: int) -> Counts:
    """Counts of a product whose K is cut over commands."""
    array = arch.array_as(BitmaskConfig)
    weight = np.ones((gemm.M, gemm.K), np.int8) if gemm.weight is None else gemm.weight
    if gemm.has_act:
        act = act_masks(gemm, array.chunk, missing)
    else:
        act = np.repeat(full_masks(gemm.K, array.chunk)[:, :, None], gemm.N + missing, axis=2)
        act[:, :, gemm.N :] = 0
    filters = _and_none(row_masks(weight, array.chunk))
    total = []
    for tile, k, groups, _, keep in commands(arch, weight, gemm.N, gemm.name):
        chunks = slice(k.start // array.chunk, -(-k.stop // array.chunk))
        pixels = slice(groups.start * array.clusters, groups.stop * array.clusters)
        some = np.ascontiguousarray(act[chunks, :, pixels])
        total.append(_count_command(arch, tile, filters[chunks], some, keep=keep))
    return reduce(add, total)


def count_command(
    arch: ArchConfig, weight: NDArray[np.integer], tile: Tile, act: Words, *, keep: bool
) -> Counts:
    """Counts of the command of one tile, for masks of activations; with ``keep`` its sums stay."""
    filters = _and_none(row_masks(weight, arch.array_as(BitmaskConfig).chunk))
    return _count_command(arch, tile, filters, act, keep=keep)


def _count_command(
    arch: ArchConfig, tile: Tile, filters: Words, act: Words, *, keep: bool
) -> Counts:
    array = arch.array_as(BitmaskConfig)
    drain = 0 if keep else tile.drain_beats(array)
    total = recur(act, _local(filters, tile), drain, _shape(arch))
    groups = act.shape[2] // array.clusters
    return _counts(array, tile, len(act), groups, total, drain)


def _two_groups(mask: Words, clusters: int, missing: int) -> Words:
    """Activations of a full group of pixels of one ``mask``, and of one without the last ones."""
    act = np.repeat(mask[:, :, None], 2 * clusters, axis=2)
    act[:, :, 2 * clusters - missing :] = 0
    return act


def _counts(
    array: BitmaskConfig, tile: Tile, chunks: int, groups: int, total: Ints, drain: int
) -> Counts:
    """Counts of one tile from the sums of its run; ``drain`` beats of sums of a group leave."""
    # Memories that are double-buffered are those of a machine: the load engine has filled a half,
    # and the encoder has its first beat a cycle after the run has begun.
    beats, late = (0, 1) if array.double_buffered else (tile.weight_beats(array, chunks), 0)
    # a cycle for the command, the beats or a cycle, then the cycles of the run up to LAST
    before = 1 + max(beats, 1)
    cycles = before + late + 1 + int(total[LAST])
    control = dict.fromkeys(array.cause_names["control"], 0) | {
        "idle": before - beats,
        "load": beats,
        "broadcast": int(total[BROADCAST]),
        "full": int(total[FULL]),
        "act": 1 + late,
    }
    control["drain"] = cycles - sum(control.values())
    pe = dict.fromkeys(array.cause_names["pe"], 0) | {
        "idle": array.pes * before,
        "mac": int(total[MAC]),
        "empty": int(total[EMPTY]),
        "fetch": int(total[FETCH]),
        "buffer": int(total[BUFFER]) + array.pes * late,
        "drain": int(total[DRAIN]),
        "done": int(total[DONE]),
    }
    events = _events(array, tile, chunks, groups, total, drain, beats)
    return Counts(cycles, {"control": control, "pe": pe}, events)


def _events(
    array: BitmaskConfig, tile: Tile, chunks: int, groups: int, total: Ints, drain: int, beats: int
) -> dict[str, int]:
    """Events of one tile: those of its PEs, and the transfers of its streams.

    ``drain`` beats of sums of each group leave; ``beats`` beats of weights come.
    """
    macs = int(total[MAC])
    joins = array.pes * groups * chunks * tile.rows
    psums = macs + (array.pes * groups * tile.rows if drain else 0)
    written = array.clusters * array.load_pes
    pe = {
        "mask_writes": written * tile.mask_beats(array, chunks),
        # one more is fetched ahead
        "mask_reads": joins + array.pes,
        "value_writes": written * tile.value_beats(array),
        "value_reads": macs,
        "joins": joins,
        "macs": macs,
        "psum_reads": psums,
        "psum_writes": psums,
    }
    return {event: pe[event] for event in array.pe_strobes} | {
        "command_beats": 1,
        "weight_beats": beats,
        "act_beats": int(total[BROADCAST]),
        "ofmap_beats": groups * drain,
    }
