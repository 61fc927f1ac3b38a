"""Dense family: a systolic array that consumes weights as they are, weight- or output-stationary.

All-zero rows and columns of the weights (structured pruning) are removed before the folds are cut:
the gather lists of :mod:`hwsim.formats.dense` select the activations that are streamed, and say
where the partial sums belong. An all-zero layer is no work at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Run, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.dense import gather as dense_gather
from hwsim.arrays.systolic import os as dense_os
from hwsim.arrays.systolic import ws as dense_ws
from hwsim.arrays.systolic.model import Ints, counts
from hwsim.config import ArchConfig, SystolicConfig
from hwsim.errors import InputError
from hwsim.formats.dense import encode, kept
from hwsim.formats.operands import act_codes
from hwsim.workload.gemm import GEMM

__all__ = ["compile", "compile_words", "count", "count_shape", "operands", "simulate"]

_DATAFLOWS = {
    "ws": (dense_ws.compile_streams, dense_ws.WSModel, dense_ws.count_cycles),
    "os": (dense_os.compile_streams, dense_os.OSModel, dense_os.count_cycles),
}


def compile(arch: ArchConfig, gemm: GEMM) -> Job:
    """Compile a GEMM with both operands into stream contents.

    All-zero weights give a job without words, transfers or cycles.

    Raises
    ------
    InputError
        A value has no code, or the layer has more folds than a command can say.
    """
    if dense_gather.gathers(arch):
        gemm = dense_gather.banked(arch, gemm)
    weight, act = operands(gemm)
    matrix = encode(weight, arch.numbers, gemm.name)
    acts = act_codes(gemm.name, act, arch.numbers)
    rows, cols = matrix.row_list(), matrix.col_list()
    if not dense_gather.gathers(arch):
        return compile_words(arch, gemm, rows, {"weight": matrix.codes}, acts[cols])
    gather = dense_gather.plan(arch, gemm, cols)
    words = dense_gather.spread(matrix.codes, cols, gather)
    streamed = np.zeros((words.shape[1], gemm.N), dtype=np.int64)
    job = compile_words(arch, gemm, rows, {"weight": words}, streamed)
    return dense_gather.with_scratchpad(arch, job, acts, gather)


def operands(gemm: GEMM) -> tuple[NDArray[np.integer], NDArray[np.integer]]:
    """Weights and activations of a GEMM; one without them is refused with an ``InputError``."""
    if gemm.weight is None or gemm.act is None:
        raise InputError(gemm.name, "", None, "must have weights and activations to be compiled")
    return gemm.weight, gemm.act


def compile_words(arch: ArchConfig, gemm: GEMM, rows: Ints, weight: Words, act: Ints) -> Job:
    """Job of a GEMM whose operands are in the words of a systolic array.

    Parameters
    ----------
    rows
        ``(M',)``: the row of ``ofmap`` that each row of ``weight`` is; without a row no words.
    weight
        Fields of the weight stream, each ``(M', K', ...)``.
    act
        Activation codes, ``(K', N, ...)``.

    Raises
    ------
    InputError
        The layer has more folds than a command can say.
    """
    streams, _, _ = _DATAFLOWS[arch.array_as(SystolicConfig).dataflow]
    shape = (gemm.M, gemm.N)
    if len(rows) == 0:
        one = {field: np.zeros((1, 1, *w.shape[2:]), np.int64) for field, w in weight.items()}
        inputs, places = streams(arch, one, np.zeros((1, 1, *act.shape[2:]), np.int64))
        empty = {stream: {f: v[:0] for f, v in words.items()} for stream, words in inputs.items()}
        return Job(empty, places[:0, :, 0], shape)
    inputs, places = streams(arch, weight, act)
    limit = 1 << arch.array_as(SystolicConfig).COUNT_WIDTH
    for field, values in inputs["command"].items():
        if int(values[0]) >= limit:
            raise InputError(gemm.name, field, int(values[0]), f"must be below {limit}")
    row, pixel = places[..., 0], places[..., 1]
    return Job(inputs, np.where(row < 0, -1, rows[row] * gemm.N + pixel), shape)


def simulate(arch: ArchConfig, job: Job, pauses: Pauses) -> Run:
    """Run a job clock by clock."""
    if dense_gather.gathers(arch):
        return dense_gather.GatherModel(arch, job, pauses).run()
    _, model, _ = _DATAFLOWS[arch.array_as(SystolicConfig).dataflow]
    return model(arch, job, pauses).run()


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Exact counts with no pauses; all-zero rows and columns of the weights are not computed."""
    if dense_gather.gathers(arch):
        gemm = dense_gather.banked(arch, gemm)
    if gemm.weight is None:
        rows, cols = np.arange(gemm.M), np.arange(gemm.K)
    else:
        rows, cols = kept(gemm.weight)
    if dense_gather.gathers(arch):
        gather = dense_gather.plan(arch, gemm, cols)
        blocks = -(-gemm.K // arch.array_as(SystolicConfig).rows)
        return dense_gather.count_cycles(arch, len(rows), blocks, gather, gemm.N)
    return count_shape(arch, len(rows), len(cols), gemm.N)


def count_shape(arch: ArchConfig, m: int, k: int, n: int) -> Counts:
    """Exact counts with no pauses of ``weight[m, k] @ act[k, n]``, in closed form.

    A few integer operations, whatever the shape. No rows, columns or pixels: no cycles.
    """
    if 0 in (m, k, n):
        return counts(arch, {})
    _, _, cycles = _DATAFLOWS[arch.array_as(SystolicConfig).dataflow]
    return cycles(arch, m, k, n)
