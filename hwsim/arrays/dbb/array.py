"""Density-bound-block family: an output-stationary array that skips zero activations.

Weights are dense, and all-zero rows and columns of them are removed as in the dense family
(:mod:`hwsim.arrays.dense.array`). What is left of K is cut into blocks of m positions; a block
takes as many cycles as the column of its fold with most non-zero activations needs, n of them per
cycle. The derivation of the counts is in ``docs/timing/dbb.md``.
"""

from __future__ import annotations

import numpy as np

from hwsim.arrays.base import Job, Pauses, Run
from hwsim.arrays.counts import Counts
from hwsim.arrays.dbb.density import sub_beats
from hwsim.arrays.dbb.model import DBBModel
from hwsim.arrays.systolic.compile import compile_words, operands
from hwsim.arrays.systolic.model import counts, split
from hwsim.config import ArchConfig, DBBConfig
from hwsim.formats.dense import encode, kept
from hwsim.formats.nm import blocks
from hwsim.formats.operands import act_codes
from hwsim.workload.gemm import GEMM

__all__ = ["compile", "count", "simulate"]


def compile(arch: ArchConfig, gemm: GEMM) -> Job:
    """Compile a GEMM with both operands into stream contents.

    All-zero weights give a job without words, transfers or cycles. Activations beyond K are 0.

    Raises
    ------
    InputError
        A value has no code, or the layer has more folds than a command can say.
    """
    m = arch.array_as(DBBConfig).m
    weight, act = operands(gemm)
    matrix = encode(weight, arch.numbers, gemm.name)
    acts = act_codes(gemm.name, act, arch.numbers)[matrix.col_list()]
    return compile_words(
        arch,
        gemm,
        matrix.row_list(),
        {"weight": blocks(matrix.codes, m)},
        blocks(acts.T, m).swapaxes(0, 1),
    )


def simulate(arch: ArchConfig, job: Job, pauses: Pauses) -> Run:
    """Run a job cycle by cycle."""
    return DBBModel(arch, job, pauses).run()


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Exact counts with no pauses; all-zero rows and columns of the weights are not computed.

    With S sub-beats in a fold, all blocks of a pixel fold together:

    * ``idle`` 1: the cycle that takes the command;
    * ``act`` 1: the first activations are in the encoder;
    * ``compute`` the sum of S over all folds;
    * ``preload`` the sum of max(0, rows - S) over all folds but the first: the previous fold's
      drain takes ``rows`` cycles;
    * ``drain`` as of every output-stationary array.
    """
    array = arch.array_as(DBBConfig)
    rows, cols = np.arange(gemm.M), np.arange(gemm.K)
    if gemm.weight is not None:
        rows, cols = kept(gemm.weight)
    if 0 in (len(rows), len(cols), gemm.N):
        return counts(arch, {})
    beats = sub_beats(array, gemm, cols)
    m_folds, num_blocks = split(len(rows), array.rows)[0], split(len(cols), array.m)[0]
    waits = np.maximum(0, array.rows - beats)
    compute = m_folds * int(beats.sum())
    cycles = {
        "idle": 1,
        "act": 1,
        "compute": compute,
        "preload": m_folds * int(waits.sum()) - int(waits[0]),
        "drain": array.drain,
    }
    entered = m_folds * len(beats) * num_blocks
    events = {
        "command_beats": 1,
        "weight_beats": entered,
        "act_beats": entered,
        "ofmap_beats": len(beats) * len(rows),
        "macs": array.multipliers * compute,
        "blocks": entered,
    }
    return counts(arch, cycles, events)
