"""Output-stationary dataflow of the systolic arrays: rows hold M, columns hold pixels, K streams.

A fold is ``rows x cols`` partial sums. Each beat of ``weight`` and of ``act`` is one k of one fold.
Folds run over pixel folds (outer) and M folds (inner). The derivation of the counts, register by
register, is in ``docs/timing/dense.md``.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

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

__all__ = ["OSModel", "compile_streams", "count_cut", "count_cycles"]


def count_cycles(arch: ArchConfig, m: int, k: int, n: int) -> Counts:
    """Cycles by cause with no pauses, in closed form.

    With F folds:

    * ``idle`` 1: the cycle that takes the command;
    * ``compute`` F * K: one k per cycle;
    * ``preload`` (F - 1) * max(0, rows - K): the previous fold's drain takes ``rows`` cycles;
    * ``drain`` 2 * rows + cols + mac_latency - 2: the last k's way through the skew and the PE,
      then ``rows`` partial sums of each column through the drain registers and the deskew.
    """
    array = arch.array_as(SystolicConfig)
    folds = split(m, array.rows)[0] * split(n, array.cols)[0]
    cycles = {
        "idle": 1,
        "compute": folds * k,
        "preload": (folds - 1) * max(0, array.rows - k),
        "drain": array.drain,
    }
    events = {
        "command_beats": 1,
        "weight_beats": folds * k,
        "act_beats": folds * k,
        "ofmap_beats": split(n, array.cols)[0] * m,
        "macs": array.multipliers * folds * k,
    }
    return counts(arch, cycles, events)


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
    (m, k), n = next(iter(weight.values())).shape[:2], act.shape[1]
    rows, cols = array.rows, array.cols
    m_folds, _ = split(m, rows)
    n_folds, _ = split(n, cols)

    beats = {}
    for field, words in weight.items():
        lanes = padded(words, 0, m_folds * rows).reshape(m_folds, rows, *words.shape[1:])
        fold = lanes.swapaxes(1, 2).reshape(-1, rows, *words.shape[2:])
        beats[field] = np.concatenate([fold] * n_folds)
    lanes = padded(act, 1, n_folds * cols).reshape(k, n_folds, cols, *act.shape[2:])
    lanes = lanes.swapaxes(0, 1)[:, None]  # pixel fold, M fold, k, lane
    lanes = np.broadcast_to(lanes, (n_folds, m_folds, *lanes.shape[2:]))

    # the bottom row of each fold comes first
    row = [r for r0 in range(0, m, rows) for r in reversed(range(r0, min(r0 + rows, m)))]
    pixel = np.arange(n_folds * cols).reshape(n_folds, 1, cols)
    indices = np.stack(np.broadcast_arrays(np.array(row)[None, :, None], pixel), axis=-1)
    indices = np.where(pixel[..., None] < n, indices, -1).reshape(-1, cols, 2)

    return {
        "command": {
            key: np.array(values, dtype=np.int64)
            for key, values in _commands(array, m, k, n).items()
        },
        "weight": beats,
        "act": {"act": lanes.reshape(-1, cols, *act.shape[2:])},
    }, indices


def count_cut(arch: ArchConfig, m: int, k: int, n: int) -> Counts:
    """Counts of a product as :func:`compile_streams` sends it: K may be cut over two commands.

    The second is taken in the cycle after the last k of the first, which leaves nothing to drain.
    """
    found = count_cycles(arch, m, k, n)
    more = len(_commands(arch.array_as(SystolicConfig), m, k, n)["k_size"]) - 1
    return found + counts(arch, {"idle": more}, {"command_beats": more})


def _commands(array: SystolicConfig, m: int, k: int, n: int) -> dict[str, list[int]]:
    """Fields of the commands: one, or two halves of K where the PEs carry their sums."""
    (m_folds, m_edge), (n_folds, _) = split(m, array.rows), split(n, array.cols)
    parts = [k]
    if array.carries and k > 1 and m_folds == n_folds == 1:
        parts = [k // 2, k - k // 2]
    count, last = len(parts), len(parts) - 1
    found = {
        "k_size": parts,
        "m_folds": [m_folds] * count,
        "n_folds": [n_folds] * count,
        "m_edge": [m_edge] * count,
    }
    if array.carries:
        found |= {"carry": [0] + [1] * last, "keep": [1] * last + [0]}
    return found


class OSModel(SystolicModel):
    """Output-stationary array, cycle by cycle."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(arch, job, pauses)
        rows, cols = self.rows, self.cols
        pes, held = (rows, cols), (rows, cols, self.block)
        self.multipliers = arch.array.multipliers
        # control: the fold being fed, and the cycles until a last k may follow the previous one
        self.busy = False
        self.fold = FoldCounter(2)
        self.k = self.k_size = self.m_edge = self.block_edge = self.drain_wait = 0
        #: Sums begin with those of the command before; they stay in the PEs.
        self.carry = self.keep = False
        # skew: row r of weight and of the flags is late by r, column c of act by c
        self.weight_skew = np.zeros((rows, rows - 1, self.block), dtype=np.int64)
        self.act_skew = np.zeros((cols, cols - 1, self.block), dtype=np.int64)
        self.mac_skew, self.first_skew, self.last_skew = (
            np.zeros((1, rows - 1), dtype=np.int64) for _ in range(3)
        )
        # PEs
        self.act, self.weight = (np.zeros(held, np.int64) for _ in range(2))
        self.acc, self.drain = (np.zeros(pes, np.int64) for _ in range(2))
        self.mac, self.first, self.last, self.shift = (np.zeros(pes, bool) for _ in range(4))
        # as late as the products are: these, and the flags of what is added to ``acc``
        lag = arch.array_as(SystolicConfig).mac_latency - 1
        self.products = np.zeros((lag, *pes), np.int64)
        self.adds, self.begins, self.ends = (np.zeros((lag, *pes), bool) for _ in range(3))
        self.rows_late = np.zeros(lag, np.int64)
        # drain of a fold: its start, a line behind the last k; rows that shift; rows left to offer
        self.start = np.zeros(rows + lag, dtype=bool)
        self.shifting, self.stop = np.zeros(rows, dtype=bool), np.zeros(rows, dtype=bool)
        self.fold_rows = self.drain_rows = self.drain_left = 0
        self.valid = np.zeros(cols, dtype=bool)
        self.deskew = np.zeros((cols, cols - 1), dtype=np.int64)

    def step(self) -> str:
        """Pass one cycle; return its cause."""
        command_valid = self.command.valid(self.clock)
        weight_valid = self.weight_stream.valid(self.clock)
        act_valid = self.act_stream.valid(self.clock)
        taps, _ = shifted(self.deskew, self.drain[-1])
        enable = self.offer(bool(self.valid[-1]), diagonal(taps[:, ::-1]))

        opens, closes = self.spans()
        last = closes and self.k == self.k_size - 1
        leaves = last and not self.keep
        blocked = leaves and self.drain_wait > 0
        feed = enable and self.busy and not blocked and weight_valid and act_valid
        if not enable:
            cause = "ofmap"
        elif self.busy and blocked:
            cause = "preload"
        elif self.busy:
            cause = "compute" if feed else "act" if weight_valid else "weight"
        else:
            in_flight = self.start.any() or self.drain_left > 0 or self.valid.any()
            cause = "drain" if in_flight else "idle"

        self.events["macs"] += self.multipliers * feed
        if enable:
            weight = np.zeros((self.rows, self.block), np.int64)
            act = np.zeros((self.cols, self.block), np.int64)
            if feed:
                weight = self.weight_stream.peek()["weight"]
                act = self.act_stream.take()["act"]
                if self.gated and last:  # beyond K
                    act = np.where(np.arange(self.block) < self.block_edge, act, 0)
            shift_in = self._drain(feed and leaves)
            first = opens and self.k == 0 and not self.carry
            self._move(weight, act, feed, first, feed and leaves, shift_in)
        if feed and closes:
            self.weight_stream.take()
        if self.busy:
            self._control(feed and closes, last)
        elif command_valid:
            self._accept()
        if enable and not (feed and leaves):
            self.drain_wait = max(0, self.drain_wait - 1)
        return cause

    def spans(self) -> tuple[bool, bool]:
        """Whether the activations on offer are the first, the last that their weights meet."""
        return True, True

    def _accept(self) -> None:
        command = {field: int(value) for field, value in self.command.take().items()}
        self.fold.start([command["m_folds"], command["n_folds"]])
        self.k_size, self.m_edge = command["k_size"], command["m_edge"]
        self.block_edge = command.get("block_edge", self.block)
        self.carry, self.keep = (bool(command.get(name, 0)) for name in ("carry", "keep"))
        self.busy, self.k = True, 0

    def _control(self, step: bool, last: bool) -> None:
        if step and last:
            self.k = 0
            if not self.keep:
                self.drain_wait = self.rows - 1
                self.fold_rows = self.m_edge if self.fold.last(0) else self.rows
            self.busy = not self.fold.done
            self.fold.advance()
        elif step:
            self.k += 1

    def _drain(self, fold_end: bool) -> NDArray[np.bool_]:
        """Move the drain's control by one cycle; return the rows that are told to shift."""
        begin = bool(self.start[-1])
        left = self.rows if begin else self.drain_left
        self.rows_late, fold_rows = late(self.rows_late, np.array(self.fold_rows))
        self.drain_rows = int(fold_rows) if begin else self.drain_rows
        self.drain_left = max(0, left - 1)
        self.valid = np.append(0 < left <= self.drain_rows, self.valid[:-1])
        self.start = np.append(fold_end, self.start[:-1])

        # all rows but the top start together; a token that moves down one row per cycle stops row r
        # after r shifts
        shift_in = self.shifting | begin
        shift_in[0] = False
        stop = self.stop.copy()
        stop[1:2] = begin
        self.shifting = shift_in & ~stop
        self.stop = np.append(False, stop[:-1])
        return shift_in

    def _move(
        self,
        weight: Ints,
        act: Ints,
        mac: bool,
        first: bool,
        last: bool,
        shift_in: NDArray[np.bool_],
    ) -> None:
        """Move everything in the PEs, before and behind them by one cycle."""
        taps, self.weight_skew = shifted(self.weight_skew, weight)
        weight_in = diagonal(taps)
        taps, self.act_skew = shifted(self.act_skew, act)
        act_in = diagonal(taps)
        mac_in, self.mac_skew = shifted(self.mac_skew, np.array([mac], np.int64))
        first_in, self.first_skew = shifted(self.first_skew, np.array([first], np.int64))
        last_in, self.last_skew = shifted(self.last_skew, np.array([last], np.int64))
        _, self.deskew = shifted(self.deskew, self.drain[-1])

        self.products, dot = late(self.products, (self.weight * self.act).sum(axis=-1))
        self.adds, adds = late(self.adds, self.mac)
        self.begins, begins = late(self.begins, self.first)
        self.ends, ends = late(self.ends, self.last)
        total = wrap(np.where(begins, 0, self.acc) + dot, self.psum_width)
        drain_above = np.vstack((np.zeros(self.cols, np.int64), self.drain[:-1]))
        self.acc = np.where(adds, total, self.acc)
        self.drain = np.where(ends, total, np.where(self.shift, drain_above, self.drain))
        self.act = np.concatenate((act_in[None], self.act[:-1]))
        self.weight = np.concatenate((weight_in[:, None], self.weight[:, :-1]), axis=1)
        self.mac = np.column_stack((mac_in[0] != 0, self.mac[:, :-1]))
        self.first = np.column_stack((first_in[0] != 0, self.first[:, :-1]))
        self.last = np.column_stack((last_in[0] != 0, self.last[:, :-1]))
        self.shift = np.column_stack((shift_in, self.shift[:, :-1]))
