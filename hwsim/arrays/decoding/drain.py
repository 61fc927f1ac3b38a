"""Drain of the index-decoding arrays' accumulators, clock by clock: csc and bitmask."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.config import BitmaskConfig, CSCConfig

__all__ = ["Drain"]

Ints = NDArray[np.int64]


class Drain:
    """The row that the accumulators' output registers hold, and what is taken of it."""

    def __init__(self, array: CSCConfig | BitmaskConfig) -> None:
        self.beats = array.lanes // array.drain_lanes
        self.drain_lanes, self.banks = array.drain_lanes, array.acc_banks
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
            self.bank = (self.bank + 1) % self.banks
            self.groups_left -= 1
            self.valid = finished >= 2
        if self.valid:
            self.shown = acc[self.bank, self.row].copy()
