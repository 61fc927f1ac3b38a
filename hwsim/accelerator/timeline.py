"""When each tile is loaded, executed and stored: three stages that hold one descriptor each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Stages", "Timeline", "timeline"]

Cycles = NDArray[np.int64]

#: Cycles of the first stage beside fetching and loading: those in which a descriptor is checked,
#: waits at the barrier, and has been loaded.
CHECKED, LOADED = 2, 1


@dataclass(frozen=True)
class Stages:
    """What each tile takes in each stage by itself, in cycles.

    ``fetch`` and ``load``: from the first block that is offered to the engine until it is idle.
    ``execute``: from entering the stage until it may be left. ``store`` as ``load``. A tile without
    blocks has 0.
    """

    fetch: Cycles
    load: Cycles
    execute: Cycles
    store: Cycles
    barrier: NDArray[np.bool_]


@dataclass(frozen=True)
class Timeline:
    """Cycles in which tiles enter and finish each stage, and leave it; counted from the start.

    Cycle 0 is the first in which the machine is busy.
    """

    load: Cycles
    load_end: Cycles
    execute: Cycles
    execute_end: Cycles
    store: Cycles
    store_end: Cycles

    @property
    def cycles(self) -> int:
        """Cycles of the run: up to the one in which the last tile is stored."""
        return int(self.store_end[-1]) + 1


def timeline(stages: Stages) -> Timeline:
    """Pass the tiles through the stages.

    A stage hands a tile on in the cycle in which it has finished and the next stage is empty, or
    hands on its own; the next stage has the tile in the cycle after.
    """
    columns: list[list[int]] = [[] for _ in range(6)]
    load_left = execute_left = store_left = -1
    rows: Sequence[tuple[int, ...]] = list(
        zip(
            stages.fetch.tolist(), stages.load.tolist(), stages.execute.tolist(),
            stages.store.tolist(), stages.barrier.tolist(), strict=True,
        )
    )  # fmt: skip
    for fetch, load, execute, store, barrier in rows:
        load_begin = load_left + 1
        # the engine is seen idle; checked; at the barrier
        passes = load_begin + fetch + CHECKED
        if barrier:
            passes = max(passes, store_left + 1)
        # without blocks loaded in the next cycle; else the engine takes them from it
        load_end = passes + 1 + (load + LOADED if load else 0)
        load_left = max(load_end, execute_left)
        execute_begin = load_left + 1
        execute_end = execute_begin + execute
        execute_left = max(execute_end, store_left)
        store_begin = execute_left + 1
        store_left = store_end = store_begin + (store + 1 if store else 1)
        for column, value in zip(
            columns,
            (load_begin, load_end, execute_begin, execute_end, store_begin, store_end),
            strict=True,
        ):
            column.append(value)
    return Timeline(*(np.array(column, np.int64) for column in columns))
