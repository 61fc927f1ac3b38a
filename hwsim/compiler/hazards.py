"""Neighbouring tiles that must not overlap: ports with two users, data that is still needed."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.accelerator.tile import ArrayJob, Load, Nest, Store, Tile, VectorJob
from hwsim.config.shape import MachineShape

__all__ = ["needs_barrier"]


def needs_barrier(before: Sequence[Tile], tile: Tile, shape: MachineShape) -> bool:
    """Whether a tile must not be loaded before all before it has ended.

    Its load runs beside the execution of the tile before, and beside the stores of the two before;
    its execution runs beside the store of the tile before.

    Parameters
    ----------
    before
        All tiles before it, or the last two of them.
    """
    last = before[-1] if before else Tile()
    stores = [each.store for each in before[-2:] if each.store is not None]
    if tile.job is not None and last.store is not None and _meets(tile.job, last.store, shape):
        return True
    return any(
        (last.job is not None and _clashes(load, last.job, shape))
        or any(_overtakes(load, store, shape) for store in stores)
        for load in tile.loads
    )


def _meets(job: ArrayJob | VectorJob, store: Store, shape: MachineShape) -> bool:
    """Whether a job reads through the port of a store, or overwrites what is stored."""
    if job.read_bank == store.bank:
        return True
    raw = shape.raw_beats if isinstance(job, ArrayJob) and job.raw else 1
    low, high = _span(job.post)
    written = low // shape.post_beats, (high + raw - 1) // shape.post_beats + 1
    return job.write_bank == store.bank and _overlap(written, _on_chip(store))


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
    filled = load.to, load.to + (load.rows - 1) * load.to_step + load.words
    return load.index == job.read_bank and _overlap((low // beats, high // beats + 1), filled)


def _overtakes(load: Load, store: Store, shape: MachineShape) -> bool:
    """Whether a load overwrites what is stored, or reads what is written to memory."""
    if load.target == "act" and load.index == store.bank:
        filled = load.to, load.to + (load.rows - 1) * load.to_step + load.words
        if _overlap(filled, _on_chip(store)):
            return True
    if load.region != store.region:
        return False
    read = load.address + (load.rows - 1) * load.row_step
    wrote = store.address + (store.rows - 1) * store.row_step
    return _overlap(
        (load.address, read + load.words * shape.widths[load.target] // 8),
        (store.address, wrote + store.words * shape.act_bits // 8),
    )


def _on_chip(store: Store) -> tuple[int, int]:
    """First word of a store, and the one behind its last."""
    return store.start, store.start + (store.rows - 1) * store.step + store.words


def _overlap(one: tuple[int, int], other: tuple[int, int]) -> bool:
    return one[0] < other[1] and other[0] < one[1]


def _span(nest: Nest) -> tuple[int, int]:
    """Least and greatest position of a nest."""
    ways = [(bound - 1) * stride for bound, stride in zip(nest.bounds, nest.strides, strict=True)]
    least = sum(min(0, way) for way in ways)
    return nest.start + least, nest.start + sum(ways) - least + nest.reach
