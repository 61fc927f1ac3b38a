"""Parts of maps that lie in memory: loaded before the jobs that read them, stored behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from hwsim.accelerator.tile import Load, Store, Tile
from hwsim.compiler.cuts import needed
from hwsim.compiler.grid import Cut, Stored
from hwsim.compiler.layout import Map, Unrolled
from hwsim.compiler.plan import Cutting, Place
from hwsim.compiler.weights import Weights
from hwsim.config import LayerShape
from hwsim.contract.descriptors import LOADS

__all__ = ["Stripes", "border"]


class Stripes:
    """Parts of what a layer reads and writes, in banks in turn.

    Parameters
    ----------
    shape, cutting
        The layer, and how it is cut.
    sources, target
        Where its maps lie.
    """

    def __init__(
        self, shape: LayerShape, cutting: Cutting, sources: Sequence[Place], target: Place
    ) -> None:
        self.shape, self.cutting, self.sources, self.target = shape, cutting, sources, target
        self._turn = {"read": 0, "write": 0}
        self._held: list[Cut] = []
        self._views: list[Map | Unrolled] = []

    def read(self, part: Cut) -> tuple[tuple[Load, ...], list[Map | Unrolled]]:
        """Loads of what a part of the output needs, unless it is there, and how it lies there."""
        stored = [place for place in self.sources if isinstance(place, Stored)]
        cuts = [needed(place.grid, self.shape, part) for place in stored]
        loads: list[Load] = []
        if not stored or cuts != self._held:
            bank, start = self._next("read") if stored else (0, 0)
            self._views = []
            for place in self.sources:
                if not isinstance(place, Stored):
                    self._views.append(place)
                    continue
                # all parts lie in rows of the same length, for loops and lists that go with weights
                widest = needed(place.grid, self.shape, self.cutting.parts[0])
                cut = cuts[len(loads)]
                load, view = place.load(cut, bank, start, len(widest.columns))
                loads.append(load)
                self._views.append(view)
                start += view.words
            self._held = cuts
        return tuple(loads), self._views

    def write(self, part: Cut) -> Map:
        """Where a part of the output is written."""
        if not isinstance(self.target, Stored):
            assert isinstance(self.target, Map)
            return self.target
        bank, start = self._next("write")
        view: Map = self.target.grid.placed(bank, start, part)
        return view

    def around(
        self, tiles: Sequence[Tile], loads: tuple[Load, ...], view: Map, part: Cut
    ) -> Iterator[Tile]:
        """Tiles of a part, its loads before the first of them, its store behind the last."""
        first, *rest = tiles
        if len(loads) + len(first.loads) > LOADS:
            yield Tile(loads, layer=self.shape.layer.name)
            loads = ()
        tiles = [replace(first, loads=(*loads, *first.loads)), *rest]
        if isinstance(self.target, Stored):
            tiles[-1] = replace(tiles[-1], store=self.target.store(part, view))
        yield from tiles

    def _next(self, kind: str) -> tuple[int, int]:
        slots = self.cutting.sources if kind == "read" else self.cutting.targets
        self._turn[kind] += 1
        return slots[self._turn[kind] % len(slots)]


def border(stored: Stored, value: int, weights: Weights, bank: int, depth: int) -> Iterator[Tile]:
    """Tiles that write the border of a map in memory, by way of an empty bank of ``depth`` words.

    Parameters
    ----------
    value
        What padding stands for.
    """
    constants, width = weights.constants, weights.shape.act_bits // 8
    longest = min(depth, max((row for _, row, _, _ in stored.grid.edges()), default=0))
    if not longest:
        return
    load = constants.load("act", bank, np.full((longest, width), value & 0xFF, np.uint8))
    loads: tuple[Load, ...] = (load,)
    for start, row, rows, step in stored.grid.edges():
        for first in range(0, row, longest):
            words = min(longest, row - first)
            address = stored.address + (start + first) * width
            store = Store(bank, stored.region, address, words, rows, step * width)
            yield Tile(loads, store=store)
            loads = ()
