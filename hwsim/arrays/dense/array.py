"""Dense family: a systolic array that consumes weights as they are, weight- or output-stationary.

All-zero rows and columns of the weights (structured pruning) are removed before the folds are cut:
the gather lists of :mod:`hwsim.formats.dense` select the activations that are streamed, and say
where the partial sums belong. An all-zero layer is no work at all. Each fold of filters has such a
list where the design says so (:mod:`hwsim.formats.dense_folds`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Run, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.dense import gather as dense_gather
from hwsim.arrays.dense.decompressor import (
    COMPRESSED_MODELS,
    count_compressed,
    decompresses,
    with_decompressor,
)
from hwsim.arrays.dense.folds import compile_folds, count_folds
from hwsim.arrays.systolic.compile import (
    MODELS,
    compile_words,
    count_cut,
    count_shape,
    operands,
    stream_words,
)
from hwsim.arrays.systolic.ws import halves
from hwsim.config import ArchConfig, DenseConfig, SystolicConfig
from hwsim.contract.machine import WEIGHT_OFFER
from hwsim.formats import codes
from hwsim.formats.dense import encode, kept, stored_folds
from hwsim.formats.dense_folds import Fold
from hwsim.formats.operands import act_codes
from hwsim.formats.weight_stream import Packing
from hwsim.formats.weight_stream import encode as pack
from hwsim.workload.gemm import GEMM

__all__ = ["compile", "count", "count_whole", "simulate", "spread", "weight_words"]


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
    folds = _folds(arch, weight, gemm.name)
    if len(folds) > 1:
        return compile_folds(arch, gemm, folds, act_codes(gemm.name, act, arch.numbers))
    matrix = encode(weight, arch.numbers, gemm.name)
    acts = act_codes(gemm.name, act, arch.numbers)
    rows, cols = matrix.row_list(), matrix.col_list()
    if not dense_gather.gathers(arch):
        job = compile_words(arch, gemm, rows, {"weight": matrix.codes}, acts[cols])
        return with_decompressor(arch, job, gemm.name) if decompresses(arch) else job
    gather = dense_gather.plan(arch, gemm, cols)
    words = dense_gather.spread(matrix.codes, cols, gather)
    streamed = np.zeros((words.shape[1], gemm.N), dtype=np.int64)
    job = compile_words(arch, gemm, rows, {"weight": words}, streamed)
    return dense_gather.with_scratchpad(arch, job, acts, gather)


def weight_words(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> Words:
    """Words of the weight stream of a whole matrix; nothing is left out."""
    codes.check(name, weight, arch.numbers)
    words = stream_words(arch, {"weight": codes.encode(weight, arch.numbers)})
    return {"slots": pack(words["weight"], Packing.of(arch))} if decompresses(arch) else words


def spread(arch: ArchConfig, weight: NDArray[np.integer]) -> NDArray[np.integer]:
    """The matrix alone: the format holds any."""
    return weight[None]


def count_whole(arch: ArchConfig, weight: NDArray[np.integer], n: int) -> Counts:
    """Counts of a matrix of whole folds in a machine: zeros are computed, too."""
    m, k = weight.shape
    if decompresses(arch):
        return count_compressed(arch, weight != 0, m, k, n, WEIGHT_OFFER)
    return count_shape(arch, m, k, n)


def simulate(arch: ArchConfig, job: Job, pauses: Pauses) -> Run:
    """Run a job cycle by cycle."""
    if dense_gather.gathers(arch):
        return dense_gather.GatherModel(arch, job, pauses).run()
    models = COMPRESSED_MODELS if decompresses(arch) else MODELS
    return models[arch.array_as(SystolicConfig).dataflow](arch, job, pauses).run()


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Exact counts with no pauses; all-zero rows and columns of the weights are not computed."""
    array = arch.array_as(SystolicConfig)
    if dense_gather.gathers(arch):
        gemm = dense_gather.banked(arch, gemm)
    if gemm.weight is not None:
        folds = _folds(arch, gemm.weight, gemm.name)
        if len(folds) > 1:
            return count_folds(arch, folds, gemm.N)
    if gemm.weight is None:
        rows, cols = np.arange(gemm.M), np.arange(gemm.K)
    else:
        rows, cols = kept(gemm.weight)
    if dense_gather.gathers(arch):
        gather = dense_gather.plan(arch, gemm, cols)
        blocks = -(-gemm.K // array.rows)
        return dense_gather.count_cycles(arch, len(rows), blocks, gather, gemm.N)
    shape = len(rows), len(cols), gemm.N
    if decompresses(arch):
        stored = None if gemm.weight is None else gemm.weight[np.ix_(rows, cols)] != 0
        return count_compressed(arch, stored, *shape, cut=_cut(array, *shape))
    return count_cut(arch, *shape)


def _folds(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> list[Fold]:
    """Folds with lists of their own; none for a design without such lists."""
    array = arch.array
    if not (isinstance(array, DenseConfig) and array.fold_lists):
        return []
    return stored_folds(weight, array.cols, arch.numbers, name)


def _cut(array: SystolicConfig, m: int, k: int, n: int) -> int:
    """K fold with which a second command begins, where the sums are carried; or 0."""
    if not array.carries or 0 in (m, k, n):
        return 0
    first, *second = halves(array, m, k, n)
    return first if second else 0
