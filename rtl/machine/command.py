"""Command of an array from the two words that a descriptor has for it."""

from amaranth import Module, Value
from amaranth.lib import data

from hwsim.config import ArchConfig, SystolicConfig

__all__ = ["drive_command", "pixels"]


def drive_command(m: Module, arch: ArchConfig, command: data.View, job: data.View) -> None:
    """Drive the command of a systolic array: pixels of one fold or tile, K in whole words.

    ``command_0``: words of activations that each pixel reads, M folds. ``command_1``: pixels. The
    array's configuration says what the fields of its command are of these.
    """
    words, m_folds = job.command_0[:16], job.command_0[16:]
    counts = {
        "words": words, "m_folds": m_folds, "pixels": pixels(job), "folds": words * m_folds,
    }  # fmt: skip
    fields = arch.array_as(SystolicConfig).machine_command
    for name, (count, times) in fields.items():
        m.d.comb += command[name].eq(counts[count] * times if count else times)


def pixels(job: data.View) -> Value:
    """Pixels of a job."""
    return Value.cast(job.command_1)[:16]
