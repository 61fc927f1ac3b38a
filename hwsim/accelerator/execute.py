"""Cycles that the execution of a tile takes, whatever the memory does."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.accelerator.tile import ArrayJob, Tile, VectorJob
from hwsim.accelerator.vector import vector_cycles
from hwsim.config import ArchConfig
from hwsim.config.shape import MachineShape
from hwsim.contract.machine import KEEP_LATENCY, POST_LATENCY, RAW_LATENCY

__all__ = ["execute_cycles", "ready_cycles"]


def execute_cycles(arch: ArchConfig, tile: Tile) -> int:
    """Cycles from that in which a tile enters the stage to the first in which it may leave.

    The array gets its command one cycle after the tile has come, and gives its last sum after its
    own count of cycles; the vector unit is offered its first word two cycles after. Behind both
    lie the registers of the postprocess, and the flag that the stage has finished. Transposers,
    where there are some, are filled with a word per pixel before the array's first operands, and
    emptied of a beat per pixel after its last sums. Whole sums of a pixel, where an array gives
    them one after the other, each wait until the one before is written. Sums that stay fill no
    transposer.
    """
    job = tile.job
    if job is None:
        return 1
    shape = MachineShape.of(arch)
    if isinstance(job, VectorJob):
        cycles = 2 + vector_cycles(job.window, job.windows, shape.post_beats)
        return cycles + POST_LATENCY
    cycles = 1 + job.cycles - (arch.array.kept_cycles if job.keep else 0)
    if arch.array.transposes:
        cycles += (1 if job.keep else 2) * job.pixels
    if arch.array.pixel_by_pixel and job.raw:
        cycles += (job.m_folds - 1) * (shape.raw_beats - 1)
    return cycles + _behind(job, shape)


def ready_cycles(arch: ArchConfig, tiles: Sequence[Tile]) -> list[int]:
    """Cycle of a run before which the execution of each tile does not advance.

    The array is reset when a run begins, and takes no command while it zeroes its accumulators. The
    first job of the array offers its command in its second cycle.
    """
    first = next((i for i, tile in enumerate(tiles) if isinstance(tile.job, ArrayJob)), None)
    cleared = max(0, arch.array.clear_cycles - 1)
    return [cleared if index == first else 0 for index in range(len(tiles))]


def _behind(job: ArrayJob, shape: MachineShape) -> int:
    """Cycles from the last sum to its last write; of sums that stay, to the array's idle state."""
    if job.keep:
        return KEEP_LATENCY
    return RAW_LATENCY + shape.raw_beats - 1 if job.raw else POST_LATENCY
