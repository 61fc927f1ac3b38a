"""N:M family: a systolic array whose PEs hold n of every m weights along K.

It is the dense array with blocks of m positions where dense has one, so its cycles are dense's on
``ceil(K / m)`` blocks (:mod:`hwsim.arrays.dense.array`). All-zero filters and all-zero columns of
blocks are removed before the folds are cut.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, Run, Words
from hwsim.arrays.counts import Counts
from hwsim.arrays.systolic.compile import compile_words, count_cut, operands, stream_words
from hwsim.arrays.systolic.compile import count_shape as count_blocks
from hwsim.arrays.systolic.model import Ints, SystolicModel
from hwsim.arrays.systolic.os import OSModel
from hwsim.arrays.systolic.ws import WSModel
from hwsim.config import ArchConfig, NMConfig
from hwsim.formats import codes, nm
from hwsim.formats.nm import blocks, encode, occupancy
from hwsim.formats.operands import act_codes
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer

__all__ = [
    "arranged",
    "compile",
    "count",
    "count_shape",
    "count_whole",
    "simulate",
    "spread",
    "weight_words",
]


def compile(arch: ArchConfig, gemm: GEMM) -> Job:
    """Compile a GEMM with both operands into stream contents.

    All-zero weights give a job without words, transfers or cycles. Activations beyond K are 0, or
    where they are binary, +1 that the array replaces by 0.

    Raises
    ------
    InputError
        A block of weights breaks the constraint, a value has no code, or the layer has more folds
        than a command can say.
    """
    array = arch.array_as(NMConfig)
    weight, act = operands(gemm)
    matrix = encode(weight, array, arch.numbers, gemm.name)
    acts = blocks(act_codes(gemm.name, act, arch.numbers).T, array.m).swapaxes(0, 1)
    words = {"weight": matrix.codes}
    if array.position_width:
        words["position"] = matrix.positions
    job = compile_words(arch, gemm, matrix.kept_rows, words, acts[matrix.kept_blocks])
    if array.m > 1 and arch.numbers.act_width == 1:
        edges = np.full_like(job.inputs["command"]["m_folds"], array.m)
        edges[-1:] = _last_block(gemm.K, matrix.kept_blocks, array.m)
        job.inputs["command"]["block_edge"] = edges
    return job


def weight_words(arch: ArchConfig, weight: NDArray[np.integer], name: str) -> Words:
    """Words of the weight stream of a whole matrix whose blocks obey the constraint."""
    array = arch.array_as(NMConfig)
    codes.check(name, weight, arch.numbers)
    positions, values = nm.select(blocks(weight.astype(np.int64), array.m), array.n)
    words = {"weight": codes.encode(values, arch.numbers)}
    if array.position_width:
        words["position"] = positions
    return stream_words(arch, words)


def spread(arch: ArchConfig, weight: NDArray[np.integer]) -> NDArray[np.integer]:
    """Matrices that obey the constraint and whose sum is ``weight``."""
    return nm.spread(weight, arch.array_as(NMConfig))


def arranged(arch: ArchConfig, layer: Layer) -> tuple[Layer, str]:
    """The same layer as weights that obey the constraint, in several passes where they are denser.

    K may also be ordered (channel, tap), as in the files of fully connected layers, where that
    takes fewer passes. A pass multiplies the same activations by a part of the weights: the parts
    lie one behind the other along the K of one product.
    """
    array = arch.array_as(NMConfig)
    if layer.weights is None:
        return layer, ""
    own = np.arange(layer.K)
    orders = [own]
    if layer.taps > 1:
        orders.append(own.reshape(layer.taps, -1).T.ravel())
    passes = [
        max(nm.passes(weight[:, order], array) for weight in layer.weights) for order in orders
    ]
    best = int(np.argmin(passes))
    if passes[best] == 1 and best == 0:
        return layer, ""
    width = -(-layer.K // array.m) * array.m
    weights, acts = [], layer.acts()
    for weight in layer.weights:
        parts = nm.spread(weight[:, orders[best]], array)
        stacked = np.zeros((layer.M, passes[best], width), weight.dtype)
        stacked[:, : len(parts), : layer.K] = parts.swapaxes(0, 1)
        weights.append(stacked.reshape(layer.M, -1))
    if acts is not None:
        margin = ((0, width - layer.K), (0, 0))
        acts = tuple(np.tile(np.pad(act[orders[best]], margin), (passes[best], 1)) for act in acts)
    words = [f"{passes[best]} passes"] if passes[best] > 1 else []
    words += ["K ordered (channel, tap)"] if best else []
    found = Layer(
        layer.name, layer.M, passes[best] * width, layer.N, layer.groups, tuple(weights),
        matrices=acts,
    )  # fmt: skip
    return found, ", ".join(words)


def count_whole(arch: ArchConfig, weight: NDArray[np.integer], n: int) -> Counts:
    """Counts of a matrix of whole folds in a machine: zeros are computed, too."""
    m, k = weight.shape
    return count_shape(arch, m, k, n)


def simulate(arch: ArchConfig, job: Job, pauses: Pauses) -> Run:
    """Run a job cycle by cycle."""
    return _MODELS[arch.array_as(NMConfig).dataflow](arch, job, pauses).run()


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Exact counts with no pauses; all-zero rows and columns of blocks are not computed.

    Raises
    ------
    InputError
        A block of weights breaks the constraint.
    """
    array = arch.array_as(NMConfig)
    if gemm.weight is None:
        return count_cut(arch, gemm.M, -(-gemm.K // array.m), gemm.N)
    rows, cols, _ = occupancy(gemm.weight, array, arch.numbers, gemm.name)
    return count_cut(arch, len(rows), len(cols), gemm.N)


def count_shape(arch: ArchConfig, m: int, k: int, n: int) -> Counts:
    """Exact counts with no pauses of ``weight[m, k] @ act[k, n]``, in closed form."""
    return count_blocks(arch, m, -(-k // arch.array_as(NMConfig).m), n)


class _NMModel(SystolicModel):
    """What both dataflows add to the dense models: n selected weights are m, most of them 0."""

    @staticmethod
    def weight_values(arch: ArchConfig, words: Words) -> Ints:
        """Integers ``(transfers, lanes, m)`` of the words of the weight stream."""
        values = codes.decode(words["weight"], arch.numbers)
        if "position" not in words:
            return values
        spread = np.zeros((*values.shape[:2], arch.array.block), dtype=np.int64)
        transfer, lane = np.ogrid[: values.shape[0], : values.shape[1]]
        # a lane without a filter holds n weights at position 0: they add up, as in the array
        position = (transfer[..., None], lane[..., None], words["position"])
        np.add.at(spread, position, values)
        return spread


class NMWSModel(_NMModel, WSModel):
    """Weight-stationary array, cycle by cycle."""


class NMOSModel(_NMModel, OSModel):
    """Output-stationary array, cycle by cycle."""


_MODELS: dict[str, type[SystolicModel]] = {"ws": NMWSModel, "os": NMOSModel}


def _last_block(k: int, kept_blocks: Ints, m: int) -> int:
    """Positions within K of the last block that is kept."""
    return m if len(kept_blocks) == 0 else min(m, k - int(kept_blocks[-1]) * m)
