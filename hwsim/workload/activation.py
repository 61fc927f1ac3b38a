"""Activation functions in floating point; in integers they are tables."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerConfig
from hwsim.config.activation import PARAMETERS, Function

__all__ = ["SELU_ALPHA", "SELU_SCALE", "activate"]

Floats: TypeAlias = NDArray[np.floating[Any]]

_ERF: Callable[[Floats], Floats] = np.vectorize(math.erf, otypes=[np.float64])
#: Constants of SELU (Klambauer et al., NeurIPS 2017).
SELU_ALPHA, SELU_SCALE = 1.6732632423543772, 1.0507009873554805


def activate(layer: LayerConfig, act: Floats) -> Floats:
    """Compute an ``activation`` layer, its ReLU included, in double precision.

    Parameters
    ----------
    layer
        The layer: its ``function``, ``alpha`` and ``beta``.
    act
        Activations of any shape; ``(images, C, H, W)`` where a parameter is one per channel.

    Returns
    -------
    Activations of the same shape and type
    """
    assert layer.function is not None
    alpha = layer.alpha
    slopes = np.array(alpha)[:, None, None] if isinstance(alpha, tuple) else alpha
    given = {"alpha": slopes, "beta": layer.beta}
    parameters = {
        key: default if given[key] is None else given[key]
        for key, default in PARAMETERS.get(layer.function, {}).items()
    }
    found: Floats = _FUNCTIONS[layer.function](act.astype(np.float64), **parameters)
    if layer.relu:
        found = np.clip(found, 0, layer.relu_max)
    same: Floats = found.astype(act.dtype)
    return same


def _exp(x: Floats) -> Floats:
    """Exponential that ends at the largest single-precision number."""
    found: Floats = np.exp(np.minimum(x, 88.0))
    return found


def _sigmoid(x: Floats) -> Floats:
    # of -|x|: it never overflows
    small: Floats = np.exp(-np.abs(x))
    return np.where(x < 0, small, 1) / (1 + small)


def _softplus(x: Floats) -> Floats:
    return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))


def _elu(x: Floats, alpha: float) -> Floats:
    found: Floats = np.where(x < 0, alpha * np.expm1(np.minimum(x, 0)), x)
    return found


def _celu(x: Floats, alpha: float) -> Floats:
    return np.maximum(x, 0) + np.minimum(0, alpha * np.expm1(np.minimum(x, 0) / alpha))


def _hardsigmoid(x: Floats, alpha: float, beta: float) -> Floats:
    return _clip(alpha * x + beta, 0, 1)


def _clip(x: Floats, alpha: float | None, beta: float | None) -> Floats:
    low, high = (-np.inf if alpha is None else alpha), (np.inf if beta is None else beta)
    kept: Floats = np.minimum(np.maximum(x, low), high)
    return kept


def _gelu(x: Floats) -> Floats:
    return 0.5 * x * (1 + _ERF(x / math.sqrt(2)))


def _gelu_tanh(x: Floats) -> Floats:
    found: Floats = 0.5 * x * (1 + np.tanh(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)))
    return found


_FUNCTIONS: dict[Function, Callable[..., Floats]] = {
    "abs": np.abs,
    "celu": _celu,
    "clip": _clip,
    "elu": _elu,
    "erf": _ERF,
    "exp": _exp,
    "gelu": _gelu,
    "gelu_tanh": _gelu_tanh,
    "hardsigmoid": _hardsigmoid,
    "hardswish": lambda x: x * np.clip(x / 6 + 0.5, 0, 1),
    "leaky_relu": lambda x, alpha: np.where(x < 0, alpha * x, x),
    "mish": lambda x: x * np.tanh(_softplus(x)),
    "quick_gelu": lambda x: x * _sigmoid(1.702 * x),
    "selu": lambda x: SELU_SCALE * _elu(x, SELU_ALPHA),
    "sigmoid": _sigmoid,
    "silu": lambda x: x * _sigmoid(x),
    "softplus": _softplus,
    "softsign": lambda x: x / (1 + np.abs(x)),
    "tanh": np.tanh,
}
