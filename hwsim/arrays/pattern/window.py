"""Window unit: pixels of a patch in raster order to the nine taps around each output pixel."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

__all__ = ["WindowModel"]

Ints = NDArray[np.int64]


class WindowModel:
    """One window unit of ``rows`` lanes, stepped by position; state named like the RTL's registers.

    A position is a cycle in which the unit steps: it takes a pixel, or, behind the job's last one,
    nothing. The window around a pixel is whole ``width + 1`` positions after it. Patches follow
    each other without a gap: the last windows of a patch are completed while the pixels of the next
    one come.
    """

    def __init__(self, rows: int, line_depth: int) -> None:
        self.lines = np.zeros((2, line_depth, rows), dtype=np.int64)
        self.taps = np.zeros((rows, 3, 3), dtype=np.int64)
        self.outside = (False, False, False, False)
        self.running = self.valid = False
        self.reads = self.windows = self.lag = self.addr = self.row = self.col = 0
        self.job: dict[str, int] = {}
        self.edges = (0, 0, 0, 0)

    def start(self, command: Mapping[str, NDArray[np.int64]]) -> None:
        """Begin with a command's patches, in the next cycle."""
        names = ("height", "width", "stride", "direct")
        self.job = {name: int(command[name]) for name in names}
        self.edges = tuple(int(edge) for edge in command["edges"])  # type: ignore[assignment]
        self.reads, self.windows = int(command["reads"]), int(command["windows"])
        self.lag = 0 if self.job["direct"] else self.job["width"] + 1
        self.addr = self.row = self.col = 0
        self.running = True

    @property
    def window(self) -> Ints:
        """Taps ``(rows, 9)`` on offer; what lies outside the ifmap is 0."""
        window = self.taps.copy()
        top, bottom, left, right = self.outside
        window[:, 0, :] *= not top
        window[:, 2, :] *= not bottom
        window[:, :, 0] *= not left
        window[:, :, 2] *= not right
        return window.reshape(len(window), 9)

    def step(self, lanes: Ints | None) -> None:
        """Pass a position; ``lanes`` is the beat ``(rows, 4)`` taken, None behind the last."""
        beat = np.zeros((len(self.taps), 4), np.int64) if lanes is None else lanes
        if lanes is not None:
            self.reads -= 1
        if self.job["direct"]:
            self.taps[:] = 0
            self.taps.reshape(-1, 9)[:, :4] = beat
        else:
            above = self.lines[:, self.addr].copy()
            self.taps[:, :, :2] = self.taps[:, :, 1:]
            self.taps[:, :, 2] = np.stack((above[1], above[0], beat[:, 0]), axis=1)
            self.lines[0, self.addr], self.lines[1, self.addr] = beat[:, 0], above[0]
        self.addr = 0 if self.addr == self.job["width"] - 1 else self.addr + 1
        self.valid = False
        if self.lag:
            self.lag -= 1
        else:
            self._centre()

    def _centre(self) -> None:
        """Offer the window of the next pixel, if it is an output's."""
        height, width = self.job["height"], self.job["width"]
        top, _, left, _ = self.edges
        ends = (self.row == 0, self.row == height - 1, self.col == 0, self.col == width - 1)
        inside = all(edge or not end for edge, end in zip(self.edges, ends, strict=True))
        on_stride = not self.job["stride"] or (self.row % 2 != top and self.col % 2 != left)
        if inside and on_stride:
            self.valid = True
            self.outside = (False,) * 4 if self.job["direct"] else ends
            self.windows -= 1
            self.running = self.windows > 0
        self.col = 0 if ends[3] else self.col + 1
        if ends[3]:
            self.row = 0 if ends[1] else self.row + 1
