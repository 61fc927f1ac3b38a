"""Tiles through three stages: the recurrence against stages that move cycle by cycle."""

import numpy as np
import pytest
from harness.component import seeded

from hwsim.accelerator.timeline import CHECKED, LOADED, Stages, timeline


def stepped(stages):
    """Cycle in which each tile leaves each stage, by stages that hold one tile each."""
    count = len(stages.fetch)
    left = np.zeros((3, count), int)
    held, finish = [0, None, None], [None, None, None]
    cycle = 0
    phase = "fetch"
    passes = stages.fetch[0] + CHECKED
    while held != [None, None, None]:
        # the first stage waits at its barrier, then loads
        tile = held[0]
        if tile is not None and phase == "fetch" and cycle >= passes:
            empty = held[1] is None and held[2] is None
            if not stages.barrier[tile] or empty:
                load = stages.load[tile]
                finish[0], phase = cycle + 1 + (load + LOADED if load else 0), "load"
        leaves = [False] * 3
        leaves[2] = held[2] is not None and cycle >= finish[2]
        done = held[1] is not None and cycle >= finish[1]
        leaves[1] = done and (held[2] is None or leaves[2])
        loaded = held[0] is not None and finish[0] is not None and cycle >= finish[0]
        leaves[0] = loaded and (held[1] is None or leaves[1])
        for stage in (2, 1, 0):
            if not leaves[stage]:
                continue
            tile = held[stage]
            left[stage, tile] = cycle
            held[stage] = None
            if stage == 1:
                held[2], finish[2] = tile, cycle + 1 + (stages.store[tile] + 1 or 1)
            if stage == 0:
                begin = max(cycle + 1, stages.ready[tile])
                held[1], finish[1] = tile, begin + stages.execute[tile]
                if tile + 1 < count:
                    held[0], finish[0], phase = tile + 1, None, "fetch"
                    passes = cycle + 1 + stages.fetch[tile + 1] + CHECKED
        cycle += 1
    return left


@pytest.mark.parametrize("seed", range(30))
def test_the_recurrence_is_what_the_stages_do(seed):
    rng = seeded(seed)
    count = int(rng.integers(1, 20))
    high = rng.integers(1, 60, size=4)

    def draw(index, zeros):
        values = rng.integers(1, high[index] + 1, size=count)
        return np.where(rng.random(count) < zeros, 0, values)

    stages = Stages(
        draw(0, 0),
        draw(1, 0.4),
        np.maximum(1, draw(2, 0)),
        draw(3, 0.5),
        rng.random(count) < 0.2,
        draw(2, 0.5) * 10,
    )
    times = timeline(stages)
    load, execute, store = stepped(stages)
    assert (times.execute - 1 == load).all()
    assert (times.store - 1 == execute).all()
    assert (times.store_end == store).all()
    assert times.cycles == store[-1] + 1
