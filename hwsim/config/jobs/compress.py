"""How a checkpoint is made: network, data set, training, constraints, word widths."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.base import Config, parse
from hwsim.config.jobs.hardware_aware import HardwareAwareConfig
from hwsim.config.jobs.recipe_seed import read_with_seed
from hwsim.config.limits import Images, Name, Seed
from hwsim.config.numbers import WEIGHT_WIDTHS, NumberConfig, WeightCode

__all__ = [
    "ADMMConfig",
    "BlockPruneConfig",
    "BudgetConfig",
    "CompressConfig",
    "ConstraintConfig",
    "DistilConfig",
    "FixConfig",
    "GradualConfig",
    "LayerQuantizeConfig",
    "NMConstraintConfig",
    "NMPruneConfig",
    "PatternPruneConfig",
    "PruneConfig",
    "QuantizeConfig",
    "TrainConfig",
]

Epochs = Annotated[int, Field(ge=0, le=1000)]
Keep = Annotated[float, Field(gt=0, le=1)]


class TrainConfig(Config):
    """Schedule of AdamW; the learning rate warms up, then stays or falls to 0 by a half cosine."""

    epochs: Epochs
    #: Peak.
    learning_rate: Annotated[float, Field(gt=0, le=1)] = 2e-3
    batch: Annotated[int, Field(ge=1, le=65536)] = 128
    weight_decay: Annotated[float, Field(ge=0, le=1)] = 0.01
    #: Augmentation: pixels by which an image is moved, at most, in both directions.
    shift: Annotated[int, Field(ge=0, le=8)] = 2
    #: Augmentation: every other image, by chance, is mirrored left to right.
    mirror: bool = False
    schedule: Literal["cosine", "constant"] = "cosine"
    #: Of the products in forward and backward passes; weights and sums are float32.
    precision: Literal["float32", "bfloat16"] = "bfloat16"


class ADMMConfig(Config):
    """Split the weights W from a copy Z that obeys the constraint, and pull them together.

    One iteration trains W on loss + sum of rho/2 ||W - Z + U||^2, projects Z, updates U.
    """

    iterations: Annotated[int, Field(ge=1, le=1000)] = 10
    #: Penalty at first, the same for every layer.
    rho: Annotated[float, Field(gt=0, le=1e6)] = 1e-3
    #: Factor on rho after each iteration.
    growth: Annotated[float, Field(ge=1, le=10)] = 1.3
    #: Training of W in each iteration; the schedule runs over all of them.
    train: TrainConfig


class GradualConfig(Config):
    """Prune a little after each epoch of training: what matters least to the loss.

    After epoch e of E the network has gone ``1 - (1 - e / E) ** 3`` of the way from what it had
    before to the constraint (Zhu and Gupta, "To prune, or not to prune", 2017).
    """

    #: Its epochs are the steps of pruning.
    train: TrainConfig
    #: Fraction of the epochs after which a removed weight may return where its gradient is large
    #: (RigL: Evci et al., ICML 2020); later, masks only shrink.
    regrow: Annotated[float, Field(ge=0, lt=1)] = 0.0


class DistilConfig(Config):
    """Train on the logits of another network, too (Hinton, Vinyals and Dean, 2015)."""

    #: Checkpoint of the same network, by name or path.
    teacher: str
    #: Share of the teacher in the loss; the labels have the rest.
    weight: Annotated[float, Field(gt=0, le=1)] = 0.5
    #: Divides the logits of both networks.
    temperature: Annotated[float, Field(ge=1, le=100)] = 4.0


class NMPruneConfig(Config):
    """At most ``n`` non-zeros in every ``m`` consecutive weights along K."""

    n: Annotated[int, Field(ge=1, le=64)]
    m: Annotated[int, Field(ge=1, le=64)]

    @model_validator(mode="after")
    def _part_of_the_block(self) -> Self:
        if self.n > self.m:
            raise ValueError(f"n must be at most m ({self.m}), not {self.n}")
        return self


class NMConstraintConfig(NMPruneConfig):
    """The same on a layer of a recipe."""

    #: Blocks begin with each tap, as where channels are padded to whole blocks.
    taps: bool = False


class PatternPruneConfig(Config):
    """3x3 kernels keep 4 taps in one of ``patterns`` ways; then whole kernels go."""

    patterns: Annotated[int, Field(ge=1, le=16)] = 8
    #: Kernels that stay.
    kernels: Keep = 1.0
    #: Consecutive filters that keep or lose their kernels on a channel together: as many as read
    #: one list of channels in the array.
    group: Annotated[int, Field(ge=1, le=64)] = 1


class BlockPruneConfig(Config):
    """Whole tiles of the ``(M, K)`` matrix; those at its edges may be smaller."""

    rows: Annotated[int, Field(ge=1, le=1024)]
    columns: Annotated[int, Field(ge=1, le=1024)]
    #: Fraction of the tiles.
    keep: Keep


class ConstraintConfig(Config):
    """Constraint of one layer: on filters, channels, columns, tiles, or on weights inside them."""

    #: Fraction of single weights.
    unstructured: Keep | None = None
    #: Of every block along K.
    nm: NMConstraintConfig | None = None
    #: Of every 3x3 kernel.
    pattern: PatternPruneConfig | None = None
    block: BlockPruneConfig | None = None
    #: Fraction of the rows of the ``(M, K)`` matrix: filters, neurons.
    filters: Keep | None = None
    #: Fraction of the input channels of a group; a channel has one column per tap of a kernel.
    channels: Keep | None = None
    #: Fraction of the columns of the ``(M, K)`` matrix, after the rows.
    columns: Keep | None = None
    #: Number of banks (k mod ``banks``); every bank keeps the same number of columns.
    banks: Annotated[int, Field(ge=1, le=256)] | None = None

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        fine = [self.unstructured, self.nm, self.pattern, self.block, self.columns]
        given = sum(each is not None for each in fine)
        if given > 1 or not (given or self.filters or self.channels):
            raise ValueError(
                "must give one of unstructured, nm, pattern, block and columns, or filters or "
                "channels, which go with each of them"
            )
        if self.banks is not None and self.columns is None:
            raise ValueError("columns must be given with banks")
        return self


class BudgetConfig(Config):
    """One constraint over all layers together."""

    #: Fraction of single weights that stay in the whole network.
    unstructured: Keep


class PruneConfig(Config):
    """Pruning in rounds: ADMM, hard projection, removal of dead paths, masked retraining.

    Round r of R goes ``1 - (1 - r / R) ** 3`` of the way (Zhu and Gupta, "To prune, or not to
    prune", 2017), each from the last. Or ``gradual``: a little after each epoch, then retraining.
    """

    rounds: Annotated[int, Field(ge=1, le=100)] = 1
    #: Absent: the hard projection alone, by magnitude.
    admm: ADMMConfig | None = None
    #: In place of rounds.
    gradual: GradualConfig | None = None
    #: Under the masks, after the last round.
    retrain: TrainConfig
    #: After the rounds before it; absent: as after the last.
    between: TrainConfig | None = None
    #: Layer name -> constraint; a layer not named keeps all its weights.
    layers: dict[str, ConstraintConfig] = Field(default_factory=dict)
    #: Over all layers with weights; those in ``layers`` obey their constraint as well.
    budget: BudgetConfig | None = None
    #: Systolic design, by name or path: the number of ``filters`` is rounded to a multiple of its
    #: ``cols``, that of ``columns`` to a multiple of its ``rows``, so that what is left fills it.
    fill: str | None = None

    @model_validator(mode="after")
    def _is_of_one_kind(self) -> Self:
        if self.gradual is not None and (self.admm or self.between or self.rounds > 1):
            raise ValueError("admm, between and rounds must be absent with gradual")
        return self

    @model_validator(mode="after")
    def _fills_with_filters_or_columns(self) -> Self:
        kinds = [each.filters or each.columns for each in self.layers.values()]
        if self.fill is not None and not any(kinds):
            raise ValueError("fill must be absent without filters or columns in layers")
        if self.fill is not None and self.budget is not None:
            raise ValueError("fill must be absent with budget, which breaks the multiples")
        banked = next((name for name, each in self.layers.items() if each.banks), None)
        if self.fill is not None and banked is not None:
            raise ValueError(f"fill must be absent with layers.{banked}.banks, which fill rows")
        return self

    @model_validator(mode="after")
    def _constrains(self) -> Self:
        if not self.layers and self.budget is None:
            raise ValueError("must give layers, budget or both")
        return self


class FixConfig(Config):
    """Fix the weights closest to a level, retrain the others, and again, until all are fixed."""

    #: Fraction of each layer's weights that is fixed after each step.
    steps: Annotated[list[Annotated[float, Field(gt=0, le=1)]], Field(min_length=1)]
    #: Of each step.
    train: TrainConfig

    @model_validator(mode="after")
    def _ends_whole(self) -> Self:
        if sorted(set(self.steps)) != self.steps or self.steps[-1] != 1:
            raise ValueError(f"steps must rise to 1, not {self.steps}")
        return self


class LayerQuantizeConfig(Config):
    """Width and code of a layer's weights."""

    weight_bits: Literal[1, 2, 3, 4, 5, 8] = 8
    #: As in :class:`hwsim.config.NumberConfig`.
    weight_code: WeightCode = "int"

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


class QuantizeConfig(LayerQuantizeConfig):
    """One scale per layer; activations are linear and symmetric, 8 bits.

    Without ``admm``, ``fix`` or ``train`` the weights are rounded. The three run in this
    order: ADMM towards the levels, the fixing of the closest, straight-through retraining.
    """

    #: Layers that differ.
    layers: dict[str, LayerQuantizeConfig] = Field(default_factory=dict)
    admm: ADMMConfig | None = None
    fix: FixConfig | None = None
    #: Retraining that computes with quantized weights.
    train: TrainConfig | None = None
    #: Training images from which the ranges of the activations are taken.
    images: Images = 2000

    def of(self, layer: str) -> NumberConfig:
        """Width and code of one layer's weights."""
        return self.layers.get(layer, self).numbers

    @model_validator(mode="after")
    def _ends_on_levels(self) -> Self:
        if self.admm is not None and self.fix is None and self.train is None:
            raise ValueError("fix or train must be given with admm: it ends near the levels only")
        return self


class CompressConfig(Config):
    """One checkpoint."""

    #: Name of the checkpoint file.
    name: Name
    kind: Literal["dense", "structured", "punched", "nonstructured", "nm", "pattern"]
    #: Network, by name or path: also an ``.onnx`` file, a checkpoint or the folder of an import.
    network: str
    #: Data set that trains and tests it.
    dataset: Literal["mnist", "fashion"]
    seed: Seed
    #: Checkpoint to start from, by name or path: also an ``.onnx`` file, a state dict of the
    #: network or the folder of an import; random weights where absent. Without ``prune`` its zeros
    #: stay, except for kind dense.
    start: str | None = None
    #: Training of all the weights that ``start`` has, before anything is pruned.
    train: TrainConfig | None = None
    #: Batch normalization behind each convolution during ``train``; at its end it is folded into
    #: weights and biases, which every later stage trains.
    normalize: bool = False
    prune: PruneConfig | None = None
    #: In every stage that trains.
    distil: DistilConfig | None = None
    quantize: QuantizeConfig = QuantizeConfig()
    #: Search for the fractions to keep; it begins at those of ``prune.layers``.
    hardware_aware: HardwareAwareConfig | None = None

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a recipe by name (``configs/compress``; ``NAME_s3``: with seed 3) or path."""
        return parse(cls, *read_with_seed(name))

    @model_validator(mode="after")
    def _kind_fits(self) -> Self:
        if self.kind == "dense":
            if self.prune is not None:
                raise ValueError("prune must be absent for kind dense")
        elif self.prune is None and self.start is None:
            raise ValueError("prune must be given for every kind but dense, or a start to keep")
        if self.start is None and self.train is None:
            raise ValueError("train must be given without start: random weights are no network")
        if self.normalize and (self.train is None or self.start is not None):
            raise ValueError("normalize must be absent without train, and with start")
        return self

    @model_validator(mode="after")
    def _search_has_where_to_begin(self) -> Self:
        if self.hardware_aware is None:
            return self
        layers = self.prune.layers if self.prune is not None else {}
        if self.start is None or not layers:
            raise ValueError("start and prune.layers must be given with hardware_aware")
        if self.prune is not None and self.prune.budget is not None:
            raise ValueError("prune.budget must be absent with hardware_aware")
        for name, layer in layers.items():
            if layer.unstructured is None:
                raise ValueError(
                    f"prune.layers.{name} must give unstructured: hardware_aware searches for it"
                )
        return self
