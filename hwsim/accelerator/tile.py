"""Tiles: what one descriptor says, in the terms of whoever writes and times it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from hwsim.contract.descriptors import FEED_LEVELS, KINDS, OPS, POST_LEVELS, TARGETS, places

__all__ = ["ArrayJob", "Load", "Nest", "Store", "Tile", "VectorJob"]


#: Iterations of a loop at most.
LONGEST = (1 << places()["feed0_bound"][1]) - 1


@dataclass(frozen=True)
class Nest:
    """Loops over the beats of an act bank, the innermost first."""

    start: int
    bounds: tuple[int, ...]
    strides: tuple[int, ...]
    #: What a list of entries adds at most to a position.
    reach: int = 0

    @classmethod
    def of(cls, start: int, *loops: tuple[int, int]) -> Self:
        """Nest of loops ``(bound, stride)``, the innermost first, as few as say the same.

        A loop that goes on where the one within it has ended is one with it.
        """
        kept: list[tuple[int, int]] = []
        for bound, stride in loops:
            if kept and stride == kept[-1][0] * kept[-1][1] and bound * kept[-1][0] <= LONGEST:
                kept[-1] = (bound * kept[-1][0], kept[-1][1])
            elif bound > 1:
                kept.append((bound, stride))
        return cls(start, tuple(bound for bound, _ in kept), tuple(stride for _, stride in kept))

    @classmethod
    def loops(cls, start: int, *loops: tuple[int, int]) -> Self:
        """Nest of exactly these loops: one of them may walk the scale memory."""
        return cls(start, tuple(bound for bound, _ in loops), tuple(stride for _, stride in loops))

    @property
    def beats(self) -> int:
        """Positions that it visits."""
        total = 1
        for bound in self.bounds:
            total *= bound
        return total

    def positions(self) -> NDArray[np.int64]:
        """All positions, in order."""
        found = np.array([self.start])
        for bound, stride in zip(self.bounds, self.strides, strict=True):
            found = (np.arange(bound)[:, None] * stride + found).reshape(-1)
        return found

    def steps(self) -> list[int]:
        """What is added when each loop steps: the loops within it have come to their ends."""
        steps, back = [], 0
        for bound, stride in zip(self.bounds, self.strides, strict=True):
            steps.append(stride - back)
            back += (bound - 1) * stride
        return steps

    def fields(self, name: str, levels: int) -> dict[str, int]:
        """Fields of a descriptor; loops that are not needed have one iteration."""
        found = {}
        bounds, steps = list(self.bounds), self.steps()
        if len(bounds) > levels:
            raise ValueError(f"a nest has at most {levels} loops, not {len(bounds)}")
        for level in range(levels):
            is_there = level < len(bounds)
            found[f"{name}{level}_bound"] = bounds[level] if is_there else 1
            found[f"{name}{level}_step"] = steps[level] & 0xFFFF if is_there else 0
        return found


@dataclass(frozen=True)
class Load:
    """A block that is loaded: rows of words, contiguous in memory and on chip."""

    target: str
    index: int
    region: int
    #: Bytes from the region's base; of a beat of the bus.
    address: int
    words: int
    #: Beats of the bus per row.
    beats: int
    rows: int = 1
    row_step: int = 0
    to: int = 0
    to_step: int = 0

    def fields(self, block: int) -> dict[str, int]:
        """Fields of a descriptor."""
        name = f"load{block}"
        return {
            f"{name}_address": self.address,
            f"{name}_words": self.words,
            f"{name}_rows": self.rows,
            f"{name}_beats": self.beats,
            f"{name}_to_step": self.to_step,
            f"{name}_row_step": self.row_step,
            f"{name}_to": self.to,
            f"{name}_target": TARGETS[self.target],
            f"{name}_index": self.index,
            f"{name}_region": self.region,
        }


@dataclass(frozen=True)
class Store:
    """A block that is stored."""

    bank: int
    region: int
    address: int
    words: int
    rows: int = 1
    row_step: int = 0
    start: int = 0
    step: int = 0

    def fields(self) -> dict[str, int]:
        """Fields of a descriptor."""
        return {
            "stores": 1,
            "store_bank": self.bank,
            "store_region": self.region,
            "store_address": self.address,
            "store_words": self.words,
            "store_rows": self.rows,
            "store_row_step": self.row_step,
            "store_from": self.start,
            "store_from_step": self.step,
        }


@dataclass(frozen=True)
class _Job:
    #: What computes it.
    KIND: ClassVar[str]

    read_bank: int
    write_bank: int
    scale_half: int
    feed: Nest
    post: Nest
    relu: bool = False

    def _fields(self) -> dict[str, int]:
        return {
            "kind": KINDS[self.KIND],
            "read_bank": self.read_bank,
            "write_bank": self.write_bank,
            "scale_half": self.scale_half,
            "relu": int(self.relu),
            "feed_from": self.feed.start,
            "post_to": self.post.start,
            **self.feed.fields("feed", FEED_LEVELS),
            **self.post.fields("post", POST_LEVELS),
        }


@dataclass(frozen=True)
class ArrayJob(_Job):
    """One command of the array: ``m_folds`` folds of filters, each for ``pixels``."""

    KIND: ClassVar[str] = "array"
    weight_half: int = 0
    #: Words of weights, where PEs hold all of them.
    weight_words: int = 0
    #: Words of activations that each pixel reads.
    k_folds: int = 1
    m_folds: int = 1
    pixels: int = 1
    #: Pixels of each group, where an array takes pixels in groups and ``pixels`` counts these.
    group: int = 1
    raw: bool = False
    #: What the command says beside counts: bits of ``command_1`` above the pixels.
    options: int = 0
    #: Its sums begin with those that the job before has kept; it keeps its own, and writes none.
    carry: bool = False
    keep: bool = False
    #: Cycles of the array from its command to its last sum, where its streams never wait.
    cycles: int = 0
    #: Beats of activations that it takes.
    act_beats: int = 0

    def fields(self) -> dict[str, int]:
        """Fields of a descriptor."""
        return self._fields() | {
            "weight_half": self.weight_half,
            "raw": int(self.raw),
            "carry": int(self.carry),
            "keep": int(self.keep),
            "command_0": self.k_folds | self.m_folds << 16,
            "command_1": self.pixels | self.weight_words << 16 | self.options,
        }

    def to_dict(self) -> dict[str, object]:
        """What of its layer it computes."""
        return {
            "unit": self.KIND,
            "pixels": self.pixels,
            "group": self.group,
            "m_folds": self.m_folds,
            "k_folds": self.k_folds,
            "carry": self.carry,
            "keep": self.keep,
        }


@dataclass(frozen=True)
class VectorJob(_Job):
    """Windows of words, of which each gives one."""

    KIND: ClassVar[str] = "vector"
    op: str = "max"
    window: int = 1
    windows: int = 1
    multipliers: tuple[int, int] = (1, 1)

    def fields(self) -> dict[str, int]:
        """Fields of a descriptor."""
        return self._fields() | {
            "op": OPS[self.op],
            "command_0": self.window,
            "command_1": self.multipliers[0] | self.multipliers[1] << 16,
        }

    def to_dict(self) -> dict[str, object]:
        """What of its layer it computes."""
        return {"unit": self.KIND, "op": self.op, "window": self.window, "windows": self.windows}


@dataclass(frozen=True)
class Tile:
    """One descriptor: loaded, executed, stored."""

    loads: tuple[Load, ...] = ()
    job: ArrayJob | VectorJob | None = None
    store: Store | None = None
    barrier: bool = False
    #: Layer that it belongs to.
    layer: str = ""
    #: Digest of the design that the program is for, in its first descriptor.
    digest: int | None = None

    def fields(self) -> dict[str, int]:
        """Fields of the descriptor."""
        found = {"loads": len(self.loads), "barrier": int(self.barrier)}
        for block, load in enumerate(self.loads):
            found |= load.fields(block)
        if self.job is not None:
            found |= self.job.fields()
        if self.store is not None:
            found |= self.store.fields()
        if self.digest is not None:
            found |= {"check": 1, "command_0": self.digest}
        return found
