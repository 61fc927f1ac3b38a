"""Published model sizes, rebuilt from how much of each layer is kept and in how many bits."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.base import Config, load
from hwsim.config.catalog import resolve
from hwsim.config.limits import Name, Positive, Seed
from hwsim.config.network import NetworkConfig

__all__ = ["KeptLayer", "PublishedSize", "StorageConfig", "StorageRow", "UniformLayers"]

WeightBits = Annotated[int, Field(ge=1, le=16)]
#: Bits of the relative index; ``gap``: the logarithm of the layer's mean gap, rounded up.
IndexBits = Annotated[int, Field(ge=1, le=32)] | Literal["gap"]


class KeptLayer(Config):
    """Weights that are left of one layer, and their bits."""

    name: str
    #: Fraction of the weights that are not zero.
    kept: Annotated[float, Field(gt=0, le=1)]
    weight_bits: WeightBits
    index_bits: IndexBits = "gap"


class UniformLayers(Config):
    """The same fraction of every layer, where only the sum is published."""

    kept_weights: Annotated[int, Field(ge=1, le=1 << 40)]
    weight_bits: WeightBits
    index_bits: IndexBits = "gap"


class PublishedSize(Config):
    """Sizes that the paper gives, in KB of 1000 bytes."""

    weights: Positive
    data_kb: Positive
    indexed_kb: Positive


class StorageRow(Config):
    """One network of the table: ``layers`` one by one, or ``uniform``."""

    name: Annotated[str, Field(min_length=1, max_length=60)]
    network: str
    published: PublishedSize
    layers: Annotated[list[KeptLayer], Field(default_factory=list)]
    uniform: UniformLayers | None = None
    #: Largest relative difference from either published size; without, the row is only shown.
    tolerance: Annotated[float, Field(gt=0, lt=1)] | None = None
    #: Why the sizes differ, beyond what the counts say.
    note: str = ""

    @model_validator(mode="after")
    def _layers_are_the_networks(self) -> Self:
        if bool(self.layers) == (self.uniform is not None):
            raise ValueError("must have layers or uniform, and not both")
        return self

    def kept_layers(self) -> list[tuple[KeptLayer, int]]:
        """Each layer with weights, and how many weights it has in the unpruned network.

        Raises
        ------
        ValueError
            ``layers`` are not exactly the network's, in order, or more is kept than there is.
        """
        shapes = [s for s in NetworkConfig.read(self.network).shapes() if s.has_weights]
        layers = self.layers
        if self.uniform is not None:
            total = sum(shape.weights for shape in shapes)
            if self.uniform.kept_weights > total:
                raise ValueError(f"kept_weights must be at most {total}, all of {self.network}")
            layers = [
                KeptLayer(
                    name=shape.layer.name,
                    kept=self.uniform.kept_weights / total,
                    weight_bits=self.uniform.weight_bits,
                    index_bits=self.uniform.index_bits,
                )
                for shape in shapes
            ]
        names = [shape.layer.name for shape in shapes]
        if [layer.name for layer in layers] != names:
            raise ValueError(f"layers must be those of {self.network}: {', '.join(names)}")
        return [(layer, shape.weights) for layer, shape in zip(layers, shapes, strict=True)]


class StorageConfig(Config):
    """A published table of model sizes."""

    name: Name
    title: str
    #: Where the figures come from.
    source: str
    #: Seed of the synthetic masks.
    seed: Seed = 0
    rows: Annotated[list[StorageRow], Field(min_length=1)]

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a table by name (``configs/storage``) or path."""
        return load(cls, resolve(name, "storage"))
