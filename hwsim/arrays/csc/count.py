"""Fast exact form of the index-decoding array's counts, for streams that never pause.

With no pauses the array's cycles follow from a recurrence over the broadcast tokens: when each is
broadcast, and when each PE has passed its column (``docs/timing/csc.md`` derives it). A token costs
a few vector instructions over the PEs, so a layer costs its non-zero positions times P, however
long the array itself takes.
"""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Fed
from hwsim.arrays.counts import Counts
from hwsim.arrays.csc.compile import Tile, check_operands, commands, full_tiles, parts, tiles
from hwsim.arrays.csc.recurrence import (
    ACT,
    BROADCAST,
    COLUMN,
    DONE,
    DRAIN,
    FAR,
    FULL,
    LAST,
    NULL,
    PADDING,
    POINTER,
    SCAN,
    WORK,
    Feed,
    Positions,
    recur,
)
from hwsim.arrays.decoding.alone import check_alone
from hwsim.config import ArchConfig, CSCConfig
from hwsim.formats.base import flags
from hwsim.formats.csc import entry_has_zero, zero_run
from hwsim.formats.csc_entries import count_entries
from hwsim.workload.gemm import GEMM

__all__ = ["count", "count_groups"]

Ints = NDArray[np.int64]


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Cycles, causes and events of a GEMM with no pauses; equal to ``simulate`` of the job.

    Where weights or activations are absent, all of them are non-zero. ``load`` of ``control`` is
    what resident weights would save. ``mac`` plus ``padding`` of ``pe`` is the entries touched;
    their P-th part is the time with perfect balance.

    Raises
    ------
    InputError
        As :func:`~hwsim.arrays.csc.compile.compile`.
    """
    check_alone(arch)
    check_operands(arch, gemm)
    array = arch.array_as(CSCConfig)
    if len(parts(arch, gemm.K, gemm.weight)) > 1:
        return _count_commands(arch, gemm)
    act = Positions.of(gemm)
    if gemm.weight is None:
        alike = full_tiles(arch, (gemm.M, gemm.K), gemm.name)
    else:
        alike = ((tile, 1) for tile in tiles(arch, gemm.weight, gemm.name))
    return reduce(
        add,
        (
            _count_tile(
                arch, tile, act, gemm.N, array.lanes, tile.weight_beats(array), Feed()
            ).scaled(n)
            for tile, n in alike
        ),
    )


def _count_commands(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Counts of a product whose K is cut over commands."""
    array, matrix = arch.array_as(CSCConfig), gemm.act
    weight = np.ones((gemm.M, gemm.K), np.int8) if gemm.weight is None else gemm.weight
    total = []
    for tile, k, groups, _, keep in commands(arch, weight, gemm.N, gemm.name):
        first, last = groups.start * array.lanes, min(groups.stop * array.lanes, gemm.N)
        act = Positions()
        if matrix is not None:
            act = Positions(flags(np.ascontiguousarray(matrix[k.start : k.stop, first:last])))
        loaded = tile.weight_beats(array)
        total.append(
            _count_tile(arch, tile, act, last - first, array.lanes, loaded, Feed(), keep=keep)
        )
    return reduce(add, total)


