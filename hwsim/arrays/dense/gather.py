"""Weight-stationary dataflow whose rows gather their activations from banks (``gather_depth``).

A scratchpad of ``rows`` banks stands in front of the array. It takes each tile's activations
once and in the order of K, whatever was pruned, and plays them through one gather list for the
whole array: row r reads bank r at its own address, for every M fold again. The array behind it is
that of :mod:`hwsim.arrays.systolic.ws`; a row whose bank has no entry in a fold holds a zero
weight. While one tile is played the next is loaded. ``docs/timing/dense.md`` derives the counts.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from hwsim.arrays.base import Job, Pauses, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.dense.fork import Fork
from hwsim.arrays.streams import Source
from hwsim.arrays.systolic.model import FoldCounter, Ints, counts, padded, split
from hwsim.arrays.systolic.ws import WSModel, ws_events
from hwsim.config import ArchConfig, DenseConfig
from hwsim.errors import InputError
from hwsim.formats.gather import Gather, pack
from hwsim.workload.gemm import GEMM

__all__ = [
    "GatherModel",
    "banked",
    "count_cycles",
    "depth",
    "gathers",
    "plan",
    "spread",
    "with_scratchpad",
]


def gathers(arch: ArchConfig) -> bool:
    """Whether a design has the scratchpad."""
    return isinstance(arch.array, DenseConfig) and arch.array.gather_depth is not None


def depth(arch: ArchConfig) -> int:
    """K that each bank holds."""
    array = arch.array_as(DenseConfig)
    assert array.gather_depth is not None
    return array.gather_depth


def banked(arch: ArchConfig, gemm: GEMM) -> GEMM:
    """GEMM whose K mod rows is the bank that the design wants it in.

    With banks of channels, the channels of each tap of a convolution are padded with zeros to whole
    rows; the weights' are pruned columns, which nothing stores or computes. Any other GEMM, and any
    with banks of K, is as it was.
    """
    array = arch.array_as(DenseConfig)
    if array.gather_banks == "k" or gemm.conv is None or gemm.conv.C % array.rows == 0:
        return gemm
    taps, channels = gemm.K // gemm.conv.C, gemm.conv.C
    wide = split(channels, array.rows)[0] * array.rows

    weight, act = gemm.weight, gemm.act
    if weight is not None:
        by_tap = weight.astype(np.int64).reshape(gemm.M, taps, channels)
        weight = padded(by_tap, 2, wide).reshape(gemm.M, taps * wide)
    if act is not None:
        by_tap = act.astype(np.int64).reshape(taps, channels, -1)
        act = padded(by_tap, 1, wide).reshape(taps * wide, -1)
    return replace(gemm, K=taps * wide, weight=weight, matrix=act, ifmap=None, conv=None)


def plan(arch: ArchConfig, gemm: GEMM, kept: Ints) -> Gather:
    """Gather list of a layer.

    Raises
    ------
    InputError
        The layer's K exceeds the scratchpad.
    """
    array = arch.array_as(DenseConfig)
    rows, held = array.rows, depth(arch) * array.rows
    if held < gemm.K:
        rule = f"must be at most {held}: rows ({rows}) x gather_depth ({depth(arch)})"
        raise InputError(gemm.name, "K", gemm.K, rule)
    return pack(kept, gemm.K, rows)


def spread(codes: Ints, cols: Ints, gather: Gather) -> Ints:
    """Weights ``(M', K')`` of columns ``cols`` as the folds want them, ``(M', K'')``, zeros else.

    K'' ends with the last row that has an entry in the last fold.
    """
    flat = gather.entries.reshape(-1)[: gather.columns]
    position = np.searchsorted(cols, flat)
    wide = padded(codes, 1, codes.shape[1] + 1)  # one column of zeros behind the others
    return wide[:, np.where(flat < 0, codes.shape[1], position)]


def with_scratchpad(arch: ArchConfig, job: Job, act: Ints, gather: Gather) -> Job:
    """Job of the array alone, its activations replaced by loads ``act[K, N]`` and the list."""
    array = arch.array_as(DenseConfig)
    assert array.acc_depth is not None
    blocks, _ = split(act.shape[0], array.rows)
    by_bank = padded(act, 0, blocks * array.rows).reshape(blocks, array.rows, -1).swapaxes(1, 2)
    tiles = [by_bank[:, n : n + array.acc_depth] for n in range(0, act.shape[1], array.acc_depth)]
    entry = [np.zeros_like(tile) for tile in tiles]
    entry[0][: gather.folds, 0] = np.maximum(gather.entries, 0) // array.rows
    words = {
        name: np.concatenate([part.reshape(-1, array.rows) for part in parts])
        for name, parts in (("act", tiles), ("entry", entry))
    }
    jobs = len(job.inputs["command"]["k_folds"])
    command = job.inputs["command"] | {"k_blocks": np.full(jobs, blocks, dtype=np.int64)}
    if jobs == 0:
        words = {name: word[:0] for name, word in words.items()}
    inputs = job.inputs | {"command": command, "act": words}
    return Job(inputs, job.ofmap_index, job.shape)


def count_cycles(arch: ArchConfig, m: int, blocks: int, gather: Gather, n: int) -> Counts:
    """Cycles by cause with no pauses, tile by tile.

    Parameters
    ----------
    m
        Rows of weights that are kept.
    blocks
        Beats of a pixel that are loaded.
    gather
        Gather list of the layer.
    """
    array, folds = arch.array_as(DenseConfig), gather.folds
    assert array.acc_depth is not None
    if 0 in (m, folds, n):
        return counts(arch, {})
    rows, m_folds = array.rows, split(m, array.cols)[0]
    tiles, n_edge = split(n, array.acc_depth)
    each = folds * m_folds
    spent = {
        "idle": 1,
        "preload": 0,
        "compute": each * n,
        "act": 0,
        "drain": rows + array.cols + array.mac_latency,
    }
    least = max(rows, array.reuse)
    settles = max(0, array.reuse - array.acc_depth)  # of a tile's last fold, until the next swap
    loaded = 0  # cycle of the last beat loaded
    played = [0, 0]  # cycle of the last read of each half; the first is loaded next
    end = swap = 0  # cycle of the last activation taken, and of the last swap
    for tile in range(tiles):
        pixels = n_edge if tile == tiles - 1 else array.acc_depth
        loaded = max(loaded, played[0]) + blocks * pixels
        # the first swap waits for `rows` loads from cycle 1 on, each other for those since the last
        ready = rows + 1 if tile == 0 else max(end + settles, swap + rows)
        read = max(loaded + 1, end)
        first = max(ready, read) + 1
        spent["preload"] += ready - end
        spent["act"] += first - ready - 1
        swap, end, before = ready, first + pixels - 1, read
        if each > 1:
            again = max(end + max(0, array.reuse - pixels), swap + rows)
            spent["preload"] += again - end + (each - 2) * max(0, least - pixels)
            swap = again + (each - 2) * max(least, pixels)
            before = end if each == 2 else swap - max(least, pixels) + pixels
            end = swap + pixels
        # a word is read when the one before it is taken
        played = [played[1], end - 1 if pixels > 1 else before]
    events = {
        "command_beats": 1,
        "weight_beats": tiles * m_folds * gather.columns,
        "act_beats": blocks * n,
        "ofmap_beats": m_folds * n,
        "bank_writes": rows * blocks * n,
        "bank_reads": rows * each * n,
        "list_writes": blocks,
        "list_reads": each * n,
    }
    return counts(arch, spent, events | ws_events(array, m_folds, folds, tiles, n))


class GatherModel(WSModel):
    """The array behind its scratchpad, cycle by cycle."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(arch, job, pauses)
        self.scratchpad = _Scratchpad(arch, self._job, pauses)
        self.act_stream = self.scratchpad
        self.command = Fork(self._job, pauses, self.scratchpad)

    def decoded(self, arch: ArchConfig, job: Job) -> dict[str, Words]:
        """Contents of the streams in integers; the list stays as it is."""
        words = super().decoded(arch, job)
        return words | {"act": words["act"] | {"entry": job.inputs["act"]["entry"]}}

    def step(self) -> str:
        """Pass one cycle; return its cause."""
        cause = super().step()
        for event, times in self.scratchpad.step().items():
            self.events[event] += times
        return cause


class _Scratchpad(Source):
    """Two halves of banks between the ``act`` stream, at its far end, and the array."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(job, "act", pauses)
        array = arch.array_as(DenseConfig)
        assert array.acc_depth is not None
        self.rows, self.pixels = np.arange(array.rows), array.acc_depth
        self.banks = np.zeros((2, depth(arch), array.acc_depth, array.rows), dtype=np.int64)
        self.entries = np.zeros((depth(arch), array.rows), dtype=np.int64)
        self.command: dict[str, int] = {}
        self.loading = self.playing = self.loads = self.taken = self.offered = False
        self.full = [False, False]
        self.load_half = self.load_pixel = self.load_block = 0
        self.half = self.pixel = self.fold_index = 0
        self.load_fold, self.fold = FoldCounter(2), FoldCounter(3)
        self.word = np.zeros(array.rows, dtype=np.int64)

    @property
    def ready(self) -> bool:
        """Whether a command would be taken."""
        return not self.loading and not self.playing

    def accept(self, command: dict[str, Ints]) -> None:
        """Take a command; it starts with the next cycle."""
        self.command = {field: int(value) for field, value in command.items()}

    def valid(self, cycle: int) -> bool:
        """Whether a gathered word is offered to the array."""
        self.loads = super().valid(cycle)
        self.taken = False
        return self.offered

    def take(self) -> dict[str, Ints]:
        """Transfer the word offered."""
        self.taken = True
        return {"act": self.word[:, None]}

    def step(self) -> dict[str, int]:
        """Pass one cycle; return its events."""
        loads = self.loading and not self.full[self.load_half] and self.loads
        writes_list = loads and self.load_pixel == 0 and self.load_fold.first(1)
        loaded = self._load() if self.loading and not self.full[self.load_half] else None
        read = self.playing and self.full[self.half] and (self.taken or not self.offered)
        played = self._play() if read else None
        self.offered = read or (self.offered and not self.taken)
        for half, is_full in ((loaded, True), (played, False)):
            if half is not None:
                self.full[half] = is_full
        if self.command:
            job, self.command = self.command, {}
            self.load_fold.start([job["k_blocks"], job["n_tiles"]])
            self.fold.start([job["k_folds"], job["m_folds"], job["n_tiles"]])
            self.n_edge = job["n_edge"]
            self.loading = self.playing = True
        return {
            "bank_writes": len(self.rows) * loads,
            "bank_reads": len(self.rows) * read,
            "list_writes": int(writes_list),
            "list_reads": int(read),
        }

    def _load(self) -> int | None:
        """Load a beat if there is one; return the half that it fills."""
        if not self.loads:
            return None
        word = super().take()
        half = self.load_half
        self.banks[half, self.load_block, self.load_pixel] = word["act"][:, 0]
        if self.load_pixel == 0 and self.load_fold.first(1):
            self.entries[self.load_block] = word["entry"]
        self.load_pixel += 1
        if self.load_pixel < (self.n_edge if self.load_fold.last(1) else self.pixels):
            return None
        tile_end, job_end = self.load_fold.last(0), self.load_fold.done
        self.load_fold.advance()
        self.load_pixel, self.load_block = 0, 0 if tile_end else self.load_block + 1
        if not tile_end:
            return None
        self.load_half, self.loading = 1 - half, not job_end
        return half

    def _play(self) -> int | None:
        """Read a word; return the half that it is the last of."""
        half = self.half
        self.word = self.banks[half, self.entries[self.fold_index], self.pixel, self.rows]
        self.pixel += 1
        if self.pixel < (self.n_edge if self.fold.last(2) else self.pixels):
            return None
        list_end, job_end = self.fold.last(0), self.fold.done
        tile_end = list_end and self.fold.last(1)
        self.fold.advance()
        self.pixel, self.fold_index = 0, 0 if list_end else self.fold_index + 1
        if not tile_end:
            return None
        self.half, self.playing = 1 - half, not job_end
        return half
