"""Cycle-by-cycle model of the index-decoding array; registers are named as in ``rtl``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Run, Words
from hwsim.arrays.csc.pes import PEs
from hwsim.arrays.decoding.tile_model import TileModel
from hwsim.arrays.streams import Source
from hwsim.config import ArchConfig, CSCConfig

__all__ = ["Model", "simulate"]

Ints = NDArray[np.int64]


def simulate(arch: ArchConfig, job: Job, pauses: Pauses) -> Run:
    """Run a job cycle by cycle, to the cycle of its last ``ofmap`` transfer."""
    return Model(arch, job, pauses).run()


class _LNZD:
    """Leading non-zero detector: the word register and its mask."""

    def __init__(self, array: CSCConfig) -> None:
        self.window = array.window
        self.words = self.words_left = self.groups_left = 0
        self.valid = self.is_last = False
        self.word: Ints = np.zeros((array.window, array.lanes), dtype=np.int64)
        self.pending: list[int] = []
        self.base = self.next_base = 0

    def start(self, words: int, groups: int) -> None:
        """Begin a layer."""
        self.words = self.words_left = words
        self.groups_left = groups
        self.next_base = 0

    @property
    def token_valid(self) -> bool:
        """A token is offered: a non-zero, or the null token of a last word without one."""
        return self.valid and (bool(self.pending) or self.is_last)

    @property
    def busy(self) -> bool:
        """Words are still to come, or one is in the register."""
        return self.valid or self.groups_left > 0

    def step(self, is_taken: bool, act: Source, act_valid: bool) -> None:
        """Pass one cycle in which the token was taken, or not."""
        if is_taken and self.pending:
            self.pending = self.pending[1:]
        is_scan = self.valid and not self.pending and not self.is_last
        if self.valid and not self.pending and (is_taken or is_scan):
            self.valid = False
        if self.valid or not self.groups_left or not act_valid:
            return
        self.word = act.take()["act"]
        self.pending = np.flatnonzero(self.word.any(axis=1)).tolist()
        self.valid, self.base, self.is_last = True, self.next_base, self.words_left == 1
        self.next_base = 0 if self.is_last else self.next_base + self.window
        self.words_left = self.words if self.is_last else self.words_left - 1
        self.groups_left -= self.is_last


class Model(TileModel):
    """The array: control, detector, PEs and drain."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(arch, job, pauses)
        array = arch.array_as(CSCConfig)
        depth = int(job.inputs["weight"]["addr"].max()) + 1
        self.pes = PEs(arch, max(depth, array.col_depth + 1), depth)
        self.lnzd = _LNZD(array)

    @property
    def pe_causes(self) -> Ints:
        """Status code of every PE in the cycle to come, ``(P,)``."""
        return self.pes.cause

    @property
    def events(self) -> dict[str, int]:
        """How often each event happened so far."""
        return self.with_drain(self.pes.events)

    def load(self, beat: Words) -> None:
        """Write one beat of the weight stream."""
        self.pes.load(beat)

    def start(self) -> None:
        """Begin to run ``command``."""
        self.lnzd.start(self.command["words"], self.command["groups"])
        stays = self.command.get("carry", 0) or self.command.get("keep", 0)
        self.pes.step_rows = self.command["rows"] if stays else 0

    def run_cycle(self, ready: bool, act_valid: bool) -> str:
        """Pass one cycle of a running tile; give the cause of ``control``."""
        lnzd, pes = self.lnzd, self.pes
        is_taken = lnzd.token_valid and not pes.full
        cause = self._cause(is_taken)
        is_drained = self.pass_drain(ready, pes.finished(), pes.acc)
        pes.step(is_drained, lnzd.busy)
        if is_taken:
            self._broadcast()
        lnzd.step(is_taken, self.sources["act"], act_valid)
        if self.state == "Idle":
            pes.stop()
        return cause

    def _broadcast(self) -> None:
        lnzd = self.lnzd
        position = lnzd.pending[0] if lnzd.pending else 0
        is_null = not lnzd.pending
        is_last = lnzd.is_last and len(lnzd.pending) <= 1
        k = 0 if is_null else lnzd.base + position
        self.pes.push(k, lnzd.word[position], is_last, is_null)

    def _cause(self, is_taken: bool) -> str:
        lnzd = self.lnzd
        if not lnzd.valid:
            return "act" if lnzd.busy else "drain"
        if not lnzd.token_valid:
            return "scan"
        if not is_taken:
            return "full"
        return "broadcast" if lnzd.pending else "scan"
