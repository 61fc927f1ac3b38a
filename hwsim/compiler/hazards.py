"""Neighbouring tiles that must not overlap: ports with two users, data that is still needed."""

from __future__ import annotations

from hwsim.accelerator.tile import ArrayJob, Nest, Tile, VectorJob
from hwsim.config.shape import MachineShape

__all__ = ["needs_barrier"]


def needs_barrier(before: Tile, tile: Tile, shape: MachineShape) -> bool:
    """Whether a tile must not be loaded before all before it has ended.

    Its load runs beside the execution of the tile before, its execution beside the store of that.
    """
    job = before.job
    if tile.job is not None and before.store is not None:
        if tile.job.read_bank == before.store.bank:
            return True
        if tile.job.write_bank == before.store.bank:
            return True
    for load in tile.loads:
        if before.store is not None and (load.target, load.index) == ("act", before.store.bank):
            return True
        if job is None:
            continue
        if load.target == "act":
            if load.index == job.write_bank:
                return True
            words = (load.rows - 1) * load.to_step + load.words
            if load.index == job.read_bank and _overlap(load.to, words, job, shape):
                return True
        elif load.target == "scale" and load.index == job.scale_half:
            return True
        elif isinstance(job, ArrayJob) and load.index == job.weight_half:
            return load.target == "weight"
    return False


def _overlap(first: int, words: int, job: ArrayJob | VectorJob, shape: MachineShape) -> bool:
    beats = shape.feed_beats if isinstance(job, ArrayJob) else 1
    low, high = _span(job.feed)
    return low // beats < first + words and first <= high // beats


def _span(nest: Nest) -> tuple[int, int]:
    last = nest.start + sum((b - 1) * s for b, s in zip(nest.bounds, nest.strides, strict=True))
    return nest.start, last
