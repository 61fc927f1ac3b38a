"""The memory outside the machine: no hardware of ours, but what its time depends on."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Self

from pydantic import Field

from hwsim.config.base import Config, load
from hwsim.config.catalog import resolve
from hwsim.config.machine import BusConfig

__all__ = ["MemoryConfig"]


class MemoryConfig(Config):
    """A memory that serves reads in order, and writes in order, neither waiting for the other.

    A burst's first beat is offered ``latency`` cycles after its address is taken, or when the burst
    before has ended and the pause after it is over, whichever is later. Simulator and testbench
    follow the same rules: ``hwsim.accelerator`` and ``hwsim.rtl.cosim.memory``. A pause that
    outlasts the latency is refused there: tiles must not wait for those before them.
    """

    name: str
    #: Where the figures come from.
    source: str
    #: Cycles from the transfer of a read's address to its first beat, and from a write's last beat
    #: to its response.
    latency: Annotated[int, Field(ge=1, le=4096)]
    #: Bytes per cycle that the memory moves; a wider beat takes several cycles.
    bytes_per_cycle: Annotated[int, Field(ge=1, le=1024)]
    #: Read bursts that it accepts before the first has ended; write bursts, likewise.
    outstanding: Annotated[int, Field(ge=1, le=16)] = 16
    #: Cycles that it pauses between bursts.
    overhead: Annotated[int, Field(ge=0, le=4096)] = 0

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a memory by name (``configs/memory``) or path."""
        return load(cls, resolve(name, "memory"))

    def interval(self, bus: BusConfig) -> int:
        """Cycles from one beat of a burst to the next."""
        return -(-bus.bytes // self.bytes_per_cycle)
