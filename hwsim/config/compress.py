"""How a checkpoint is made: network, data set, training, constraints, word widths."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.base import Config, load, resolve

__all__ = ["CompressConfig", "ConstraintConfig", "PruneConfig", "QuantizeConfig", "TrainConfig"]

Epochs = Annotated[int, Field(ge=0, le=1000)]
Keep = Annotated[float, Field(gt=0, le=1)]


class TrainConfig(Config):
    """Schedule of AdamW; the learning rate warms up, then falls to 0 by a half cosine."""

    epochs: Epochs
    #: Peak.
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    batch: Annotated[int, Field(ge=1, le=65536)] = 128
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    #: Augmentation: pixels by which an image is moved, at most, in both directions.
    shift: Annotated[int, Field(ge=0, le=8)] = 2


class ConstraintConfig(Config):
    """What stays of one layer, as fractions: single weights, or whole rows and columns."""

    #: Single weights.
    unstructured: Keep | None = None
    #: Rows of the ``(M, K)`` matrix: filters, neurons.
    filters: Keep | None = None
    #: Columns of the ``(M, K)`` matrix, after the rows.
    columns: Keep | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        structured = self.filters is not None or self.columns is not None
        if (self.unstructured is not None) == structured:
            raise ValueError("must give either unstructured, or filters and/or columns")
        return self


class PruneConfig(Config):
    """Magnitude pruning in rounds; each round prunes further and retrains under the masks."""

    rounds: Annotated[int, Field(ge=1, le=100)]
    #: Of each round but the last, whose retraining is ``train``.
    epochs: Epochs = 1
    #: Layer name -> constraint; a layer not named keeps all its weights.
    layers: Annotated[dict[str, ConstraintConfig], Field(min_length=1)]


class QuantizeConfig(Config):
    """Post-training quantization: linear, symmetric, one scale a layer."""

    weight_bits: Literal[2, 3, 4, 5, 8] = 8
    #: Training images from which the ranges of the activations are taken.
    images: Annotated[int, Field(ge=1, le=100_000)] = 2000


class CompressConfig(Config):
    """One checkpoint."""

    #: Name of the checkpoint file.
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    kind: Literal["dense", "structured", "nonstructured"]
    #: Network, by name or path.
    network: str
    #: Data set that trains and tests it.
    dataset: Literal["mnist", "fashion"]
    seed: Annotated[int, Field(ge=0, lt=1 << 32)]
    #: Checkpoint to start from, by name or path; random weights where absent.
    start: str | None = None
    #: From random weights; or, with ``prune``, after the last round.
    train: TrainConfig
    prune: PruneConfig | None = None
    quantize: QuantizeConfig = QuantizeConfig()

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a recipe by name (``configs/compress``) or path."""
        return load(cls, resolve(name, "compress"))

    @model_validator(mode="after")
    def _kind_fits(self) -> Self:
        if (self.kind == "dense") != (self.prune is None):
            raise ValueError("prune must be given for every kind but dense")
        return self
