"""What a checkpoint holds of a ``float`` layer: its operations, and the scales on both sides."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.errors import InputError

__all__ = ["GRAPH", "FloatGraph", "read"]

#: End of the name of a graph's tensor.
GRAPH = ".graph"


@dataclass(frozen=True)
class FloatGraph:
    """A ``float`` layer.

    Attributes
    ----------
    graph
        As of :func:`hwsim.workload.float_graph.run`.
    input_scales
        Real value of one integer step of each input.
    scale
        That of the result.
    """

    graph: bytes
    input_scales: tuple[float, ...]
    scale: float

    @property
    def tensor(self) -> NDArray[np.uint8]:
        """The graph as it is stored."""
        return np.frombuffer(self.graph, np.uint8)

    @property
    def settings(self) -> dict[str, Any]:
        """The scales as they are stored."""
        return {"input_scales": list(self.input_scales), "scale": self.scale}


def read(
    path: Path, settings: Mapping[str, Any], tensors: Mapping[str, NDArray[Any]]
) -> dict[str, FloatGraph]:
    """Graphs of a file, by layer.

    Parameters
    ----------
    path
        The file, for messages.
    settings
        ``graphs`` of its metadata: :attr:`FloatGraph.settings` by layer.
    tensors
        All of its tensors.

    Raises
    ------
    InputError
        A graph has no scales, scales have no graph, or one is no positive number.
    """
    stored = {n.removesuffix(GRAPH): tensor for n, tensor in tensors.items() if n.endswith(GRAPH)}
    for name in stored.keys() ^ settings.keys():
        raise InputError(
            path, f"graphs.{name}", None, f"must be given with the tensor {name}{GRAPH}"
        )
    found = {}
    for name, own in settings.items():
        key = f"graphs.{name}"
        if not isinstance(own, dict) or own.keys() != {"input_scales", "scale"}:
            raise InputError(path, key, own, "must be a mapping of input_scales and scale")
        scales = own["input_scales"]
        if not isinstance(scales, list) or not all(map(_is_scale, [*scales, own["scale"]])):
            raise InputError(path, key, own, "must have scales that are positive numbers")
        found[name] = FloatGraph(stored[name].tobytes(), tuple(scales), own["scale"])
    return found


def _is_scale(value: object) -> bool:
    return type(value) is float and math.isfinite(value) and value > 0
