"""Cycle model of the pattern array."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Words
from hwsim.arrays.pattern.window import WindowModel
from hwsim.arrays.systolic.ws import WSModel
from hwsim.config import ArchConfig, PatternConfig
from hwsim.formats import codes
from hwsim.formats.pattern import TAPS, WINDOW

__all__ = ["PatternModel"]

Ints = NDArray[np.int64]


class PatternModel(WSModel):
    """Weight-stationary array behind a window unit, cycle by cycle.

    Four weights and their taps are held as the nine weights that they stand for; the library is
    looked up where a row of weights enters the array.
    """

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(arch, job, pauses)
        array = arch.array_as(PatternConfig)
        self.library = np.full((array.patterns + 1, TAPS), WINDOW, dtype=np.int64)
        self.window = WindowModel(self.rows, array.line_depth)
        self.pixels = 0

    def decoded(self, arch: ArchConfig, job: Job) -> dict[str, Words]:
        """Contents of the streams in integers: the weights."""
        weight = job.inputs["weight"]
        values = codes.decode(weight["weight"], arch.numbers)
        return job.inputs | {"weight": weight | {"weight": values}}

    def step(self) -> str:
        """Pass one cycle; return its cause."""
        command_valid = self.command.valid(self.clock)
        weight_valid = self.weight_stream.valid(self.clock)
        act_valid = self.act_stream.valid(self.clock)
        enable = self.offer(self.ofmap_valid, self.ofmap)

        unit = self.window
        feed = enable and self.busy and not self.waiting and unit.valid
        fold_end = feed and self.pixel == self.pixels - 1
        swap = enable and self.full and self._may_swap(fold_end)
        room = self.loading and (not self.full or swap)
        inject = self.load_fold.last(0) and self.load_row >= self.k_edge
        load = enable and room and (inject or weight_valid)
        starved = unit.reads > 0 and not act_valid
        advance = enable and unit.running and (not unit.valid or feed) and not starved

        if not enable:
            cause = "ofmap"
        elif self.busy and self.waiting:
            cause = "weight" if room and not load else "preload"
        elif self.busy:
            cause = "compute" if feed else "act" if starved else "window"
        else:
            cause = "drain" if self.ofmap_valid or self.tag_valid.any() else "idle"

        self.note(enable, feed, load)
        self.events["line_reads"] += 2 * advance
        self.events["line_writes"] += 2 * advance
        if enable:
            act = unit.window if feed else np.zeros((self.rows, self.block), np.int64)
            weight = np.zeros((self.cols, self.block), np.int64)
            if load and not inject:
                weight = self._placed(self.weight_stream.take())
            self._accumulate(feed, fold_end)
            self._move(act, weight, swap, self.load_row if load else -1)
        if advance:
            unit.step(self.act_stream.take()["act"] if unit.reads else None)
        elif feed:
            unit.valid = False
        if self.busy:
            self._control(enable, feed, fold_end, swap, load)
        elif command_valid and not self._take_command() and enable:
            cause = "library"
        return cause

    def _take_command(self) -> bool:
        """Take a command; return whether it runs, or writes an entry of the library."""
        command = self.command.take()
        if not command["run"]:
            self.events["library_writes"] += 1
            self.library[int(command["entry"])] = command["taps"]
            return False
        bounds = [int(command["k_folds"]), int(command["m_folds"]), 1]
        self.fold.start(bounds)
        self.load_fold.start(bounds)
        self.k_edge, self.pixels = int(command["k_edge"]), int(command["pixels"])
        self.carry, self.keep = (bool(command.get(name, 0)) for name in ("carry", "keep"))
        self.busy = self.waiting = self.loading = True
        self.pixel, self.load_row = 0, self.rows - 1
        self.window.start(command)
        return True

    def _placed(self, words: dict[str, Ints]) -> Ints:
        """Weights ``(cols, 9)`` by tap of a row of words; a tap of 9 is none."""
        placed = np.zeros((self.cols, WINDOW + 1), np.int64)
        taps = self.library[words["pattern"]]
        np.add.at(placed, (np.arange(self.cols)[:, None], taps), words["weight"])
        return placed[:, :WINDOW]
