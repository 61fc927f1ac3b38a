"""What a ``float`` layer computes: operations of ONNX, run by its reference evaluator.

The evaluator runs where the array's host would: in floating point, image by image. It needs the
extra ``onnx``.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError
from hwsim.system import extras
from hwsim.system.reading import reading
from hwsim.workload.onnx_reference import stored

__all__ = ["run"]

Floats = NDArray[np.float32]


def run(graph: bytes, sources: Sequence[Floats]) -> Floats:
    """Compute a ``float`` layer.

    Parameters
    ----------
    graph
        A model of ONNX: inputs of shape ``(1, C, H, W)``, one output ``(1, M, P, Q)``, all float32.
    sources
        ``(images, C, H, W)`` real values of each input.

    Returns
    -------
    (images, M, P, Q) float32

    Raises
    ------
    InputError
        The extra ``onnx`` is missing, or the graph is damaged.
    """
    evaluator = _evaluator(graph)
    names = evaluator.input_names
    if len(names) != len(sources):
        raise InputError("float layer", "graph", len(names), f"must have {len(sources)} inputs")
    feeds = [
        {name: act[[image]] for name, act in zip(names, sources, strict=True)}
        for image in range(len(sources[0]))
    ]
    with np.errstate(all="ignore"), reading("float layer", "cannot be computed"):
        each = [evaluator.run(None, feed)[0] for feed in feeds]
    return np.concatenate(each).astype(np.float32, copy=False)


@lru_cache(maxsize=128)
def _evaluator(graph: bytes) -> Any:
    extras.require("onnx")
    return stored(graph)
