"""Neighbouring tiles that must not overlap: ports with two users, data that is still needed."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.accelerator.tile import ArrayJob, Load, Nest, Tile, VectorJob
from hwsim.config.shape import MachineShape

__all__ = ["needs_barrier"]


def needs_barrier(before: Sequence[Tile], tile: Tile, shape: MachineShape) -> bool:
    """Whether a tile must not be loaded before all before it has ended.

    Its load runs beside the execution of the tile before and the store of the one before that; its
    execution runs beside the store of the tile before.

    Parameters
    ----------
    before
        All tiles before it, or the last two of them.
    """
    last = before[-1] if before else Tile()
    drained = {each.store.bank for each in before[-2:] if each.store is not None}
    works = {tile.job.read_bank, tile.job.write_bank} if tile.job is not None else set()
    if last.store is not None and last.store.bank in works:
        return True
    return any(
        (load.target == "act" and load.index in drained)
        or (last.job is not None and _clashes(load, last.job, shape))
        for load in tile.loads
    )


def _clashes(load: Load, job: ArrayJob | VectorJob, shape: MachineShape) -> bool:
    """Whether a load uses a port of a job, or overwrites what the job reads."""
    if load.target == "scale":
        return load.index == job.scale_half
    if load.target in ("weight", "list"):
        return isinstance(job, ArrayJob) and load.index == job.weight_half
    if load.index == job.write_bank:
        return True
    beats = shape.feed_beats if isinstance(job, ArrayJob) else 1
    low, high = _span(job.feed)
    end = load.to + (load.rows - 1) * load.to_step + load.words
    return load.index == job.read_bank and low // beats < end and load.to <= high // beats


def _span(nest: Nest) -> tuple[int, int]:
    """Least and greatest position of a nest."""
    ways = [(bound - 1) * stride for bound, stride in zip(nest.bounds, nest.strides, strict=True)]
    least = sum(min(0, way) for way in ways)
    return nest.start + least, nest.start + sum(ways) - least + nest.reach
