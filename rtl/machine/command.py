"""Command of an array from the two words that a descriptor has for it, per family."""

from amaranth import Module, Value
from amaranth.lib import data

from hwsim.config import ArchConfig, SystolicConfig

__all__ = ["drive_command", "weight_base"]


def drive_command(m: Module, arch: ArchConfig, command: data.View, job: data.View) -> None:
    """Drive the command of a weight-stationary array: one tile, whose K fills all rows.

    ``command_0``: K folds, M folds. ``command_1``: pixels, first word of the weights.
    """
    array = arch.array_as(SystolicConfig)
    m.d.comb += [
        command.k_folds.eq(job.command_0[:16]),
        command.m_folds.eq(job.command_0[16:]),
        command.n_tiles.eq(1),
        command.k_edge.eq(array.rows),
        command.n_edge.eq(job.command_1[:16]),
    ]


def weight_base(job: data.View) -> Value:
    """First word of a job's weights in their half."""
    return Value.cast(job.command_1)[16:]
