"""Prune a trained network layer by layer, without training: by magnitude, or by least squares.

Without images weights go by magnitude. With images each layer's remaining weights make up for what
is removed: column by column, the error of a removed weight is moved to the columns behind it, so
that the layer's sums change least on what it reads (optimal brain surgeon; the order and the
factorization are those of SparseGPT: Frantar and Alistarh, ICML 2023). No labels are needed. Each
layer reads what the pruned layers before it give.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import linalg

from hwsim.config import LayerShape, read_by
from hwsim.errors import InputError
from hwsim.models.compress.nm_layers import chosen_n
from hwsim.models.importers.calibrate import Images, real
from hwsim.models.importers.float_model import FloatModel, LayerFloats
from hwsim.workload.lowering import lower_act, lower_weight, raise_weight

__all__ = ["Rule", "Target", "chosen", "described", "prune"]

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
#: Columns that are updated at a time where a rule has no blocks.
_COLUMNS = 128
#: Largest K whose products are inverted; larger layers are pruned by magnitude.
_LARGEST = 8192
#: Share of the mean square of the inputs that is added to each: what is never read stays finite.
_DAMPING = 0.01


@dataclass(frozen=True)
class Rule:
    """What stays: ``n`` of every ``m`` weights along K, or a fraction ``keep`` of all weights.

    With both, each layer has an n of its own, at most the given one, so that ``keep`` stays
    (:func:`hwsim.models.compress.nm_layers.chosen_n`). ``layers`` has the n of layers that are not
    chosen so; n = m leaves a layer whole.

    Raises
    ------
    InputError
        Neither is given, or a number is out of range.
    """

    nm: tuple[int, int] | None = None
    keep: float | None = None
    layers: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.nm is None and self.keep is None:
            raise InputError("arguments", "nm, keep", None, "must give one of both")
        if self.layers and self.nm is None:
            rule = "must be absent without nm, whose m they have"
            raise InputError("arguments", "layer_nm", dict(self.layers), rule)
        if self.nm is not None and not 1 <= self.nm[0] <= self.nm[1] <= 64:
            raise InputError("arguments", "nm", self.nm, "must be n:m with 1 <= n <= m <= 64")
        if self.keep is not None and not 0 < self.keep <= 1:
            raise InputError("arguments", "keep", self.keep, "must be above 0 and at most 1")
        for name, n in self.layers.items():
            if self.nm is not None and not 1 <= n <= self.nm[1]:
                rule = f"must be 1..{self.nm[1]}, n of every {self.nm[1]}"
                raise InputError("arguments", f"layer_nm.{name}", n, rule)

    def __str__(self) -> str:
        """As in names of files: ``nm_2x4``, ``keep_30``, ``nm_2x4_keep_30``."""
        parts = [] if self.nm is None else ["nm_{}x{}".format(*self.nm)]
        parts += [] if self.keep is None else [f"keep_{100 * self.keep:g}".replace(".", "_")]
        parts += ["layers"] if self.layers else []
        return "_".join(parts)

    def of(self, model: FloatModel, names: Sequence[str]) -> dict[str, Target]:
        """What stays of each of some layers."""
        if self.nm is None:
            return {name: Target(share) for name, share in _shares(model, names, self).items()}
        n, m = self.nm
        if self.keep is None:
            each = {name: self.layers.get(name, n) for name in names}
        else:
            shapes = {shape.layer.name: shape for shape in model.config.shapes()}
            matrices = {
                name: list(lower_weight(shapes[name], model.layers[name].weight)) for name in names
            }
            each = chosen_n(matrices, self.layers, n, m, self.keep)
        return {name: Target(own / m, (own, m)) for name, own in each.items()}


@dataclass(frozen=True)
class Target:
    """What stays of one layer: a share of its weights, or n of every m."""

    share: float
    nm: tuple[int, int] | None = None


def chosen(model: FloatModel, dense: Sequence[str] = ()) -> list[LayerShape]:
    """Layers that are pruned: all with weights but the first, depthwise ones and ``dense``.

    Raises
    ------
    InputError
        ``dense`` names no layer with weights.
    """
    shapes = [shape for shape in model.config.shapes() if shape.has_weights]
    known = [shape.layer.name for shape in shapes]
    for name in dense:
        if name not in known:
            rule = f"must be a layer with weights: {', '.join(known)}"
            raise InputError("arguments", "dense", name, rule)
    return [s for s in shapes[1:] if s.C > 1 and s.layer.name not in dense]


def prune(
    model: FloatModel,
    rule: Rule,
    images: Images | None = None,
    dense: Sequence[str] = (),
    progress: Callable[[str], None] = lambda what: None,
) -> FloatModel:
    """Prune a network.

    Parameters
    ----------
    model
        The trained network.
    rule
        What stays of each layer; of a fraction, each layer's share follows from the magnitudes of
        all (LAMP: Lee et al., ICLR 2021).
    images
        ``(n, C, H, W)`` on which the layers are reconstructed: uint8 pixels, which stand for 0..1,
        or the values that the network takes. Without, weights go by magnitude.
    dense
        Layers that keep all weights, beside the first one and depthwise ones.
    progress
        Called with a description of each step.

    Returns
    -------
    FloatModel
        With other weights.

    Raises
    ------
    InputError
        As of :func:`chosen`.
    """
    targets = _targets(model, rule, dense)
    found = replace(model, layers=dict(model.layers), grids={})
    shapes = found.config.shapes()
    reads = list(read_by(shapes).values())
    last_use = {name: index for index, names in enumerate(reads) for name in names}
    acts = {} if images is None else {"input": [real(image[None]) for image in images]}
    for index, (shape, names) in enumerate(zip(shapes, reads, strict=True)):
        name = shape.layer.name
        # of each image, what the layer reads
        sources = list(zip(*(acts[each] for each in names), strict=True)) if acts else []
        if name in targets:
            progress(f"pruning {name}")
            found.layers[name] = _pruned(shape, found.layers[name], targets[name], sources)
        if not acts:
            continue
        acts[name] = [found.act(shape, each) for each in sources]
        for source in set(names):
            if last_use[source] == index:
                del acts[source]
    return found


def described(
    model: FloatModel, rule: Rule, images: Images | None, dense: Sequence[str] = ()
) -> dict[str, Any]:
    """What a checkpoint's ``info`` records of :func:`prune`."""
    targets = _targets(model, rule, dense)
    whole = [name for name in model.layers if name not in targets]
    method = "magnitude" if images is None else f"least squares on {len(images)} images"
    found: dict[str, Any] = {"rule": str(rule), "method": method, "whole": whole}
    if len({target.nm for target in targets.values()}) > 1:
        found["nm"] = {name: list(target.nm or ()) for name, target in targets.items()}
    return {"pruned": found}


