"""Drain of the index-decoding arrays' accumulators, cycle by cycle."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.config.arrays.decoding import Banks

__all__ = ["Drain"]

Ints = NDArray[np.int64]


class Drain:
    """The row that the accumulators' output registers hold, and what is taken of it."""

    def __init__(self, banks: Banks, pes: int, slices: int) -> None:
        self.banks, self.slices = banks, slices
        self.valid = False
        self.bank = self.row = self.beat = self.slice = 0
        self.groups_left = self.rows = self.beats = self.tail = self.edge = self.base = 0
        self.keep = self.stays = False
        # rows read and cleared so far, of every PE
        self.reads = self.clears = 0
        self.shown: Ints = np.zeros((pes, banks.lanes), dtype=np.int64)

    def start(
        self,
        groups: int,
        rows: int,
        beats: int,
        tail: int,
        edge: int,
        *,
        keep: bool = False,
        stays: bool = False,
    ) -> None:
        """Begin a layer; with ``keep`` its sums stay, with ``stays`` groups have own rows."""
        self.groups_left, self.rows, self.beats = groups, rows, beats
        self.tail, self.edge = tail, edge
        self.bank = self.base = 0
        self.keep, self.stays = keep, stays

    def psum(self) -> Ints:
        """Lanes of the current beat, PE after PE of the current slice."""
        lanes, pes = self.banks.drain_lanes, len(self.shown) // self.slices
        lane, pe = self.beat * lanes, self.slice * pes
        return self.shown[pe : pe + pes, lane : lane + lanes].reshape(-1)

    def drained(self, ready: bool, finished: int) -> bool:
        """Whether a group's last partial sums are taken in this cycle, or it is left."""
        if self.keep:
            return finished > 0
        ends_row = self.slice + 1 == self._slices and self.beat + 1 == self._beats
        return self.valid and ready and self.row + 1 == self.rows and ends_row

    @property
    def _beats(self) -> int:
        return self.tail if self.groups_left == 1 else self.beats

    @property
    def _slices(self) -> int:
        return self.edge if self.row + 1 == self.rows else self.slices

    def step(self, ready: bool, finished: int, acc: Ints) -> None:
        """Pass one cycle; ``finished`` groups, this one included, are ready to be drained."""
        if self.keep:
            self.groups_left -= finished > 0
            return
        if not self.valid:
            self.valid = finished > 0
            if self.valid:
                self._read(acc)
            return
        if not ready:
            return
        self.slice += 1
        if self.slice < self._slices:
            return
        self.slice = 0
        self.beat += 1
        if self.beat < self._beats:
            return
        acc[self.bank, self.base + self.row] = 0
        self.clears += 1
        self.beat = 0
        self.row += 1
        if self.row == self.rows:
            self.row = 0
            if self.stays and self.bank == self.banks.count - 1:
                self.base += self.rows
            self.bank = (self.bank + 1) % self.banks.count
            self.groups_left -= 1
            self.valid = finished >= 2
        if self.valid:
            self._read(acc)

    def _read(self, acc: Ints) -> None:
        self.shown = acc[self.bank, self.base + self.row].copy()
        self.reads += 1
