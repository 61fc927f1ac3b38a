"""Cycle model of the encoder: what its registers hold, and what they offer to the array."""

from __future__ import annotations

import numpy as np

from hwsim.arrays.base import Job, Pauses
from hwsim.arrays.streams import Source
from hwsim.arrays.systolic.model import Ints
from hwsim.config import DBBConfig

__all__ = ["Encoder"]


class Encoder(Source):
    """Encoder between the ``act`` stream, at its far end, and the array.

    A slot and its position are here the block with zeros in place of all that is not sent.
    """

    def __init__(self, array: DBBConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(job, "act", pauses)
        self.n = array.n
        # the block of each column, and the positions that are still to be sent
        self.busy = self.first = False
        self.acts = np.zeros((array.cols, array.m), dtype=np.int64)
        self.pending = np.zeros((array.cols, array.m), dtype=bool)
        # what is on offer: the first, the last of its block
        self.offered = self.opens = self.closes = False
        self.slots = np.zeros((array.cols, array.m), dtype=np.int64)
        self.arrives = self.taken = False

    def valid(self, cycle: int) -> bool:
        """Whether activations are offered to the array."""
        self.arrives, self.taken = super().valid(cycle), False
        return self.offered

    def take(self) -> dict[str, Ints]:
        """Transfer the activations offered."""
        self.taken = True
        return {"act": self.slots}

    def step(self) -> None:
        """Pass one cycle, whose transfer to the array is decided."""
        sent = self.pending & (self.pending.cumsum(axis=1) <= self.n)
        remaining = self.pending & ~sent
        last = not remaining.any()
        move = self.taken or not self.offered
        ready = not self.busy or (move and last)
        if move:
            self.offered, self.slots = self.busy, np.where(sent, self.acts, 0)
            self.opens, self.closes = self.first, last
            self.pending, self.first = remaining, False
        if ready:
            self.busy = self.arrives
        if ready and self.arrives:
            self.acts = super().take()["act"]
            self.pending, self.first = self.acts != 0, True
