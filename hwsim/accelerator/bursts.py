"""Bursts of a strided block, as both walkers over memory cut them."""

from __future__ import annotations

from numba import njit

from hwsim.config import BusConfig, MemoryConfig
from hwsim.config.machine import PAGE
from hwsim.errors import InputError

__all__ = ["burst_length", "least_latency", "numbers"]

#: Cycles from the last beat of a load to the first request of the next one: its word is written,
#: the engine is idle, the next block is queued, the walker has it. A store has the latency and more
#: between them.
_IDLE = 4


@njit(cache=True, nogil=True)
def burst_length(address, left, longest, beat_bytes):  # type: ignore[no-untyped-def]
    """Beats of the burst at an address with so many beats left in its row."""
    return min(left, longest, (PAGE - (address & (PAGE - 1))) // beat_bytes)


def least_latency(memory: MemoryConfig, bus: BusConfig) -> int:
    """Cycles of latency that a memory needs: a pause between bursts is then over in time."""
    return memory.interval(bus) + memory.overhead - _IDLE


def numbers(memory: MemoryConfig, bus: BusConfig, outstanding: int) -> tuple[int, ...]:
    """Numbers of memory and bus that a recurrence needs.

    They are longest burst, bytes of a beat, bursts under way, latency, interval, overhead. Engine
    and memory count the bursts under way in registers that agree: the smaller limit holds.

    Raises
    ------
    InputError
        The memory pauses for so long that a block could wait for the one before: the time of a tile
        would depend on what came before it.
    """
    least = least_latency(memory, bus)
    if memory.latency < least:
        rule = f"must be at least {least} with beats of {bus.data_width} bits: a pause between "
        rule += "bursts must be over when the next block's first beat may come"
        raise InputError(f"memory {memory.name}", "latency", memory.latency, rule)
    return (
        bus.burst,
        bus.bytes,
        min(outstanding, memory.outstanding),
        memory.latency,
        memory.interval(bus),
        memory.overhead,
    )
