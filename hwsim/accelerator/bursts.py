"""Bursts of a strided block, as both walkers over memory cut them."""

from __future__ import annotations

from numba import njit

from hwsim.config import BusConfig, MemoryConfig
from hwsim.config.machine import PAGE

__all__ = ["burst_length", "numbers"]


@njit(cache=True, nogil=True)
def burst_length(address, left, longest, beat_bytes):  # type: ignore[no-untyped-def]
    """Beats of the burst at an address with so many beats left in its row."""
    return min(left, longest, (PAGE - address % PAGE) // beat_bytes)


def numbers(memory: MemoryConfig, bus: BusConfig, outstanding: int) -> tuple[int, ...]:
    """Numbers of memory and bus that a recurrence needs.

    They are longest burst, bytes of a beat, bursts under way, latency, interval, overhead. Engine
    and memory count the bursts under way in registers that agree: the smaller limit holds.
    """
    return (
        bus.burst,
        bus.bytes,
        min(outstanding, memory.outstanding),
        memory.latency,
        memory.interval(bus),
        memory.overhead,
    )
