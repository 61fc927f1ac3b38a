"""A network on a machine: cycles of each layer, who waited for whom, and what was moved."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hwsim.accelerator.simulate import MachineRun
from hwsim.accelerator.tile import ArrayJob
from hwsim.contract.descriptors import DESCRIPTOR_BYTES
from hwsim.report.result import Result

if TYPE_CHECKING:
    from hwsim.config import MemoryConfig, NetworkConfig

__all__ = ["LayerRun", "MachineResult"]


@dataclass(frozen=True)
class LayerRun:
    """One layer: its tiles, and the cycles from the end of the layer before to its own."""

    name: str
    #: What computes it: ``array``, ``vector`` unit, or nothing.
    unit: str
    tiles: int
    #: Jobs that K is cut over: the sums of each but the last stay in the array.
    k_parts: int
    cycles: int
    #: Of them: the next tile was not loaded; array or vector unit ran; a store was waited for.
    waits_load: int
    executes: int
    waits_store: int
    #: Multiply-accumulates of the layer, those by a zero included, whoever leaves them out.
    macs: int
    #: Bytes of the bus by kind: descriptors, act, weight, scale, stored.
    moved: dict[str, int]

    @property
    def busier(self) -> int:
        """Bytes of the busier direction: reads and writes of the bus do not wait for each other."""
        stored = self.moved["stored"]
        return max(stored, sum(self.moved.values()) - stored)

    @property
    def intensity(self) -> float:
        """Multiply-accumulates per byte of the busier direction."""
        return self.macs / self.busier if self.busier else 0.0

    @property
    def bytes_per_cycle(self) -> float:
        """Bytes read and written, per cycle of the layer."""
        return sum(self.moved.values()) / self.cycles if self.cycles else 0.0


@dataclass(frozen=True)
class MachineResult(Result):
    """A program that was run with a memory."""

    network: NetworkConfig
    images: int
    memory: MemoryConfig
    run: MachineRun
    #: Its weights, in words.
    weights: str

    @property
    def title(self) -> str:
        """Title of the table."""
        arch = self.run.program.arch.name
        plural = "image" if self.images == 1 else "images"
        parts = [f"{self.network.name} on {arch}", f"{self.images} {plural}", self.weights]
        return ", ".join([*parts, f"memory {self.memory.name}"])

    @property
    def cycles(self) -> int:
        """Cycles of the run."""
        return self.run.cycles

    @property
    def bandwidth(self) -> float:
        """Bytes per cycle that bus and memory move at most, in each direction."""
        bus = self.run.program.arch.bus
        return bus.bytes / self.memory.interval(bus)

    def share(self, layer: LayerRun) -> float:
        """Share of :attr:`bandwidth` that the busier direction of a layer takes.

        It may exceed 1: a layer's first tiles are loaded while the layer before runs, and its last
        ones stored while the next one does.
        """
        return layer.busier / layer.cycles / self.bandwidth if layer.cycles else 0.0

    def layers(self) -> list[LayerRun]:
        """Layers in the order in which they are begun; tiles of no layer are the program's."""
        program, times = self.run.program, self.run.timeline
        left = times.store - 1
        # the last layer waits for the last store
        left[-1] = times.store_end[-1]
        before = np.concatenate([[-1], left[:-1]])
        waits = times.execute - before - 1
        found: dict[str, LayerRun] = {}
        parts = 0
        bus = program.arch.bus.bytes
        work = {s.layer.name: self.images * s.macs for s in self.network.shapes() if s.has_weights}
        for index, tile in enumerate(program.tiles):
            name = tile.layer or "program"
            moved = dict.fromkeys(("descriptor", *program.shape.widths, "stored"), 0)
            moved["descriptor"] = DESCRIPTOR_BYTES
            for load in tile.loads:
                moved[load.target] += load.rows * load.beats * bus
            if tile.store is not None:
                moved["stored"] = tile.store.rows * tile.store.words * program.shape.act_bits // 8
            job = tile.job
            parts = parts + 1 if isinstance(job, ArrayJob) and job.carry else 1
            old = found.get(name, LayerRun(name, "", 0, 1, 0, 0, 0, 0, 0, {}))
            found[name] = LayerRun(
                name,
                old.unit if job is None else job.KIND,
                old.tiles + 1,
                max(old.k_parts, parts),
                old.cycles + int(left[index] - before[index]),
                old.waits_load + int(waits[index]),
                old.executes + int(times.execute_end[index] - times.execute[index]),
                old.waits_store + int(left[index] - times.execute_end[index]) + 1,
                work.get(name, 0),
                {key: old.moved.get(key, 0) + value for key, value in moved.items()},
            )
        return list(found.values())

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per layer."""
        return [
            {
                "layer": layer.name,
                "unit": layer.unit,
                "tiles": layer.tiles,
                "k_parts": layer.k_parts,
                "cycles": layer.cycles,
                "waits_load": layer.waits_load,
                "executes": layer.executes,
                "waits_store": layer.waits_store,
                "macs": layer.macs,
                **{f"{kind}_bytes": value for kind, value in layer.moved.items()},
                "macs_per_byte": round(layer.intensity, 2),
                "bytes_per_cycle": round(layer.bytes_per_cycle, 3),
                "bandwidth_share": round(self.share(layer), 4),
            }
            for layer in self.layers()
        ]

    def to_dict(self) -> dict[str, Any]:
        """Everything as plain data: layers, counters of the machine, the plan tile by tile."""
        program, times = self.run.program, self.run.timeline
        plan = [
            {
                "layer": tile.layer,
                "barrier": tile.barrier,
                **({} if tile.job is None else tile.job.to_dict()),
                "load": [int(times.load[index]), int(times.load_end[index])],
                "execute": [int(times.execute[index]), int(times.execute_end[index])],
                "store": [int(times.store[index]), int(times.store_end[index])],
            }
            for index, tile in enumerate(program.tiles)
        ]
        return {
            "arch": program.arch.name,
            "network": self.network.name,
            "images": self.images,
            "weights": self.weights,
            "memory": self.memory.model_dump(),
            "cycles": self.cycles,
            "counters": self.run.counters(),
            "layers": self.to_rows(),
            "plan": plan,
        }
