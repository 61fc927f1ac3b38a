"""One checkpoint of a study: its size, and how accurate it is."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import find_checkpoint
from hwsim.checkpoints.heldout import HeldOut, heldout_of
from hwsim.config import NetworkConfig
from hwsim.cost import storage
from hwsim.errors import InputError
from hwsim.formats.base import Bits

__all__ = ["Model", "model_of", "read_checkpoint"]


@dataclass(frozen=True)
class Model:
    """One checkpoint: a compression level of one kind of sparsity."""

    #: Name or path, as in the study's file.
    source: str
    kind: str
    #: Bits of a weight; of the widest layer, where they differ.
    weight_width: int
    #: Weights, and those of them that are not zero.
    weights: int
    nonzeros: int
    #: Per cent on the full test set, as the checkpoint records it. It decides nothing.
    accuracy: float
    #: Per cent on the training images that were held out; ``None``: the file does not say.
    accuracy_heldout: float | None
    #: The smallest format with each layer in its own bits, whether an array here consumes it or
    #: not, and its size.
    own: tuple[str, Bits]
    #: Seed that it was trained with.
    seed: int = 0
    #: Images held out that it gets wrong; ``None``: not on record.
    heldout: HeldOut | None = None

    @property
    def base(self) -> str:
        """Name without the seed: models of one base differ in it alone."""
        return self.name.removesuffix(f"_s{self.seed}")

    @property
    def suffix(self) -> str:
        """What the name says of the seed: ``_s1``, or nothing."""
        return self.name[len(self.base) :]

    @property
    def name(self) -> str:
        """Name of the file."""
        return Path(self.source).stem

    @property
    def factor(self) -> float:
        """Weights / weights left."""
        return self.weights / max(1, self.nonzeros)

    def to_dict(self) -> dict[str, Any]:
        """Plain data for ``results.json``."""
        return {
            "checkpoint": self.name,
            "kind": self.kind,
            "weight_width": self.weight_width,
            "weights": self.weights,
            "nonzeros": self.nonzeros,
            "accuracy": self.accuracy,
            "accuracy_heldout": self.accuracy_heldout,
            "own_format": self.own[0],
            "own_bits": self.own[1].to_dict(),
        }


def read_checkpoint(name: str, network: NetworkConfig) -> Checkpoint:
    """Checkpoint of a network, which must say how accurate it is."""
    checkpoint = Checkpoint.read(find_checkpoint(name), network)
    for key, needed in (("accuracy", True), ("accuracy_heldout", False)):
        value = checkpoint.info.get(key)
        fits = isinstance(value, float) and 0 <= value <= 1
        if not (fits or (value is None and not needed)):
            rule = "must be a fraction: the study compares by it"
            raise InputError(checkpoint.source, f"info.{key}", value, rule)
    return checkpoint


def model_of(name: str, checkpoint: Checkpoint, network: str) -> Model:
    """Model of a checkpoint; ``network`` is its name or path."""
    layers = checkpoint.layers.values()
    heldout = checkpoint.info.get("accuracy_heldout")
    return Model(
        source=name,
        kind=str(checkpoint.info.get("kind", "unknown")),
        weight_width=max(layer.weight_bits for layer in layers),
        weights=sum(layer.weight.size for layer in layers),
        nonzeros=sum(int(np.count_nonzero(layer.weight)) for layer in layers),
        accuracy=100 * float(checkpoint.info["accuracy"]),
        accuracy_heldout=None if heldout is None else 100 * float(heldout),
        own=storage.smallest(checkpoint.source, network),
        seed=int(checkpoint.info.get("recipe", {}).get("seed", 0)),
        heldout=heldout_of(Path(checkpoint.source)),
    )
