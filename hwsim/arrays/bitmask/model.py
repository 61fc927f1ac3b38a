"""Cycle-by-cycle model of the bitmask array; registers are named as in ``rtl``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Run, Words
from hwsim.arrays.bitmask.pes import PEs
from hwsim.arrays.decoding.tile_model import TileModel
from hwsim.arrays.streams import Source
from hwsim.config import ArchConfig

__all__ = ["simulate"]


def simulate(arch: ArchConfig, job: Job, pauses: Pauses) -> Run:
    """Run a job cycle by cycle, to the cycle of its last ``ofmap`` transfer."""
    return _Model(arch, job, pauses).run()


class _Broadcast:
    """The register that holds a beat of activations until every buffer has room."""

    def __init__(self) -> None:
        self.chunks = self.chunks_left = self.groups_left = 0
        self.valid = False
        self.beat: Words = {}

    def start(self, chunks: int, groups: int) -> None:
        """Begin a layer."""
        self.chunks = self.chunks_left = chunks
        self.groups_left = groups

    @property
    def busy(self) -> bool:
        """Beats are still to come, or one is in the register."""
        return self.valid or self.groups_left > 0

    def step(self, is_taken: bool, act: Source, act_valid: bool) -> None:
        """Pass one cycle in which the beat was taken, or not."""
        self.valid = self.valid and not is_taken
        if self.valid or not self.groups_left or not act_valid:
            return
        self.beat, self.valid = act.take(), True
        if self.beat["last"]:
            ends_group = self.chunks_left == 1
            self.chunks_left = self.chunks if ends_group else self.chunks_left - 1
            self.groups_left -= ends_group


class _Model(TileModel):
    """The array: control, broadcast, PEs and drain."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(arch, job, pauses)
        self.pes = PEs(arch)
        self.broadcast = _Broadcast()

    @property
    def pe_causes(self) -> NDArray[np.int64]:
        """Status code of every PE in the cycle to come, ``(P,)``."""
        return self.pes.causes(self.state == "Run", self.broadcast.busy)

    @property
    def events(self) -> dict[str, int]:
        """How often each event happened so far."""
        return self.with_drain(self.pes.events)

    def load(self, beat: Words) -> None:
        """Write one beat of the weight stream."""
        self.pes.load(beat)

    def start(self) -> None:
        """Begin to run ``command``."""
        self.broadcast.start(self.command["chunks"], self.command["groups"])
        stays = self.command.get("carry", 0) or self.command.get("keep", 0)
        self.pes.start(self.command["rows"], self.command["masks"], stays=bool(stays))

    def run_cycle(self, ready: bool, act_valid: bool) -> str:
        """Pass one cycle of a running tile; give the cause of ``control``."""
        broadcast, pes = self.broadcast, self.pes
        is_taken = broadcast.valid and pes.room
        if broadcast.valid:
            cause = "broadcast" if is_taken else "full"
        else:
            cause = "act" if broadcast.busy else "drain"
        is_drained = self.pass_drain(ready, pes.finished(), pes.acc)
        pes.step(is_drained)
        if is_taken:
            pes.push(broadcast.beat)
        broadcast.step(is_taken, self.sources["act"], act_valid)
        if self.state == "Idle":
            pes.stop()
        return cause
