"""Run a program on a machine in the fast form: exact cycles, and who waited for whom."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hwsim.accelerator.execute import execute_cycles
from hwsim.accelerator.load import LoadBlock, load_cycles
from hwsim.accelerator.program import CONSTANTS, Program
from hwsim.accelerator.store import StoreBlock, store_cycles
from hwsim.accelerator.tile import ArrayJob, Load, Store
from hwsim.accelerator.timeline import Stages, Timeline, timeline
from hwsim.contract.descriptors import DESCRIPTOR_BYTES, DESCRIPTOR_TARGET, TARGETS

if TYPE_CHECKING:
    from hwsim.config import MemoryConfig

__all__ = ["MachineRun", "load_block", "simulate", "stages", "store_block"]


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
        times, bus = self.timeline, self.program.arch.bus
        load_left, execute_left = times.execute - 1, times.store - 1
        # the second stage is empty from the cycle after a tile has left it
        emptied = np.concatenate([[0], execute_left[:-1] + 1])
        beats = len(self.program.tiles) * (DESCRIPTOR_BYTES // bus.bytes)
        beats += sum(load.beats * load.rows for t in self.program.tiles for load in t.loads)
        jobs = [tile.job for tile in self.program.tiles if isinstance(tile.job, ArrayJob)]
        return {
            "cycles": self.cycles,
            "load_busy": int((times.load_end - times.load).sum()),
            "load_waits": int((load_left - times.load_end).sum()),
            "execute_busy": int((times.execute_end - times.execute).sum()),
            "execute_waits_load": int((times.execute - emptied).sum()),
            "execute_waits_store": int((execute_left - times.execute_end).sum()),
            "store_busy": int((times.store_end - times.store).sum()),
            "array_beats": sum(job.act_beats for job in jobs),
            "read_beats": beats,
            "write_beats": sum(
                _store_beats(self.program, tile.store) for tile in self.program.tiles if tile.store
            ),
        }


def simulate(program: Program, memory: MemoryConfig) -> MachineRun:
    """Count the cycles of a program with a memory: exactly those of the hardware.

    The program lies at address 0, and its regions on boundaries of a page.
    """
    found = stages(program, memory)
    return MachineRun(program, found, timeline(found))


def stages(program: Program, memory: MemoryConfig) -> Stages:
    """What each tile takes in each stage by itself."""
    arch, bus, widths = program.arch, program.arch.bus, program.shape.widths
    bases = program.bases()
    beats = DESCRIPTOR_BYTES // bus.bytes
    fetch, load, execute, store = [], [], [], []
    known: dict[object, int] = {}
    for index, tile in enumerate(program.tiles):
        at = bases[CONSTANTS] + index * DESCRIPTOR_BYTES
        block = LoadBlock(at, 0, 1, beats, beats, 0, 0, DESCRIPTOR_TARGET, 0)
        fetch.append(load_cycles([block], memory, bus, widths))
        load.append(
            load_cycles([load_block(program, each) for each in tile.loads], memory, bus, widths)
        )
        if tile.job not in known:
            known[tile.job] = execute_cycles(arch, tile)
        execute.append(known[tile.job])
        store.append(
            store_cycles([store_block(program, tile.store)], memory, bus, program.shape.act_bits)
            if tile.store
            else 0
        )
    barrier = [tile.barrier for tile in program.tiles]
    return Stages(
        np.array(fetch, np.int64),
        np.array(load, np.int64),
        np.array(execute, np.int64),
        np.array(store, np.int64),
        np.array(barrier, np.bool_),
    )


def load_block(program: Program, load: Load) -> LoadBlock:
    """Block of a tile as the load engine takes it."""
    return LoadBlock(
        program.address(load.region, load.address), load.row_step, load.rows, load.beats,
        load.words, load.to, load.to_step, TARGETS[load.target], load.index,
    )  # fmt: skip


def store_block(program: Program, store: Store) -> StoreBlock:
    """Block of a tile as the store engine takes it."""
    return StoreBlock(
        program.address(store.region, store.address), store.row_step, store.rows, store.words,
        store.start, store.step, store.bank,
    )  # fmt: skip


def _store_beats(program: Program, store: Store) -> int:
    bits = store.words * program.shape.act_bits
    return store.rows * -(-bits // program.arch.bus.data_width)
