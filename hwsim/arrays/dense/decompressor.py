"""Weights that come compressed (``weight_stream: bitmask``) and are unpacked before the array.

The stream is that of :mod:`hwsim.formats.weight_stream`; its rows are the beats of the plain weight
stream, in their order. One *pass* is all rows of a layer: the array takes a pass for each tile of
pixels (``ws``) or fold of pixels (``os``), and the same words are sent again. The array behind it
is that of :mod:`hwsim.arrays.systolic`. ``docs/timing/dense.md`` derives the counts.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.dense.fork import Fork
from hwsim.arrays.streams import Source
from hwsim.arrays.systolic.compile import count_shape
from hwsim.arrays.systolic.model import Ints, SystolicModel, counts, padded, split
from hwsim.arrays.systolic.os import OSModel
from hwsim.arrays.systolic.ws import WSModel, count_cut
from hwsim.config import ArchConfig, DenseConfig
from hwsim.errors import InputError
from hwsim.formats import codes
from hwsim.formats.weight_stream import Packing, encode

__all__ = ["COMPRESSED_MODELS", "count_compressed", "decompresses", "with_decompressor"]


def decompresses(arch: ArchConfig) -> bool:
    """Whether a design has the decompressor."""
    return isinstance(arch.array, DenseConfig) and arch.array.decompresses


def with_decompressor(arch: ArchConfig, job: Job, name: str) -> Job:
    """Job of the array alone, its rows of weights replaced by words of the compressed stream.

    Raises
    ------
    InputError
        A pass of the layer ``name`` has more rows than a command can say.
    """
    command, rows = job.inputs["command"], job.inputs["weight"]["weight"]
    passes, weight_rows = command[_passes(arch)], _rows_of_pass(arch, command)
    limit = 1 << DenseConfig.ROWS_WIDTH
    if weight_rows.max(initial=0) >= limit:
        raise InputError(name, "weight_rows", int(weight_rows.max()), f"must be below {limit}")
    packing = Packing.of(arch)
    words = [encode(rows[:0], packing)]
    for count, each in zip(passes.tolist(), weight_rows.tolist(), strict=True):
        words.append(np.tile(encode(rows[:each], packing), (count, 1)))
        rows = rows[count * each :]
    inputs = job.inputs | {
        "command": command | {"weight_rows": weight_rows},
        "weight": {"slots": np.concatenate(words)},
    }
    return Job(inputs, job.ofmap_index, job.shape)


def _rows_of_pass(arch: ArchConfig, command: Words) -> Ints:
    """Rows of weights of one pass of each command."""
    array = arch.array_as(DenseConfig)
    if array.dataflow == "os":
        return command["m_folds"] * command["k_size"]
    return command["m_folds"] * ((command["k_folds"] - 1) * array.rows + command["k_edge"])


def _passes(arch: ArchConfig) -> str:
    """Field of the command that says how often the rows are taken."""
    return "n_tiles" if arch.array_as(DenseConfig).dataflow == "ws" else "n_folds"


def count_compressed(
    arch: ArchConfig,
    stored: NDArray[np.bool_] | None,
    m: int,
    k: int,
    n: int,
    begin: int = 0,
    cut: int = 0,
) -> Counts:
    """Counts with no pauses: those of the plain stream, the wait for rows computed row by row.

    Parameters
    ----------
    stored
        ``(m, k)``: which weights are not zero; ``None``: all.
    begin
        Cycle in which the first word is offered.
    cut
        K fold with which a second command begins, which carries on the sums; 0 without.
    """
    plain = count_cut(arch, m, k, n) if cut else count_shape(arch, m, k, n)
    if plain.cycles == 0:
        return plain
    # numba takes longer to import than most plain designs take to count
    from hwsim.arrays.dense import recurrence

    array, packing = arch.array_as(DenseConfig), Packing.of(arch)
    m_folds, _ = split(m, packing.lanes)
    if stored is None:
        in_fold = np.minimum(m - packing.lanes * np.arange(m_folds), packing.lanes)
        nonzeros = np.repeat(in_fold[:, None], k, axis=1)
    else:
        by_fold = padded(stored.astype(bool), 0, m_folds * packing.lanes)
        nonzeros = by_fold.reshape(m_folds, packing.lanes, k).sum(axis=1, dtype=np.int64)
    slots = packing.mask_slots + nonzeros
    commands = np.split(nonzeros, [cut * array.rows], axis=1)
    words = sum(packing.words(part.size, int(part.sum())) for part in commands)
    stream = recurrence.Stream(packing.port, 2 * packing.longest, begin)
    if array.dataflow == "ws":
        assert array.acc_depth is not None
        k_folds, _ = split(k, array.rows)
        # rows of a fold from the bottom up; where a last one holds no weights nothing is unpacked
        by_row = padded(slots, 1, k_folds * array.rows).reshape(-1, array.rows)[:, ::-1]
        passes, n_edge = split(n, array.acc_depth)
        pixels = np.full(passes, array.acc_depth, dtype=np.int64)
        pixels[-1] = n_edge
        preload, weight = recurrence.ws(
            np.ascontiguousarray(by_row), pixels, array.reuse, stream, cut
        )
    else:
        passes, _ = split(n, array.cols)
        preload, weight = recurrence.os(slots, passes, array.rows, stream)
    causes = plain.causes["array"] | {"preload": preload, "weight": weight}
    return counts(arch, causes, plain.events | {"weight_beats": passes * words})


class _Decompressor(Source):
    """Shift register and output register between the ``weight`` stream and the array."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(job, "weight", pauses)
        self.packing, self.numbers = Packing.of(arch), arch.numbers
        self.passes = _passes(arch)
        self.slots: list[int] = []
        self.running = self.skip = self.offered = self.arrives = self.taken = False
        self.rows = self.rows_left = self.passes_left = 0
        self.row = np.zeros(self.packing.lanes, dtype=np.int64)
        self.command: dict[str, int] = {}

    @property
    def ready(self) -> bool:
        """Whether a command would be taken."""
        return not self.running

    def accept(self, command: dict[str, Ints]) -> None:
        """Take a command; it starts with the next cycle."""
        self.command = {field: int(value) for field, value in command.items()}

    def valid(self, cycle: int) -> bool:
        """Whether a row is offered to the array."""
        self.arrives = super().valid(cycle)
        self.taken = False
        return self.offered

    def peek(self) -> dict[str, Ints]:
        """The row offered."""
        return {"weight": codes.decode(self.row, self.numbers)[:, None]}

    def take(self) -> dict[str, Ints]:
        """Transfer the row offered."""
        self.taken = True
        return self.peek()

    def step(self) -> None:
        """Pass one cycle."""
        level = len(self.slots)
        if self.arrives and level < 2 * self.packing.longest:
            self.slots += super().take()["weight"].tolist()
        emit = self.running and not self.skip and (self.taken or not self.offered)
        emit = emit and self._unpack(level)
        if self.skip:
            del self.slots[: level % self.packing.port]
        self.offered = emit or (self.offered and not self.taken)
        self.skip = emit and self.rows_left == 1
        self.rows_left -= emit
        if self.skip:
            self.rows_left = self.rows
            self.passes_left -= 1
            self.running = self.passes_left > 0
        if self.command:
            job, self.command = self.command, {}
            self.rows = self.rows_left = job["weight_rows"]
            self.passes_left, self.running = job[self.passes], True

    def _unpack(self, level: int) -> bool:
        """Move a row to the output register if it lies within the first ``level`` slots."""
        packing, first = self.packing, self.packing.mask_slots
        if level < first:
            return False
        mask = np.array(self.slots[:first])[:, None] >> np.arange(packing.width) & 1
        lanes = np.flatnonzero(mask.reshape(-1)[: packing.lanes])
        if level < first + len(lanes):
            return False
        self.row = np.zeros(packing.lanes, dtype=np.int64)
        self.row[lanes] = self.slots[first : first + len(lanes)]
        del self.slots[: first + len(lanes)]
        return True


class _Compressed(SystolicModel):
    """A systolic array behind its decompressor, cycle by cycle."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(arch, job, pauses)
        self.weight_stream = self.decompressor = _Decompressor(arch, self._job, pauses)
        self.command = Fork(self._job, pauses, self.decompressor)

    @staticmethod
    def weight_values(arch: ArchConfig, words: Words) -> Ints:
        """Slots of the stream: they are no integers until they are unpacked."""
        return words["slots"]

    def step(self) -> str:
        """Pass one cycle; return its cause."""
        cause = super().step()  # type: ignore[safe-super]  # that of the dataflow
        self.decompressor.step()
        return cause


class _CompressedWS(_Compressed, WSModel):
    """Weight-stationary."""


class _CompressedOS(_Compressed, OSModel):
    """Output-stationary."""


#: Cycle model of each dataflow.
COMPRESSED_MODELS: dict[str, type[SystolicModel]] = {"ws": _CompressedWS, "os": _CompressedOS}
