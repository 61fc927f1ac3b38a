"""What of a network runs outside the array: its ``float`` layers, and their share of the work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from hwsim.config import NetworkConfig

__all__ = ["OUTSIDE", "Outside", "outside_of", "outside_rows", "outside_table"]

#: Title of a table of them.
OUTSIDE = "outside the array, in floating point"
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


def outside_table(layers: Sequence[Outside]) -> tuple[list[str], list[list[object]]]:
    """Columns and rows of a table: one row per layer, and their sum; no rows without layers."""
    rows: list[list[object]] = [
        [layer.layer, layer.named, layer.macs, f"{layer.share:.2%}"] for layer in layers
    ]
    if rows:
        macs, share = (sum(getattr(each, key) for each in layers) for key in ("macs", "share"))
        rows.append(["total", "", macs, f"{share:.2%}"])
    return ["layer", "operations", "MACs per image", "of the network's"], rows


def outside_rows(networks: Mapping[str, Sequence[Outside]]) -> list[dict[str, Any]]:
    """Rows of ``outside.csv``: one per ``float`` layer of each network, by its name."""
    return [
        {"network": name} | layer.to_dict() | {"operations": " ".join(layer.operations)}
        for name, layers in networks.items()
        for layer in layers
    ]