def _targets(model: FloatModel, rule: Rule, dense: Sequence[str]) -> dict[str, Target]:
    """What stays of each layer that is pruned."""
    names = [shape.layer.name for shape in chosen(model, dense)]
    for name in rule.layers:
        if name not in names:
            listed = f"must be a layer that is pruned: {', '.join(names)}"
            raise InputError("arguments", "layer_nm", name, listed)
    return rule.of(model, names)


def _shares(model: FloatModel, names: Sequence[str], rule: Rule) -> dict[str, float]:
    """Fraction of the weights that stays of each layer, where any weight may go.

    A weight's score is its square over the squares of all in its layer that are not smaller: what
    the layer would lose with it, of what it has left.
    """
    scores = {}
    for name in names:
        squares = np.sort(model.layers[name].weight.astype(np.float64).ravel() ** 2)
        left = np.cumsum(squares[::-1])[::-1]
        scores[name] = np.divide(squares, left, out=np.zeros_like(squares), where=left > 0)
    every = np.concatenate(list(scores.values())) if scores else np.zeros(1)
    threshold = np.quantile(every, 1 - (rule.keep or 0))
    return {
        name: max(1, int(np.count_nonzero(each >= threshold))) / each.size
        for name, each in scores.items()
    }


def _pruned(
    shape: LayerShape,
    own: LayerFloats,
    target: Target,
    sources: Sequence[Sequence[Floats]],
) -> LayerFloats:
    """One layer, group by group; by magnitude where there are no inputs, or too many for them."""
    matrices = [each.astype(np.float64) for each in lower_weight(shape, own.weight)]
    if sources and shape.K <= _LARGEST:
        products = [np.zeros((shape.K, shape.K)) for _ in matrices]
        for act, *_ in sources:
            for total, columns in zip(products, lower_act(shape, act), strict=True):
                total += columns.astype(np.float64) @ columns.T
        matrices = [
            _reconstructed(weight, total, target)
            for weight, total in zip(matrices, products, strict=True)
        ]
    else:
        matrices = [weight * _kept(weight**2, target) for weight in matrices]
    return replace(own, weight=raise_weight(shape, matrices).astype(np.float32), steps=None)


def _kept(scores: Doubles, target: Target) -> NDArray[np.bool_]:
    """Weights that stay, by their scores ``(M, K)``."""
    rows, columns = scores.shape
    if target.nm is None:
        count = max(1, round(target.share * scores.size))
        order = np.argsort(-scores, axis=None, kind="stable")[:count]
        kept = np.zeros(scores.size, bool)
        kept[order] = True
        return kept.reshape(scores.shape)
    n, m = target.nm
    padded = np.pad(scores, ((0, 0), (0, -columns % m)), constant_values=-1)
    blocks = padded.reshape(rows, -1, m)
    rank = np.argsort(np.argsort(-blocks, axis=2, kind="stable"), axis=2, kind="stable")
    found: NDArray[np.bool_] = (rank < n).reshape(rows, -1)[:, :columns]
    return found


def _reconstructed(weight: Doubles, products: Doubles, target: Target) -> Doubles:
    """Weights ``(M, K)`` of least squared error of the sums, from products of inputs ``(K, K)``."""
    weight, columns = weight.copy(), len(products)
    damped = products + np.eye(columns) * (_DAMPING * np.diag(products).mean() + 1e-12)
    inverted = linalg.inv(damped, check_finite=False)
    # what a column's error does to those behind it, row by row
    inverse = linalg.cholesky(inverted, check_finite=False)
    every = _kept(weight**2 / np.diag(inverted), target) if target.nm is None else None
    step = _COLUMNS if target.nm is None else target.nm[1]
    for first in range(0, columns, step):
        block = slice(first, first + step)
        scores = (weight[:, block] / np.diag(inverse)[block]) ** 2
        # of blocks those are chosen when their turn comes, with what was moved to them
        kept = _kept(scores, target) if every is None else every[:, block]
        errors = np.zeros_like(scores)
        for index in range(scores.shape[1]):
            column = first + index
            removed = np.where(kept[:, index], 0.0, weight[:, column])
            errors[:, index] = removed / inverse[column, column]
            end = first + scores.shape[1]
            weight[:, column:end] -= np.outer(errors[:, index], inverse[column, column:end])
            weight[~kept[:, index], column] = 0
        end = first + scores.shape[1]
        weight[:, end:] -= errors @ inverse[block, end:]
    return weight
