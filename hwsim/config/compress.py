"""How a checkpoint is made: network, data set, training, constraints, word widths."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.arch import WEIGHT_WIDTHS, NumberConfig, WeightCode
from hwsim.config.base import Config, load, resolve

__all__ = [
    "CompressConfig",
    "ConstraintConfig",
    "NMPruneConfig",
    "PatternPruneConfig",
    "PruneConfig",
    "QuantizeConfig",
    "TrainConfig",
]

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


class NMPruneConfig(Config):
    """At most ``n`` non-zeros in every ``m`` consecutive weights along K."""

    n: Annotated[int, Field(ge=1, le=64)]
    m: Annotated[int, Field(ge=1, le=64)]

    @model_validator(mode="after")
    def _part_of_the_block(self) -> Self:
        if self.n > self.m:
            raise ValueError(f"n must be at most m ({self.m}), not {self.n}")
        return self


class PatternPruneConfig(Config):
    """3x3 kernels keep 4 taps in one of ``patterns`` ways; then whole kernels go."""

    patterns: Annotated[int, Field(ge=1, le=16)] = 8
    #: Kernels that stay.
    kernels: Keep = 1.0


class ConstraintConfig(Config):
    """What stays of one layer: single weights, n of m, patterns, or whole rows and columns."""

    #: Fraction of single weights.
    unstructured: Keep | None = None
    #: Of every block along K, after the rows.
    nm: NMPruneConfig | None = None
    #: Of every 3x3 kernel.
    pattern: PatternPruneConfig | None = None
    #: Fraction of the rows of the ``(M, K)`` matrix: filters, neurons.
    filters: Keep | None = None
    #: Fraction of the columns of the ``(M, K)`` matrix, after the rows.
    columns: Keep | None = None
    #: Banks (k mod ``banks``) that keep as many columns each.
    banks: Annotated[int, Field(ge=1, le=256)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        kinds = ("unstructured", "nm", "pattern", "filters", "columns")
        given = {kind for kind in kinds if getattr(self, kind) is not None}
        allowed = ({"filters", "columns"}, {"filters", "nm"}, {"unstructured"}, {"pattern"})
        if not given or not any(given <= together for together in allowed):
            raise ValueError(
                "must give unstructured, or pattern, or filters and/or columns, or nm with or "
                "without filters"
            )
        if self.banks is not None and self.columns is None:
            raise ValueError("columns must be given with banks")
        return self


class PruneConfig(Config):
    """Magnitude pruning in rounds; each round prunes further and retrains under the masks."""

    rounds: Annotated[int, Field(ge=1, le=100)]
    #: Of each round but the last, whose retraining is ``train``.
    epochs: Epochs = 1
    #: Layer name -> constraint; a layer not named keeps all its weights.
    layers: Annotated[dict[str, ConstraintConfig], Field(min_length=1)]


class QuantizeConfig(Config):
    """One scale a layer; activations are linear and symmetric, 8 bits."""

    weight_bits: Literal[1, 2, 3, 4, 5, 8] = 8
    #: As in :class:`hwsim.config.NumberConfig`.
    weight_code: WeightCode = "int"
    #: Retraining with quantized weights, after the recipe's ``train``; absent: none.
    train: TrainConfig | None = None
    #: Training images from which the ranges of the activations are taken.
    images: Annotated[int, Field(ge=1, le=100_000)] = 2000

    @model_validator(mode="after")
    def _code_has_the_width(self) -> Self:
        low, high = WEIGHT_WIDTHS[self.weight_code]
        if not low <= self.weight_bits <= high:
            bounds = str(low) if low == high else f"{low}..{high}"
            raise ValueError(
                f"weight_bits must be {bounds} for weight_code {self.weight_code}, "
                f"not {self.weight_bits}"
            )
        if (self.weight_code, self.weight_bits) == ("levels", 8):
            raise ValueError("weight_bits must be below 8 for weight_code levels: +128 is no int8")
        return self

    @property
    def numbers(self) -> NumberConfig:
        """Width and code of the weights."""
        return NumberConfig(weight_width=self.weight_bits, weight_code=self.weight_code)


class CompressConfig(Config):
    """One checkpoint."""

    #: Name of the checkpoint file.
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    kind: Literal["dense", "structured", "nonstructured", "nm", "pattern"]
    #: Network, by name or path.
    network: str
    #: Data set that trains and tests it.
    dataset: Literal["mnist", "fashion"]
    seed: Annotated[int, Field(ge=0, lt=1 << 32)]
    #: Checkpoint to start from, by name or path; random weights where absent. Without ``prune``
    #: its zeros stay, except for kind dense.
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
        if self.kind == "dense":
            if self.prune is not None:
                raise ValueError("prune must be absent for kind dense")
        elif self.prune is None and self.start is None:
            raise ValueError("prune must be given for every kind but dense, or a start to keep")
        return self
