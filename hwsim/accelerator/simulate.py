"""Run a program on a machine in the fast form: exact cycles, and who waited for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwsim.accelerator.load import load_table
from hwsim.accelerator.program import Program
from hwsim.accelerator.store import store_table
from hwsim.accelerator.tables import Tables
from hwsim.accelerator.timeline import Stages, Timeline, timeline

if TYPE_CHECKING:
    from hwsim.config import MemoryConfig

__all__ = ["MachineRun", "simulate", "stages"]


@dataclass(frozen=True)
class MachineRun:
    """A program that was run."""

    program: Program
    stages: Stages
    timeline: Timeline

    @property
    def cycles(self) -> int:
        """Cycles of the run."""
        return self.timeline.cycles

    def counters(self) -> dict[str, int]:
        """Counters of the machine, as the host reads them (``hwsim.contract.registers``)."""
        times = self.timeline
        load_left, execute_left = times.execute - 1, times.store - 1
        # the second stage is empty from the cycle after a tile has left it
        emptied = np.concatenate([[0], execute_left[:-1] + 1])
        tables = Tables.of(self.program)
        return {
            "cycles": self.cycles,
            "load_busy": int((times.load_end - times.load).sum()),
            "load_waits": int((load_left - times.load_end).sum()),
            "execute_busy": int((times.execute_end - times.execute).sum()),
            "execute_waits_load": int((times.execute - emptied).sum()),
            "execute_waits_store": int((execute_left - times.execute_end).sum()),
            "store_busy": int((times.store_end - times.store).sum()),
            "array_beats": tables.array_beats,
            "read_beats": tables.read_beats,
            "write_beats": tables.write_beats,
        }


def simulate(program: Program, memory: MemoryConfig) -> MachineRun:
    """Count the cycles of a program with a memory: exactly those of the hardware.

    The program lies at address 0, and its regions on boundaries of a page.
    """
    found = stages(program, memory)
    return MachineRun(program, found, timeline(found))


def stages(program: Program, memory: MemoryConfig) -> Stages:
    """What each tile takes in each stage by itself."""
    bus, tables = program.arch.bus, Tables.of(program)
    every = np.arange(len(tables.fetches) + 1)
    return Stages(
        load_table(tables.fetches, every, memory, bus),
        load_table(tables.loads, tables.first_loads, memory, bus),
        tables.execute,
        store_table(tables.stores, tables.first_stores, memory, bus, program.shape.act_bits),
        tables.barrier,
        tables.ready,
    )
