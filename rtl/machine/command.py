"""Counts of a job from the two words that a descriptor has for it."""

from amaranth import Value
from amaranth.lib import data

__all__ = ["pixels"]


def pixels(job: data.View) -> Value:
    """Pixels of a job."""
    return Value.cast(job.command_1)[:16]
