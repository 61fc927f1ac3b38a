"""Cycle-by-cycle sequence of commands of the index-decoding arrays: load a tile, then run it."""

from __future__ import annotations

from abc import ABC, abstractmethod

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Run, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.decoding.drain import Drain
from hwsim.arrays.streams import Sink, Source
from hwsim.config import ArchConfig, DecodingConfig

__all__ = ["TileModel"]


class TileModel(ABC):
    """An index-decoding array: streams, sequence of commands, drain."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        array = arch.array_as(DecodingConfig)
        self.arch, self.job, self.num_pes = arch, job, array.pes
        self.sources = {name: Source(job, name, pauses) for name in job.inputs}
        self.sink = Sink(job, pauses)
        self.drain = Drain(array.banks, array.pes, array.drain_slices)
        self.state = "Idle"
        self.weight_left = 0
        self.command: dict[str, int] = {}

    @property
    @abstractmethod
    def pe_causes(self) -> NDArray[np.int64]:
        """Status code of every PE in the cycle to come, ``(P,)``."""

    @property
    def events(self) -> dict[str, int]:
        """How often each event of the family happened so far."""
        return {}

    @abstractmethod
    def load(self, beat: Words) -> None:
        """Write one beat of the weight stream."""

    @abstractmethod
    def start(self) -> None:
        """Begin to run ``command``."""

    @abstractmethod
    def run_cycle(self, ready: bool, act_valid: bool) -> str:
        """Pass one cycle of a running tile; give the cause of ``control``."""

    def run(self) -> Run:
        """Run to the cycle of the last ``ofmap`` transfer."""
        names = self.arch.array.cause_names
        control = dict.fromkeys(names["control"], 0)
        pe = np.zeros(len(names["pe"]), dtype=np.int64)
        cycle = 0
        while not self.sink.done:
            pe += np.bincount(self.pe_causes, minlength=len(pe))
            control[self.step(cycle)] += 1
            cycle += 1
        by_pe = dict(zip(names["pe"], pe.tolist(), strict=True))
        events = self.events
        if events:
            events = self.job.beats() | events
        counts = Counts(cycle, {"control": control, "pe": by_pe}, events)
        return Run(self.job.gather(self.sink.payloads), counts)

    def with_drain(self, events: dict[str, int]) -> dict[str, int]:
        """Events of the PEs, and the accumulator rows that the drain read and cleared."""
        return events | {
            "psum_reads": events["psum_reads"] + self.num_pes * self.drain.reads,
            "psum_writes": events["psum_writes"] + self.num_pes * self.drain.clears,
        }

    def pass_drain(self, ready: bool, finished: int, acc: NDArray[np.int64]) -> bool:
        """Pass one cycle of the drain; give whether a group is drained in it.

        With the layer's last group the array becomes idle.
        """
        if self.drain.valid and ready:
            self.sink.take(self.drain.psum())
        is_drained = self.drain.drained(ready, finished)
        self.drain.step(ready, finished, acc)
        if is_drained and self.drain.groups_left == 0:
            self.state = "Idle"
        return is_drained

    def step(self, cycle: int) -> str:
        """Pass one cycle; give the cause of ``control``."""
        valid = {name: source.valid(cycle) for name, source in self.sources.items()}
        if self.state == "Run":
            return self.run_cycle(self.sink.ready(cycle), valid["act"])
        if self.state == "Load":
            return self._load(valid["weight"])
        if valid["command"]:
            word = self.sources["command"].take()
            self.command = {name: int(value) for name, value in word.items()}
            self.weight_left = self.command["weight_beats"]
            self.state = "Load"
        return "idle"

    def _load(self, weight_valid: bool) -> str:
        cause = "idle"
        if self.weight_left:
            if not weight_valid:
                return "weight"
            self.load(self.sources["weight"].take())
            self.weight_left -= 1
            cause = "load"
        if self.weight_left == 0:
            command = self.command
            self.start()
            beats, tail = command.get("beats", 1), command.get("tail", 1)
            edge = command.get("edge", self.drain.slices)
            keep = bool(command.get("keep", 0))
            stays = keep or bool(command.get("carry", 0))
            groups, rows = command["groups"], command["rows"]
            self.drain.start(groups, rows, beats, tail, edge, keep=keep, stays=stays)
            self.state = "Run"
        return cause
