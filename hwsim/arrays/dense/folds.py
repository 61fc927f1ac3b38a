"""Weight-stationary dataflow with a gather list for each fold of filters (``fold_lists``).

Each fold is a command of its own, for it has columns of its own. The next command is taken in the
cycle after the last pixel of the one before, whose sums drain meanwhile; its first weights are
loaded before its first pixel.
"""

from __future__ import annotations

from collections import Counter

import numpy as np

from hwsim.arrays.base import Job, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.systolic.compile import compile_words, count_cut
from hwsim.arrays.systolic.model import Ints, counts
from hwsim.config import ArchConfig, SystolicConfig
from hwsim.formats import codes
from hwsim.formats.dense_folds import Fold
from hwsim.workload.gemm import GEMM

__all__ = ["compile_folds", "count_folds"]


def compile_folds(arch: ArchConfig, gemm: GEMM, folds: list[Fold], act: Ints) -> Job:
    """Job of a GEMM whose weights are cut into at least one fold; ``act``: codes ``(K, N)``."""
    assert gemm.weight is not None
    jobs = []
    for fold in folds:
        weight = codes.encode(gemm.weight[np.ix_(fold.rows, fold.cols)], arch.numbers)
        jobs.append(compile_words(arch, gemm, fold.rows, {"weight": weight}, act[fold.cols]))
    inputs: dict[str, Words] = {
        stream: {
            field: np.concatenate([job.inputs[stream][field] for job in jobs]) for field in words
        }
        for stream, words in jobs[0].inputs.items()
    }
    return Job(inputs, np.concatenate([job.ofmap_index for job in jobs]), (gemm.M, gemm.N))


def count_folds(arch: ArchConfig, folds: list[Fold], n: int) -> Counts:
    """Exact counts with no pauses of at least one fold, for ``n`` pixels."""
    sizes = Counter((len(fold.rows), len(fold.cols)) for fold in folds)
    found = counts(arch, {})
    for (m, k), times in sizes.items():
        found += count_cut(arch, m, k, n).scaled(times)
    # all commands but the first are taken, and all folds but the last drained, beside another
    between = {"idle": -1, "drain": 1 - arch.array_as(SystolicConfig).drain}
    return found + counts(arch, between).scaled(len(folds) - 1)
