"""What of a network runs outside the array: its ``float`` layers, and their share of the work."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass
from typing import Any

from hwsim.config import NetworkConfig

__all__ = ["Outside", "outside_of"]


#: Kinds of operations that a table names.
_NAMED = 5


@dataclass(frozen=True)
class Outside:
    """One ``float`` layer: its operations, and its multiply-accumulates for one image.

    ``share`` is the fraction of the network's, those of the array included.
    """

    layer: str
    operations: tuple[str, ...]
    macs: int
    share: float

    @property
    def named(self) -> str:
        """Its operations in a few words: the most frequent first, and how many kinds more."""
        counts = Counter(self.operations).most_common()
        shown = [name if times == 1 else f"{name} x {times}" for name, times in counts[:_NAMED]]
        more = [f"{len(counts) - _NAMED} more"] if len(counts) > _NAMED else []
        return ", ".join([*shown, *more])

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return asdict(self) | {"operations": list(self.operations)}


def outside_of(network: NetworkConfig) -> list[Outside]:
    """List the ``float`` layers of a network, in order."""
    inside = sum(shape.macs for shape in network.shapes())
    layers = [layer for layer in network.layers if layer.type == "float"]
    total = inside + sum(layer.macs for layer in layers)
    return [
        Outside(layer.name, layer.operations, layer.macs, layer.macs / total if total else 0.0)
        for layer in layers
    ]
