"""A program as tables of integers: what of its time does not depend on the memory."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.execute import execute_cycles, ready_cycles
from hwsim.accelerator.load import LoadBlock, load_row
from hwsim.accelerator.program import CONSTANTS, Program
from hwsim.accelerator.store import StoreBlock
from hwsim.accelerator.tile import ArrayJob, Load, Store
from hwsim.contract.descriptors import DESCRIPTOR_BYTES, DESCRIPTOR_TARGET, TARGETS

__all__ = ["Tables", "load_block", "store_block"]

Table = NDArray[np.int64]

#: Tables of programs that are in use.
_KNOWN: WeakKeyDictionary[Program, Any] = WeakKeyDictionary()


@dataclass(frozen=True)
class Tables:
    """Blocks of all tiles, one after the other, and the first of each tile.

    Attributes
    ----------
    fetches, loads, stores
        Rows of the recurrences of load and store (:mod:`hwsim.accelerator.load`).
    first_loads, first_stores
        ``(tiles + 1,)``
    execute
        Cycles of each tile in the second stage.
    ready
        Cycle of the run before which it does not advance there
        (:func:`hwsim.accelerator.execute.ready_cycles`).
    array_beats, read_beats, write_beats
        Counters of the whole program.
    """

    fetches: Table
    loads: Table
    first_loads: Table
    stores: Table
    first_stores: Table
    execute: Table
    barrier: NDArray[np.bool_]
    ready: Table
    array_beats: int
    read_beats: int
    write_beats: int

    @classmethod
    def of(cls, program: Program) -> Self:
        """Tables of a program, which are made once."""
        found = _KNOWN.get(program)
        if found is None:
            found = _KNOWN[program] = cls._made(program)
        return found

    @classmethod
    def _made(cls, program: Program) -> Self:
        bus, shape, tiles = program.arch.bus, program.shape, program.tiles
        lines, start = DESCRIPTOR_BYTES // bus.bytes, program.bases()[CONSTANTS]
        fetches = [
            load_row(
                LoadBlock(
                    start + index * DESCRIPTOR_BYTES, 0, 1, lines, lines, 0, 0,
                    DESCRIPTOR_TARGET, 0,
                ),
                bus, shape.widths,
            )
            for index in range(len(tiles))
        ]  # fmt: skip
        loads = [
            load_row(load_block(program, e), bus, shape.widths) for t in tiles for e in t.loads
        ]
        stores = [store_block(program, tile.store)[:4] for tile in tiles if tile.store is not None]
        known: dict[object, int] = {}
        for tile in tiles:
            if tile.job not in known:
                known[tile.job] = execute_cycles(program.arch, tile)
        jobs = [tile.job for tile in tiles]
        reads = lines * len(tiles) + sum(each.beats * each.rows for t in tiles for each in t.loads)
        return cls(
            _table(fetches, 6),
            _table(loads, 6),
            _firsts([len(tile.loads) for tile in tiles]),
            _table(stores, 4),
            _firsts([int(tile.store is not None) for tile in tiles]),
            np.array([known[job] for job in jobs], np.int64),
            np.array([tile.barrier for tile in tiles], np.bool_),
            np.array(ready_cycles(program.arch, tiles), np.int64),
            sum(job.act_beats for job in jobs if isinstance(job, ArrayJob)),
            reads,
            sum(_store_beats(program, tile.store) for tile in tiles if tile.store is not None),
        )


def load_block(program: Program, load: Load) -> LoadBlock:
    """Block of a tile as the load engine takes it."""
    return LoadBlock(
        program.address(load.region, load.address), load.row_step, load.rows, load.beats,
        load.words, load.to, load.to_step, TARGETS[load.target], load.index,
    )  # fmt: skip


def store_block(program: Program, store: Store) -> StoreBlock:
    """Block of a tile as the store engine takes it."""
    return StoreBlock(
        program.address(store.region, store.address), store.row_step, store.rows, store.words,
        store.start, store.step, store.bank,
    )  # fmt: skip


def _store_beats(program: Program, store: Store) -> int:
    bits = store.words * program.shape.act_bits
    return store.rows * -(-bits // program.arch.bus.data_width)


def _table(rows: Sequence[tuple[int, ...]], width: int) -> Table:
    return np.array(rows, np.int64).reshape(-1, width)


def _firsts(counts: list[int]) -> Table:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