def count_groups(arch: ArchConfig, weight: NDArray[np.integer], fed: Fed) -> Counts:
    """Counts of a job of a machine: all rows of ``weight``, and what the feeder gives.

    The first word of the feeder is offered in the cycle after the command.
    """
    array = arch.array_as(CSCConfig)
    num_rows, num_cols = weight.shape
    lanes = fed.act.shape[1]
    # beats are words of K of the pixels of a group, group after group
    beats = fed.act.reshape(-1, num_cols // lanes, fed.pixels, lanes)
    matrix = beats.transpose(1, 3, 0, 2).reshape(num_cols, -1)
    entries, padding = count_entries(
        weight, array.pes, zero_run(array.index_bits, entry_has_zero(arch))
    )
    tile = Tile(0, num_rows, entries, padding, 0)
    loaded = tile.weight_beats(array) if fed.loads else 0
    feed = Feed(-max(loaded, 1), fed.pixels, lanes // array.window, fed.gap)
    return _count_tile(
        arch, tile, Positions(flags(matrix)), matrix.shape[1], fed.pixels, loaded, feed,
        keep=fed.keep,
    )  # fmt: skip


def _count_tile(
    arch: ArchConfig,
    tile: Tile,
    act: Positions,
    pixels: int,
    lanes: int,
    loaded: int,
    feed: Feed,
    *,
    keep: bool = False,
) -> Counts:
    """Counts of one tile of groups of ``lanes`` pixels, with ``loaded`` beats of weights.

    With ``keep`` its sums stay: a group is over when every PE has finished it.
    """
    array = arch.array_as(CSCConfig)
    rows = 0 if keep else tile.rows(array.pes)
    total = recur(
        act,
        _service(tile),
        tile.entries.sum(axis=0, dtype=np.int64),
        tile.padding,
        np.count_nonzero(tile.entries == 0, axis=0),
        np.arange(len(tile.padding)) // array.window,
        pixels,
        lanes,
        array.drain_lanes,
        array.fifo_depth,
        rows * array.drain_slices,
        FAR,
        feed._replace(gap=1) if keep else feed,
    )
    nulls = int(total[NULL])
    # a cycle for the command, the beats, a cycle for the first word, then the cycles up to LAST
    before = 1 + max(loaded, 1)
    cycles = before + 1 + int(total[LAST])
    control = dict.fromkeys(arch.array.cause_names["control"], 0) | {
        "idle": before - loaded,
        "load": loaded,
        "broadcast": int(total[BROADCAST]),
        "scan": int(total[SCAN]) + nulls,
        "full": int(total[FULL]),
        "act": 1 + int(total[ACT]),
    }
    control["drain"] = cycles - sum(control.values())
    pe = dict.fromkeys(arch.array.cause_names["pe"], 0) | {
        "idle": array.pes * (before + 2),
        "mac": int(total[WORK] - total[PADDING]),
        "padding": int(total[PADDING]),
        "column": int(total[COLUMN]) + array.pes * nulls,
        "pointer": int(total[POINTER]),
        "drain": int(total[DRAIN]),
        "done": int(total[DONE]),
    }
    pe["empty"] = array.pes * cycles - sum(pe.values())
    events = _events(array, tile, rows, pixels, lanes, loaded, total)
    return Counts(cycles, {"control": control, "pe": pe}, events)


def _events(
    array: CSCConfig, tile: Tile, rows: int, pixels: int, lanes: int, loaded: int, total: Ints
) -> dict[str, int]:
    """Events of one tile: those of its PEs, and the transfers of its streams.

    ``rows`` local rows of each group leave.
    """
    groups = -(-pixels // lanes)
    tokens = array.pes * int(total[BROADCAST] + total[NULL])
    entries = int(total[WORK])
    macs = entries - int(total[PADDING])
    psums = macs + array.pes * groups * rows
    pe = {
        "queue_writes": tokens,
        "queue_reads": tokens,
        "pointer_writes": array.pes * (len(tile.padding) + 1) * (loaded > 0),
        "pointer_reads": 2 * tokens,
        "entry_writes": array.load_pes * tile.entry_beats(array) * (loaded > 0),
        "entry_reads": entries,
        "codebook_writes": array.pes * tile.table,
        "codebook_reads": entries,
        "macs": macs * array.lanes,
        "psum_reads": psums,
        "psum_writes": psums,
    }
    drain_beats = (groups - 1) * array.drain_beats(lanes)
    drain_beats += array.drain_beats(pixels - (groups - 1) * lanes)
    return {event: pe[event] for event in array.pe_strobes} | {
        "command_beats": 1,
        "weight_beats": loaded,
        "act_beats": groups * -(-len(tile.padding) // array.window),
        "ofmap_beats": rows * drain_beats * array.drain_slices,
    }


def _service(tile: Tile) -> NDArray[np.unsignedinteger]:
    """Cycles of every column on every PE, ``(K + 1, P)``; the last row is a null token's."""
    num_pes, num_cols = tile.entries.shape
    service = np.ones((num_cols + 1, num_pes), dtype=tile.entries.dtype)
    np.maximum(tile.entries.T, 1, out=service[:num_cols])
    return service
