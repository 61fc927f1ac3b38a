"""What every systolic family does with a matrix once its operands are words of the streams."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.systolic import os, ws
from hwsim.arrays.systolic.model import Ints, SystolicModel, counts
from hwsim.config import ArchConfig, SystolicConfig
from hwsim.errors import InputError
from hwsim.workload.gemm import GEMM

__all__ = ["MODELS", "compile_words", "count_cut", "count_shape", "operands", "stream_words"]

#: Cycle model of each dataflow.
MODELS: dict[str, type[SystolicModel]] = {"ws": ws.WSModel, "os": os.OSModel}
_STREAMS = {"ws": ws.compile_streams, "os": os.compile_streams}
_COUNTS = {"ws": ws.count_cycles, "os": os.count_cycles}
_CUT = {"ws": ws.count_cut, "os": os.count_cut}


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
    streams = _STREAMS[arch.array_as(SystolicConfig).dataflow]
    shape = (gemm.M, gemm.N)
    if len(rows) == 0:
        one = {field: np.zeros((1, 1, *w.shape[2:]), np.int64) for field, w in weight.items()}
        inputs, indices = streams(arch, one, np.zeros((1, 1, *act.shape[2:]), np.int64))
        empty = {stream: {f: v[:0] for f, v in words.items()} for stream, words in inputs.items()}
        return Job(empty, indices[:0, :, 0], shape)
    inputs, indices = streams(arch, weight, act)
    limit = 1 << arch.array_as(SystolicConfig).COUNT_WIDTH
    for field, values in inputs["command"].items():
        if int(values.max()) >= limit:
            raise InputError(gemm.name, field, int(values.max()), f"must be below {limit}")
    row, pixel = indices[..., 0], indices[..., 1]
    return Job(inputs, np.where(row < 0, -1, rows[row] * gemm.N + pixel), shape)


def stream_words(arch: ArchConfig, weight: Words) -> Words:
    """Words of the weight stream of a matrix, for one tile of pixels.

    Parameters
    ----------
    weight
        Fields of the weight stream, each ``(M, K, ...)``.
    """
    streams = _STREAMS[arch.array_as(SystolicConfig).dataflow]
    codes = next(iter(weight.values()))
    return streams(arch, weight, np.zeros((codes.shape[1], 1), np.int64))[0]["weight"]


def count_shape(arch: ArchConfig, m: int, k: int, n: int) -> Counts:
    """Exact counts with no pauses of ``weight[m, k] @ act[k, n]``, in closed form.

    A few integer operations, whatever the shape. No rows, columns or pixels: no cycles.
    """
    if 0 in (m, k, n):
        return counts(arch, {})
    return _COUNTS[arch.array_as(SystolicConfig).dataflow](arch, m, k, n)


def count_cut(arch: ArchConfig, m: int, k: int, n: int) -> Counts:
    """As :func:`count_shape`, of the commands that :func:`compile_words` makes: K may be cut."""
    if 0 in (m, k, n):
        return counts(arch, {})
    return _CUT[arch.array_as(SystolicConfig).dataflow](arch, m, k, n)
