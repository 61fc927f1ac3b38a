"""When each tile is loaded, executed and stored: three stages that hold one descriptor each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
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
    blocks has 0. ``ready``: the execution of a tile does not advance before this cycle of the run.
    """

    fetch: Cycles
    load: Cycles
    execute: Cycles
    store: Cycles
    barrier: NDArray[np.bool_]
    ready: Cycles


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
    columns = _pass(
        stages.fetch, stages.load, stages.execute, stages.store, stages.barrier, stages.ready
    )
    return Timeline(*columns)


@njit(cache=True, nogil=True)
def _pass(fetch, load, execute, store, barrier, ready):  # type: ignore[no-untyped-def]
    columns = np.zeros((6, len(fetch)), np.int64)
    load_left = execute_left = store_left = -1
    for tile in range(len(fetch)):
        load_begin = load_left + 1
        # the engine is seen idle; checked; at the barrier
        passes = load_begin + fetch[tile] + CHECKED
        if barrier[tile]:
            passes = max(passes, store_left + 1)
        # without blocks loaded in the next cycle; else the engine takes them from it
        load_end = passes + 1 + (load[tile] + LOADED if load[tile] else 0)
        load_left = max(load_end, execute_left)
        execute_begin = load_left + 1
        execute_end = max(execute_begin, ready[tile]) + execute[tile]
        execute_left = max(execute_end, store_left)
        store_begin = execute_left + 1
        store_left = store_begin + (store[tile] + 1 if store[tile] else 1)
        columns[0, tile], columns[1, tile] = load_begin, load_end
        columns[2, tile], columns[3, tile] = execute_begin, execute_end
        columns[4, tile], columns[5, tile] = store_begin, store_left
    return columns
