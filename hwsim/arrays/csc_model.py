"""Clock-by-clock model of the index-decoding array; registers are named as in ``rtl``."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Counts, Job, Pauses, Run
from hwsim.arrays.csc_pes import PEs
from hwsim.arrays.streams import Sink, Source
from hwsim.config import ArchConfig, CSCConfig
from hwsim.config.causes import causes

__all__ = ["simulate"]

Ints = NDArray[np.int64]


def simulate(arch: ArchConfig, job: Job, pauses: Pauses) -> Run:
    """Run a job clock by clock, to the clock of its last ``ofmap`` transfer."""
    return _Model(arch, job, pauses).run()


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
        """Pass one clock in which the token was taken, or not."""
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


class _Drain:
    """Drain: the row that the accumulators' output registers hold, and what is taken of it."""

    def __init__(self, array: CSCConfig) -> None:
        self.beats = array.lanes // array.drain_lanes
        self.drain_lanes = array.drain_lanes
        self.valid = False
        self.bank = self.row = self.beat = 0
        self.groups_left = self.rows = self.tail = 0
        self.shown: Ints = np.zeros((array.pes, array.lanes), dtype=np.int64)

    def start(self, groups: int, rows: int, tail: int) -> None:
        """Begin a layer."""
        self.groups_left, self.rows, self.tail = groups, rows, tail
        self.bank = 0

    def psum(self) -> Ints:
        """Lanes of the current beat, PE after PE."""
        first = self.beat * self.drain_lanes
        return self.shown[:, first : first + self.drain_lanes].reshape(-1)

    def drained(self, ready: bool) -> bool:
        """Whether a group's last partial sums are taken in this clock."""
        beats = self.tail if self.groups_left == 1 else self.beats
        return self.valid and ready and self.row + 1 == self.rows and self.beat + 1 == beats

    def step(self, ready: bool, finished: int, acc: Ints) -> None:
        """Pass one clock; ``finished`` groups, this one included, are ready to be drained."""
        if not self.valid:
            self.valid = finished > 0
            if self.valid:
                self.shown = acc[self.bank, self.row].copy()
            return
        if not ready:
            return
        beats = self.tail if self.groups_left == 1 else self.beats
        self.beat += 1
        if self.beat < beats:
            return
        acc[self.bank, self.row] = 0
        self.beat = 0
        self.row += 1
        if self.row == self.rows:
            self.row = 0
            self.bank ^= 1
            self.groups_left -= 1
            self.valid = finished == 2
        if self.valid:
            self.shown = acc[self.bank, self.row].copy()


class _Model:
    """The array: control, detector, PEs and drain."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        array = arch.array
        assert isinstance(array, CSCConfig)
        self.arch, self.job = arch, job
        self.sources = {name: Source(job, name, pauses) for name in job.inputs}
        self.sink = Sink(job, pauses)
        depth = int(job.inputs["weight"]["addr"].max()) + 1
        self.pes = PEs(arch, max(depth, array.col_depth + 1), depth)
        self.lnzd, self.drain = _LNZD(array), _Drain(array)
        self.state = "Idle"
        self.weight_left = 0
        self.command: dict[str, int] = {}

    def run(self) -> Run:
        """Run to the clock of the last ``ofmap`` transfer."""
        names = causes(self.arch)
        control = dict.fromkeys(names["control"], 0)
        pe = np.zeros(len(names["pe"]), dtype=np.int64)
        clock = 0
        while not self.sink.done:
            pe += np.bincount(self.pes.cause, minlength=len(pe))
            control[self.step(clock)] += 1
            clock += 1
        by_pe = dict(zip(names["pe"], pe.tolist(), strict=True))
        counts = Counts(clock, {"control": control, "pe": by_pe})
        return Run(self.job.gather(self.sink.payloads), counts)

    def step(self, clock: int) -> str:
        """Pass one clock; give the cause of ``control``."""
        valid = {name: source.valid(clock) for name, source in self.sources.items()}
        if self.state == "Run":
            return self._run(self.sink.ready(clock), valid["act"])
        if self.state == "Load":
            return self._load(valid["weight"])
        if valid["command"]:
            word = self.sources["command"].take()
            self.command = {name: int(value) for name, value in word.items()}
            self.weight_left = self.command["weight_beats"]
            self.state = "Load"
        return "idle"

    def _load(self, weight_valid: bool) -> str:
        if not weight_valid:
            return "weight"
        self.pes.load(self.sources["weight"].take())
        self.weight_left -= 1
        if self.weight_left == 0:
            command = self.command
            self.lnzd.start(command["words"], command["groups"])
            self.drain.start(command["groups"], command["rows"], command["tail"])
            self.state = "Run"
        return "load"

    def _run(self, ready: bool, act_valid: bool) -> str:
        lnzd, drain, pes = self.lnzd, self.drain, self.pes
        is_taken = lnzd.token_valid and not pes.full
        cause = self._cause(is_taken)
        if drain.valid and ready:
            self.sink.take(drain.psum())
        is_drained = drain.drained(ready)
        drain.step(ready, pes.finished(), pes.acc)
        pes.step(is_drained, lnzd.busy)
        if is_taken:
            self._broadcast()
        lnzd.step(is_taken, self.sources["act"], act_valid)
        if is_drained and drain.groups_left == 0:
            pes.stop()
            self.state = "Idle"
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
