"""Dense family: a systolic array that consumes weights as they are, weight- or output-stationary.

All-zero rows and columns of the weights (structured pruning) are removed before the folds are cut:
the gather lists of :mod:`hwsim.formats.dense` select the activations that are streamed, and say
where the partial sums belong. An all-zero layer is no work at all.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays import dense_os, dense_ws
from hwsim.arrays.base import GEMM, Counts, Job, Pauses, Run
from hwsim.arrays.dense_model import CAUSES, counts, dense
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.fixedpoint import check_range
from hwsim.formats.dense import encode, kept

__all__ = ["CAUSES", "compile", "count", "count_shape", "simulate"]

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
        A value does not fit its width, or the layer has more folds than a command can say.
    """
    if gemm.weight is None or gemm.act is None:
        raise InputError(gemm.name, "", None, "must have weights and activations to be compiled")
    check_range(gemm.name, "weight", gemm.weight, arch.numbers.weight_width)
    check_range(gemm.name, "act", gemm.act, arch.numbers.act_width)
    matrix = encode(gemm.weight, arch.numbers.weight_width)
    streams, _, _ = _DATAFLOWS[dense(arch).dataflow]
    if matrix.codes.size == 0:
        return _nothing(arch, gemm)
    act = gemm.act[matrix.col_list()].astype(np.int64)
    inputs, places = streams(arch, matrix.codes, act)
    limit = 1 << dense(arch).COUNT_WIDTH
    for field, values in inputs["command"].items():
        if int(values[0]) >= limit:
            raise InputError(gemm.name, field, int(values[0]), f"must be below {limit}")
    row, pixel = places[..., 0], places[..., 1]
    index = np.where(row < 0, -1, matrix.row_list()[row] * gemm.N + pixel)
    return Job(inputs, index, (gemm.M, gemm.N))


def simulate(arch: ArchConfig, job: Job, pauses: Pauses) -> Run:
    """Run a job clock by clock."""
    _, model, _ = _DATAFLOWS[dense(arch).dataflow]
    return model(arch, job, pauses).run()


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Exact counts with no pauses; all-zero rows and columns of the weights are not computed."""
    if gemm.weight is None:
        return count_shape(arch, gemm.M, gemm.K, gemm.N)
    rows, cols = kept(gemm.weight)
    return count_shape(arch, len(rows), len(cols), gemm.N)


def count_shape(arch: ArchConfig, m: int, k: int, n: int) -> Counts:
    """Exact counts with no pauses of ``weight[m, k] @ act[k, n]``, in closed form.

    A few integer operations, whatever the shape. No rows, columns or pixels: no cycles.
    """
    if 0 in (m, k, n):
        return counts()
    _, _, cycles = _DATAFLOWS[dense(arch).dataflow]
    return cycles(arch, m, k, n)


def _nothing(arch: ArchConfig, gemm: GEMM) -> Job:
    """Job of a GEMM whose weights are all zero: the same streams with no words."""
    streams, _, _ = _DATAFLOWS[dense(arch).dataflow]
    one: NDArray[np.int64] = np.ones((1, 1), dtype=np.int64)
    inputs, places = streams(arch, one, one)
    empty = {stream: {f: v[:0] for f, v in words.items()} for stream, words in inputs.items()}
    return Job(empty, places[:0, :, 0], (gemm.M, gemm.N))
