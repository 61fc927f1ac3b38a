"""The stages of a recipe, and their common state, which is saved after every epoch.

A stage changes a :class:`State` epoch by epoch. The state holds everything that an epoch depends
on, and is written to a file whole: a run that was killed resumes at its last epoch and ends with
the same result, bit for bit.
"""

from __future__ import annotations

import copy
import io
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from hwsim.config.jobs.compress import ADMMConfig, FixConfig, TrainConfig
from hwsim.models.compress.admm import Split
from hwsim.models.compress.log import Epoch
from hwsim.models.compress.pruning import clear_dead_biases, find_masks
from hwsim.models.constraints.joint import Joint
from hwsim.models.networks.network import Network
from hwsim.models.networks.slim import Masks
from hwsim.models.quantization.codes import Aware, Codes
from hwsim.models.training.train import Dataset, apply_masks, kept, nonzeros, train_epoch
from hwsim.system.files import write_bytes_atomic

__all__ = ["Fix", "Levels", "Prune", "Stage", "State", "Train", "run_stages"]

Data = tuple[Dataset, Dataset]


@dataclass
class State:
    """State of a run: everything that its next epoch depends on."""

    network: Network
    generator: torch.Generator
    #: Weights that may be non-zero, by layer; a layer that is not named is whole.
    masks: Masks = field(default_factory=dict)
    #: Weights that are not fixed to a level yet, by layer; ``None``: all inside the masks.
    free: Masks | None = None
    #: Scale of each layer's levels; empty before the first stage that quantizes.
    scales: dict[str, float] = field(default_factory=dict)
    split: Split | None = None
    #: Weights at the beginning of a stage of ADMM; choices that hold for the stage use them.
    anchor: dict[str, Tensor] = field(default_factory=dict)
    optimizer: dict[str, Any] | None = None
    log: list[Epoch] = field(default_factory=list)
    #: Index of the current stage, and number of its finished epochs.
    stage: int = 0
    epoch: int = 0

    def save(self, path: Path, recipe: str) -> None:
        """Write the state, whole or not at all.

        Parameters
        ----------
        path
            The file.
        recipe
            JSON text of the recipe, and of the weights it starts from.

        Raises
        ------
        InputError
            The file cannot be written.
        """
        block = io.BytesIO()
        contents = {
            "recipe": recipe,
            "network": self.network.state_dict(),
            "generator": self.generator.get_state(),
            "split": None if self.split is None else vars(self.split),
            "log": [asdict(epoch) for epoch in self.log],
            **{key: getattr(self, key) for key in _PLAIN},
        }
        torch.save(contents, block)
        write_bytes_atomic(path, block.getvalue())

    def restore(self, path: Path, recipe: str) -> bool:
        """Read the state from a file; return ``False`` where it is missing or of another recipe.

        So is one that is damaged: the state then stays as it is.
        """
        try:
            contents = torch.load(path, weights_only=True)
            if not isinstance(contents, dict) or contents.get("recipe") != recipe:
                return False
            split = None if contents["split"] is None else Split(**contents["split"])
            log = [Epoch(**epoch) for epoch in contents["log"]]
            plain = {key: contents[key] for key in _PLAIN}
            torch.Generator().set_state(contents["generator"])
            _load(copy.deepcopy(self.network), contents["network"])
        except Exception:  # torch raises almost anything for a damaged file
            return False
        _load(self.network, contents["network"])
        self.generator.set_state(contents["generator"])
        self.split, self.log = split, log
        for key, value in plain.items():
            setattr(self, key, value)
        return True


_PLAIN = ("masks", "free", "scales", "anchor", "optimizer", "stage", "epoch")


def _load(network: Network, contents: Mapping[str, Tensor]) -> None:
    """Load a network's state, which has batch normalization during a stage that normalizes."""
    if any(key.startswith("norms.") for key in contents):
        network.normalize()
    network.load_state_dict(contents)


