"""Weight-stationary dataflow of the systolic arrays: rows hold K, columns hold M, pixels stream.

A fold is ``rows x cols`` weights and the pixels of one tile of at most ``acc_depth``. Folds run
over pixel tiles (outer), M folds and K folds (inner); the partial sums of a tile rest in the
accumulator memory until its last K fold, which offers them. The derivation of the counts, register
by register, is in ``docs/timing/dense.md``.
"""

from __future__ import annotations

import numpy as np

from hwsim.arrays.base import Job, Pauses, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.systolic.model import (
    FoldCounter,
    Ints,
    SystolicModel,
    counts,
    diagonal,
    late,
    padded,
    shifted,
    split,
)
from hwsim.config import ArchConfig, SystolicConfig
from hwsim.fixedpoint import wrap

__all__ = ["WSModel", "compile_streams", "count_cut", "count_cycles", "halves", "ws_events"]


def count_cycles(arch: ArchConfig, m: int, k: int, n: int) -> Counts:
    """Cycles by cause with no pauses, in closed form.

    With n_f pixels in fold f of F folds:

    * ``idle`` 1: the cycle that takes the command;
    * ``preload`` rows + 1 before the first fold (``rows`` loads and the swap's own cycle), and
      max(0, rows - n_f) after every fold but the last: the next weights take ``rows`` cycles, and
      two where there is one row: a pixel's sum must be written before it is read again;
    * ``compute`` sum of n_f: one pixel per cycle;
    * ``drain`` rows + cols + mac_latency: the last pixel's way through the skew, the PEs, the
      deskew, the accumulator and the output register.
    """
    array = arch.array_as(SystolicConfig)
    assert array.acc_depth is not None
    tiles, n_edge = split(n, array.acc_depth)
    folds = split(k, array.rows)[0] * split(m, array.cols)[0]  # of each tile
    least = max(array.rows, array.reuse)
    gaps = (tiles - 1) * folds * max(0, least - array.acc_depth)
    gaps += (folds - 1) * max(0, least - n_edge)
    cycles = {
        "idle": 1,
        "preload": array.rows + 1 + gaps,
        "compute": folds * n,
        "drain": array.drain,
    }
    m_folds = split(m, array.cols)[0]
    beats = {
        "command_beats": 1,
        "weight_beats": tiles * m_folds * k,
        "act_beats": folds * n,
        "ofmap_beats": m_folds * n,
    }
    return counts(arch, cycles, beats | ws_events(array, m_folds, folds // m_folds, tiles, n))


def ws_events(
    array: SystolicConfig, m_folds: int, k_folds: int, tiles: int, n: int
) -> dict[str, int]:
    """Events of a weight-stationary array, in closed form: ``n`` pixels in ``tiles`` tiles."""
    folds = m_folds * k_folds
    return {
        "macs": array.multipliers * folds * n,
        "weight_loads": array.rows * folds * tiles,
        # the first K fold adds to nothing, the last one offers its sums
        "psum_reads": m_folds * (k_folds - 1) * n,
        "psum_writes": m_folds * (k_folds - 1) * n,
    }


def compile_streams(arch: ArchConfig, weight: Words, act: Ints) -> tuple[dict[str, Words], Ints]:
    """Contents of the streams for ``weight[M, K] @ act[K, N]``.

    Parameters
    ----------
    weight
        Fields of the weight stream, each ``(M, K, ...)``; where a PE sees blocks, K counts them.
    act
        Activation codes, ``(K, N, ...)``.

    Returns
    -------
    inputs
        Payloads of ``command``, ``weight`` and ``act``.
    indices
        ``(transfers, lanes, 2)``: the row and pixel that each lane of ``ofmap`` is, or -1, -1.
    """
    array = arch.array_as(SystolicConfig)
    assert array.acc_depth is not None
    (m, k), n = next(iter(weight.values())).shape[:2], act.shape[1]
    rows, cols = array.rows, array.cols
    k_folds, _ = split(k, rows)
    (m_folds, _), (n_tiles, _) = split(m, cols), split(n, array.acc_depth)
    starts = range(0, n, array.acc_depth)

    bottom_first = [i for k0 in range(0, k, rows) for i in reversed(range(k0, min(k0 + rows, k)))]
    beats = {}
    for field, words in weight.items():
        lanes = padded(words[:, bottom_first], 0, m_folds * cols)
        lanes = lanes.reshape(m_folds, cols, k, *words.shape[2:]).swapaxes(1, 2)
        tile = lanes.reshape(-1, cols, *words.shape[2:])
        beats[field] = np.concatenate([tile] * n_tiles)

    lanes = padded(act, 0, k_folds * rows).reshape(k_folds, rows, *act.shape[1:])
    lanes = lanes.swapaxes(1, 2)  # k fold, pixel, lane
    tiles = []
    for n0 in starts:
        tile = lanes[:, n0 : n0 + array.acc_depth].reshape(-1, rows, *act.shape[2:])
        tiles += [tile] * m_folds

    row = np.arange(m_folds * cols).reshape(m_folds, 1, cols)
    indices = []
    for n0 in starts:
        pixel = np.arange(n0, min(n0 + array.acc_depth, n)).reshape(1, -1, 1)
        both = np.stack(np.broadcast_arrays(row, pixel), axis=-1)
        indices.append(np.where(row[..., None] < m, both, -1).reshape(-1, cols, 2))

    return {
        "command": {
            key: np.array(values, dtype=np.int64)
            for key, values in _commands(array, m, k, n).items()
        },
        "weight": beats,
        "act": {"act": np.concatenate(tiles)},
    }, np.concatenate(indices)


def count_cut(arch: ArchConfig, m: int, k: int, n: int) -> Counts:
    """Counts of a product as :func:`compile_streams` sends it: K may be cut over two commands.

    The second is taken in the cycle after the last pixel of the first, which drains meanwhile, and
    its first weights are loaded as those of the first.
    """
    array = arch.array_as(SystolicConfig)
    found = count_cycles(arch, m, k, n)
    if len(halves(array, m, k, n)) == 1:
        return found
    pause = array.rows + 1 - max(0, max(array.rows, array.reuse) - n)
    return found + counts(arch, {"preload": pause, "drain": 1}, {"command_beats": 1})


def halves(array: SystolicConfig, m: int, k: int, n: int) -> list[int]:
    """K folds of each command: of one, or of two where the array carries their sums."""
    assert array.acc_depth is not None
    k_folds, _ = split(k, array.rows)
    (m_folds, _), (n_tiles, _) = split(m, array.cols), split(n, array.acc_depth)
    if array.carries and k_folds > 1 and m_folds == n_tiles == 1:
        return [k_folds // 2, k_folds - k_folds // 2]
    return [k_folds]


def _commands(array: SystolicConfig, m: int, k: int, n: int) -> dict[str, list[int]]:
    """Fields of the commands."""
    assert array.acc_depth is not None
    k_folds, (_, k_edge) = halves(array, m, k, n), split(k, array.rows)
    (m_folds, _), (n_tiles, n_edge) = split(m, array.cols), split(n, array.acc_depth)
    count, last = len(k_folds), len(k_folds) - 1
    found = {
        "k_folds": k_folds,
        "m_folds": [m_folds] * count,
        "n_tiles": [n_tiles] * count,
        "k_edge": [array.rows] * last + [k_edge],
        "n_edge": [n_edge] * count,
    }
    if array.carries:
        found |= {"carry": [0] + [1] * last, "keep": [1] * last + [0]}
    return found


class WSModel(SystolicModel):
    """Weight-stationary array, cycle by cycle.

    Sums are kept whole in the PEs and wrapped where they leave the accumulator's adder, which gives
    the same ``psum_width`` bits.
    """

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(arch, job, pauses)
        acc_depth = arch.array_as(SystolicConfig).acc_depth
        assert acc_depth is not None
        rows, cols = self.rows, self.cols
        pes, held = (rows, cols), (rows, cols, self.block)
        self.reuse = arch.array_as(SystolicConfig).reuse
        # control: the fold being fed, and the loader, at most one fold ahead
        self.busy = self.waiting = self.loading = self.full = False
        self.fold, self.load_fold = FoldCounter(3), FoldCounter(3)
        self.k_edge = self.n_edge = self.block_edge = self.pixel = self.load_row = 0
        #: Sums begin with those of the command before; they stay where they are.
        self.carry = self.keep = False
        #: Cycles until a swap cannot bring a pixel back to the accumulator too soon.
        self.settling = 0
        self.acc_depth = acc_depth
        self.multipliers = arch.array.multipliers
        # skew: row r of act and of the flags is late by r, column c of weight by c + 1
        self.act_skew = np.zeros((rows, rows - 1, self.block), dtype=np.int64)
        self.weight_skew = np.zeros((cols, cols, self.block), dtype=np.int64)
        self.swap_skew = np.zeros((1, rows - 1), dtype=np.int64)
        self.load_skew = np.full((1, rows - 1), -1, dtype=np.int64)  # destination row; -1: no load
        # PEs
        self.act, self.active, self.shadow = (np.zeros(held, np.int64) for _ in range(3))
        mac_latency = arch.array_as(SystolicConfig).mac_latency
        self.products = np.zeros((mac_latency - 1, *pes), np.int64)
        self.psum = np.zeros(pes, np.int64)
        self.swap, self.load = np.zeros(pes, dtype=bool), np.zeros(pes, dtype=bool)
        # what leaves them: deskew, tags of the pixels in flight, accumulator, output register
        self.deskew = np.zeros((cols, cols - 1), dtype=np.int64)
        self.tag_valid, self.tag_first, self.tag_last, self.tag_end = (
            np.zeros(rows + cols + mac_latency - 1, dtype=bool) for _ in range(4)
        )
        self.acc = np.zeros((acc_depth, cols), dtype=np.int64)
        self.read_addr = 0
        self.write_addr = [0, 0]
        self.read_data, self.kept = (np.zeros(cols, dtype=np.int64) for _ in range(2))
        self.ofmap_valid, self.ofmap = False, np.zeros(cols, dtype=np.int64)

    def step(self) -> str:
        """Pass one cycle; return its cause."""
        command_valid = self.command.valid(self.clock)
        weight_valid = self.weight_stream.valid(self.clock)
        act_valid = self.act_stream.valid(self.clock)
        enable = self.offer(self.ofmap_valid, self.ofmap)

        pixels = self.n_edge if self.fold.last(2) else self.acc_depth
        feed = enable and self.busy and not self.waiting and act_valid
        fold_end = feed and self.pixel == pixels - 1
        swap = enable and self.full and self._may_swap(fold_end)
        room = self.loading and (not self.full or swap)
        inject = self.load_fold.last(0) and self.load_row >= self.k_edge
        load = enable and room and (inject or weight_valid)

        if not enable:
            cause = "ofmap"
        elif self.busy and self.waiting:
            cause = "weight" if room and not load else "preload"
        elif self.busy:
            cause = "compute" if feed else "act"
        else:
            cause = "drain" if self.ofmap_valid or self.tag_valid.any() else "idle"

        self.note(enable, feed, load)
        if enable:
            act = np.zeros((self.rows, self.block), np.int64)
            weight = np.zeros((self.cols, self.block), np.int64)
            if feed:
                act = self._gate(self.act_stream.take()["act"])
            if load and not inject:
                weight = self.weight_stream.take()["weight"]
            self._accumulate(feed, fold_end)
            self._move(act, weight, swap, self.load_row if load else -1)
        if self.busy:
            self._control(enable, feed, fold_end, swap, load)
        elif command_valid:
            self._accept()
        return cause

    def note(self, enable: bool, feed: bool, load: bool) -> None:
        """Count the events of the cycle that begins."""
        uses_acc = enable and bool(self.tag_valid[-1])
        self.events["macs"] += self.multipliers * feed
        self.events["weight_loads"] += load
        self.events["psum_reads"] += uses_acc and not self.tag_first[-1]
        self.events["psum_writes"] += uses_acc and not self.tag_last[-1]

    def _may_swap(self, fold_end: bool) -> bool:
        """Whether the next fold's pixels may follow: the last one is fed, its sums are written."""
        if fold_end:
            return self.pixel + 1 >= self.reuse
        return self.waiting and not self.settling

    def _gate(self, act: Ints) -> Ints:
        """Clear binary activations beyond K."""
        if not self.gated or not self.fold.last(0):
            return act
        position = np.arange(self.rows * self.block).reshape(self.rows, self.block)
        return np.where(position < (self.k_edge - 1) * self.block + self.block_edge, act, 0)

    def _accept(self) -> None:
        command = {field: int(value) for field, value in self.command.take().items()}
        bounds = [command["k_folds"], command["m_folds"], command["n_tiles"]]
        self.fold.start(bounds)
        self.load_fold.start(bounds)
        self.k_edge, self.n_edge = command["k_edge"], command["n_edge"]
        self.block_edge = command.get("block_edge", self.block)
        self.carry, self.keep = (bool(command.get(name, 0)) for name in ("carry", "keep"))
        self.busy = self.waiting = self.loading = True
        self.pixel, self.load_row = 0, self.rows - 1

    def _control(self, enable: bool, feed: bool, fold_end: bool, swap: bool, load: bool) -> None:
        if enable:
            self.settling = self.reuse - self.pixel - 2 if fold_end else self.settling - 1
            self.settling = max(0, self.settling)
        if fold_end:
            self.pixel = 0
            self.busy = not self.fold.done
            self.fold.advance()
        elif feed:
            self.pixel += 1
        self.waiting = (self.waiting or fold_end) and not swap
        self.full = self.full and not swap
        if load and self.load_row == 0:
            self.full = True
            self.load_row = self.rows - 1
            self.loading = not self.load_fold.done
            self.load_fold.advance()
        elif load:
            self.load_row -= 1

    def _move(self, act: Ints, weight: Ints, swap: bool, load_row: int) -> None:
        """Move everything in the PEs and before them by one cycle."""
        taps, self.act_skew = shifted(self.act_skew, act)
        act_in = diagonal(taps)
        taps, self.weight_skew = shifted(self.weight_skew, weight)
        weight_in = diagonal(taps[:, 1:])
        swap_in, self.swap_skew = shifted(self.swap_skew, np.array([swap], np.int64))
        load_in, self.load_skew = shifted(self.load_skew, np.array([load_row], np.int64))

        psum_above = np.vstack((np.zeros(self.cols, np.int64), self.psum[:-1]))
        shadow_above = np.concatenate((weight_in[None], self.shadow[:-1]))
        self.products, dot = late(self.products, (self.act * self.active).sum(axis=-1))
        self.psum = psum_above + dot
        self.active = np.where(self.swap[..., None], self.shadow, self.active)
        self.shadow = np.where(self.load[..., None], shadow_above, self.shadow)
        self.act = np.concatenate((act_in[:, None], self.act[:, :-1]), axis=1)
        self.swap = np.column_stack((swap_in[0] != 0, self.swap[:, :-1]))
        self.load = np.column_stack((load_in[0] >= np.arange(self.rows), self.load[:, :-1]))

    def _accumulate(self, feed: bool, fold_end: bool) -> None:
        """Move everything behind the PEs by one cycle: deskew, tags, accumulator, output."""
        taps, self.deskew = shifted(self.deskew, self.psum[-1])
        psum = diagonal(taps[:, ::-1])
        total = wrap(self.kept + psum, self.psum_width)
        self.ofmap_valid = bool(self.tag_valid[-1] and self.tag_last[-1])
        if self.ofmap_valid:
            self.ofmap = total
        self.kept = np.where(self.tag_first[-2], 0, self.read_data)
        before = self.acc[self.read_addr].copy()
        if self.tag_valid[-1] and not self.tag_last[-1]:
            self.acc[self.write_addr[-1]] = total
        # sees a write of this cycle where a pixel may return so soon
        self.read_data = self.acc[self.read_addr].copy() if self.reuse == 2 else before
        self.write_addr = [self.read_addr, self.write_addr[0]]
        early_valid, early_end = feed, fold_end
        if len(self.tag_valid) > 2:
            early_valid, early_end = self.tag_valid[-3], self.tag_end[-3]
        if early_valid:
            self.read_addr = 0 if early_end else self.read_addr + 1
        for tags, tag in (
            (self.tag_valid, feed),
            (self.tag_first, self.fold.first(0) and not self.carry),
            (self.tag_last, self.fold.last(0) and not self.keep),
            (self.tag_end, fold_end),
        ):
            tags[1:] = tags[:-1].copy()
            tags[0] = tag
