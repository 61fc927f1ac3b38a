"""Feature maps as grids of cells, each of some words: whole, or a part of one in an act bank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Self, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.tile import Load, Store
from hwsim.config import ArchConfig
from hwsim.config.shape import MachineShape

__all__ = ["Cut", "Grid", "Stored"]

T = TypeVar("T", bound=np.integer)
#: Words of a row of a block at most.
_LONGEST = (1 << 16) - 1


@dataclass(frozen=True)
class Cut:
    """Part of a grid: rows, columns, and words of each cell."""

    rows: range
    columns: range
    blocks: range

    @property
    def words(self) -> int:
        """Words of all cells."""
        return len(self.rows) * len(self.columns) * len(self.blocks)


class Grid:
    """Cells that lie row after row in a bank, the words of each beside each other."""

    lanes: int
    bank: int
    start: int
    #: What of it lies there; without, all.
    cut: Cut | None

    @property
    def whole(self) -> Cut:
        """All of it, the border included."""
        raise NotImplementedError

    @property
    def part(self) -> Cut:
        """What of it lies in the bank."""
        return self.cut or self.whole

    @property
    def blocks(self) -> int:
        """Words of a cell."""
        return len(self.part.blocks)

    @property
    def row(self) -> int:
        """Words of a row of cells."""
        return len(self.part.columns) * self.blocks

    @property
    def words(self) -> int:
        """Words of it."""
        return self.part.words

    def cell(self, row: int, column: int) -> int:
        """First word of a cell, which may lie outside of what is there."""
        part = self.part
        down, right = row - part.rows.start, column - part.columns.start
        return self.start + down * self.row + right * self.blocks

    def placed(self, bank: int, start: int, cut: Cut | None = None) -> Self:
        """The same at another place; with ``cut`` a part of it."""
        found: Self = replace(cast(Any, self), bank=bank, start=start, cut=cut or self.cut)
        return found

    def taken(self, words: NDArray[T]) -> NDArray[T]:
        """Words ``(words, lanes)`` of the part, of those of the whole."""
        whole, part = self.whole, self.part
        grid = words.reshape(len(whole.rows), len(whole.columns), len(whole.blocks), -1)
        chosen = [
            slice(some.start - every.start, some.stop - every.start)
            for some, every in (
                (part.rows, whole.rows), (part.columns, whole.columns), (part.blocks, whole.blocks)
            )
        ]  # fmt: skip
        found = grid[tuple(chosen)]
        # a view may be wider than what there is
        beyond = max(0, part.columns.stop - whole.columns.stop)
        found = np.pad(found, ((0, 0), (0, beyond), (0, 0), (0, 0)))
        return found.reshape(-1, words.shape[-1])


@dataclass(frozen=True)
class Stored:
    """A grid that lies in memory, whole words in whole beats of the bus.

    Attributes
    ----------
    region, address
        Its region, and its first byte there.
    """

    grid: Any
    region: int
    address: int
    word_bytes: int
    word_beats: int

    @classmethod
    def of(cls, grid: Grid, region: int, address: int, arch: ArchConfig) -> Self:
        """Place a grid in memory."""
        bits = MachineShape.of(arch).act_bits
        return cls(grid.placed(0, 0), region, address, bits // 8, bits // arch.bus.data_width)

    @property
    def bytes(self) -> int:
        """Bytes that it takes."""
        return int(self.grid.words) * self.word_bytes

    def _block(self, cut: Cut, view: Grid | None = None) -> tuple[int, int, int, int, int, int]:
        """Strided block of a part.

        Its words and rows, its address and the bytes from a row to the next, and where it begins in
        ``view`` and the words from a row to the next there.
        """
        whole = self.grid.whole
        view = view or self.grid.placed(0, 0, cut)
        wide = len(whole.columns) == len(cut.columns) == len(view.part.columns)
        at = self.grid.cell(cut.rows.start, cut.columns.start) + cut.blocks.start
        to = view.cell(cut.rows.start, cut.columns.start) + cut.blocks.start
        to -= view.part.blocks.start
        words, rows = len(cut.columns) * len(cut.blocks), len(cut.rows)
        step, to_step = self.grid.row, view.row
        if len(cut.blocks) < len(whole.blocks):
            # a row per cell
            if not wide and rows > 1:
                raise ValueError("some blocks of some columns must be of one row")
            words, rows = len(cut.blocks), rows * len(cut.columns)
            step, to_step = len(whole.blocks), len(view.part.blocks)
        elif wide and words * rows <= _LONGEST:
            words, rows = words * rows, 1
        address = self.address + at * self.word_bytes
        return words, rows, address, step * self.word_bytes, to, to_step

    def load(self, cut: Cut, bank: int, start: int, columns: int = 0) -> tuple[Load, Any]:
        """Load of a part to a bank, and how it lies there: rows have room for ``columns``."""
        first = cut.columns.start
        room = range(first, first + max(len(cut.columns), columns))
        view = self.grid.placed(bank, start, replace(cut, columns=room))
        words, rows, address, step, to, to_step = self._block(cut, view)
        beats = words * self.word_beats
        return Load("act", bank, self.region, address, words, beats, rows, step, to, to_step), view

    def store(self, cut: Cut, view: Grid) -> Store:
        """Store of a part of what lies in a bank."""
        words, rows, address, step, to, to_step = self._block(cut, view)
        return Store(view.bank, self.region, address, words, rows, step, to, to_step)