class Stage(ABC):
    """A part of a recipe that takes ``epochs`` epochs; 0 is allowed."""

    name: str
    epochs: int

    def begin(self, state: State) -> None:  # noqa: B027 (a hook)
        """Prepare the state before the first epoch."""

    @abstractmethod
    def step(self, state: State, data: Data) -> Epoch:
        """Run epoch ``state.epoch`` (from 0) of the stage."""

    def end(self, state: State) -> None:  # noqa: B027 (a hook)
        """Prepare the state for the next stage, after the last epoch."""

    def _train(
        self, state: State, data: Data, config: TrainConfig, at: tuple[int, int], **more: Any
    ) -> dict[str, Any]:
        figures, state.optimizer = train_epoch(
            state.network, data, config, at, state.optimizer, state.generator,
            masks=state.masks, free=state.free, **more,
        )  # fmt: skip
        return {
            "stage": self.name,
            "epoch": state.epoch + 1,
            **figures,
            **self._left(state),
        }

    def _left(self, state: State) -> dict[str, Any]:
        """Report, for the log, which weights are not 0."""
        return {"kept": kept(state.network), "weights": nonzeros(state.network)}


def run_stages(
    stages: list[Stage],
    state: State,
    data: Data,
    *,
    save: Callable[[State], None],
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> None:
    """Run the remaining stages.

    Parameters
    ----------
    stages
        All stages of the recipe.
    state
        Changed in place.
    data
        Training images, and images held out.
    save, report
        Called after every epoch, in this order.
    """
    for stage in stages[state.stage :]:
        if state.epoch == 0:
            state.optimizer = None
            stage.begin(state)
        while state.epoch < stage.epochs:
            entry = stage.step(state, data)
            state.log.append(entry)
            state.epoch += 1
            save(state)
            report(entry)
        stage.end(state)
        state.stage, state.epoch = state.stage + 1, 0


class Train(Stage):
    """Training inside the masks; with ``codes``, of quantized weights (straight-through).

    With ``normalize``, batch normalization is behind each convolution during the stage, and folded
    at its end. There are no masks then.
    """

    def __init__(
        self,
        name: str,
        config: TrainConfig,
        codes: Mapping[str, Codes] | None = None,
        *,
        normalize: bool = False,
    ) -> None:
        self.name, self.epochs = name, config.epochs
        self._config, self._codes, self._normalize = config, codes, normalize

    def begin(self, state: State) -> None:
        """Put in batch normalization where the stage has it."""
        if self._normalize:
            state.network.normalize()

    def step(self, state: State, data: Data) -> Epoch:
        """Train for one epoch."""
        aware = self._aware(state)
        at = (state.epoch, self.epochs)
        return Epoch(**self._train(state, data, self._config, at, aware=aware))

    def end(self, state: State) -> None:
        """Fold batch normalization, and quantize the weights where the stage has codes."""
        state.network.fold()
        aware = self._aware(state)
        if aware is not None:
            aware.settle(state.network)

    def _aware(self, state: State) -> Aware | None:
        return None if self._codes is None else Aware(self._codes, state.masks, state.scales)


class _Split(Stage):
    """ADMM towards a set; the W-step of each iteration takes ``config.train.epochs`` epochs."""

    def __init__(self, name: str, config: ADMMConfig | None) -> None:
        self.name = name
        self.epochs = 0 if config is None else config.iterations * config.train.epochs
        self._config = config

    @abstractmethod
    def project(self, state: State, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Compute the nearest member of the set, by layer name."""

    def begin(self, state: State) -> None:
        """Start ADMM: set Z and U."""
        if self._config is None:
            return
        state.anchor = {name: each.clone() for name, each in state.network.weights().items()}
        state.split = Split.start(
            state.anchor, lambda weights: self.project(state, weights), self._config.rho
        )

    def step(self, state: State, data: Data) -> Epoch:
        """Train W for one epoch; after the last of an iteration, update Z and U."""
        assert self._config is not None
        assert state.split is not None
        split, config = state.split, self._config
        rho = split.rho
        at = (state.epoch, self.epochs)
        entry = self._train(state, data, config.train, at, pulls=split.pulls())
        primal: dict[str, float] = {}
        dual: dict[str, float] = {}
        if (state.epoch + 1) % config.train.epochs == 0:
            weights = state.network.weights()
            primal, dual = split.update(
                weights, lambda each: self.project(state, each), config.growth
            )
        return Epoch(**entry, rho=rho, primal=primal, dual=dual)

    def end(self, state: State) -> None:
        """Drop Z and U."""
        state.split, state.anchor = None, {}


class Prune(_Split):
    """ADMM towards a constraint (skipped without ``config``), then the hard projection onto it.

    The projection also removes dead paths: filters that no later weight reads, and weights on
    channels without a filter.
    """

    def __init__(self, name: str, constraints: Joint, config: ADMMConfig | None) -> None:
        super().__init__(name, config)
        self._constraints = constraints

    def project(self, state: State, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Project onto the constraint; its frozen choices stay the same for the whole stage."""
        every = {**state.network.weights(), **weights}
        masks = find_masks(state.network, every, self._constraints.frozen(state.anchor))
        return {name: every[name] * masks[name] for name in self._constraints.names}

    def end(self, state: State) -> None:
        """Choose the masks and apply them."""
        constraints = self._constraints
        if state.anchor:
            constraints = constraints.frozen(state.anchor)
        chosen = find_masks(state.network, state.network.weights(), constraints)
        # weights that an earlier round removed stay removed, even if they are chosen again
        state.masks = {name: mask & state.masks.get(name, mask) for name, mask in chosen.items()}
        apply_masks(state.network, state.masks)
        clear_dead_biases(state.network, state.masks)
        super().end(state)


class Levels(_Split):
    """ADMM towards weights that are a level times the scale of their layer."""

    def __init__(self, name: str, codes: Mapping[str, Codes], config: ADMMConfig) -> None:
        super().__init__(name, config)
        self._codes = codes

    def project(self, state: State, weights: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """Project the weights inside the masks; weights outside are 0."""
        projected = {}
        for name, weight in weights.items():
            mask = state.masks.get(name, torch.ones_like(weight, dtype=torch.bool))
            projected[name] = torch.zeros_like(weight)
            projected[name][mask] = self._codes[name].project(weight[mask])
        return projected


class Fix(Stage):
    """Fix the weights closest to a level and retrain the others, step by step, until all are fixed.

    ADMM-NN (ASPLOS 2019, section 4.2): rounding all weights at once costs about 1 % of accuracy.
    The scale of a layer is the best one for its weights at the beginning of the stage.
    """

    def __init__(self, name: str, codes: Mapping[str, Codes], config: FixConfig) -> None:
        self.name, self.epochs = name, len(config.steps) * config.train.epochs
        self._codes, self._config = codes, config

    def begin(self, state: State) -> None:
        """Choose the scales and fix the first weights."""
        for name, weight in state.network.weights().items():
            mask = state.masks.get(name)
            state.scales[name] = self._codes[name].fit(weight if mask is None else weight[mask])
        self._fix(state, self._config.steps[0])

    def step(self, state: State, data: Data) -> Epoch:
        """Train the weights that are free; after the last epoch of a step, fix more."""
        each = self._config.train.epochs
        at = (state.epoch % each, each)
        if at[0] == 0:
            state.optimizer = None
        entry = Epoch(**self._train(state, data, self._config.train, at))
        finished = (state.epoch + 1) // each
        if at[0] == each - 1 and finished < len(self._config.steps):
            self._fix(state, self._config.steps[finished])
        return entry

    def end(self, state: State) -> None:
        """Fix the remaining weights."""
        self._fix(state, 1)
        state.free = None

    def _fix(self, state: State, fraction: float) -> None:
        free: Masks = {}
        for name, weight in state.network.weights().items():
            mask = state.masks.get(name, torch.ones_like(weight, dtype=torch.bool))
            levels = self._codes[name].nearest(weight, state.scales[name]) * state.scales[name]
            count = round(fraction * int(mask.sum()))
            distance = torch.where(mask, (weight - levels).abs(), torch.inf).flatten()
            if state.free is not None:
                # a fixed weight stays fixed, although rounding may leave it a small distance
                distance[~state.free[name].flatten() & mask.flatten()] = -1
            fixed = torch.zeros(weight.numel(), dtype=torch.bool)
            fixed[distance.argsort(stable=True)[:count]] = True
            fixed = fixed.view(weight.shape)
            weight.copy_(torch.where(fixed, levels, weight))
            free[name] = mask & ~fixed
        state.free = free
