"""Activation functions of one value that a layer may have, by name, with their parameters."""

from __future__ import annotations

from typing import Literal, get_args

__all__ = ["FUNCTIONS", "PARAMETERS", "Function"]

#: Names as PyTorch's modules and ONNX's operations have them.
Function = Literal[
    "abs", "celu", "clip", "elu", "erf", "exp", "gelu", "gelu_tanh", "hardsigmoid", "hardswish",
    "leaky_relu", "mish", "quick_gelu", "selu", "sigmoid", "silu", "softplus", "softsign", "tanh",
]  # fmt: skip
FUNCTIONS: tuple[Function, ...] = get_args(Function)
#: Parameters of those that have some, and what they are where a file says nothing: ``leaky_relu``
#: is ``alpha * x`` below 0, ``elu`` and ``celu`` approach ``-alpha``, ``hardsigmoid`` is ``alpha *
#: x + beta`` between 0 and 1, ``clip`` keeps ``alpha`` to ``beta``.
PARAMETERS: dict[Function, dict[str, float | None]] = {
    "celu": {"alpha": 1.0},
    "clip": {"alpha": None, "beta": None},
    "elu": {"alpha": 1.0},
    "hardsigmoid": {"alpha": 1 / 6, "beta": 0.5},
    "leaky_relu": {"alpha": 0.01},
}
