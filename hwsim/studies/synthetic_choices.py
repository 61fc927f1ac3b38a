"""Synthetic checkpoints that both sides choose from under equal budgets, all of one width."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np

from hwsim.checkpoints.synthetic import find_or_make
from hwsim.config import ArchConfig
from hwsim.config.jobs.budgets import ChoicesConfig
from hwsim.config.jobs.study_synthetic import DENSE, SyntheticStudyConfig
from hwsim.config.jobs.synthetic import SyntheticConfig
from hwsim.errors import InputError
from hwsim.formats.base import Bits
from hwsim.studies.choices import Choices
from hwsim.studies.model import Model

__all__ = ["synthetic_choices"]


def synthetic_choices(
    config: SyntheticStudyConfig,
    source: str,
    progress: Callable[[str], None] = lambda what: None,
) -> Choices:
    """Draw the weights of a study's budgets, in the width of its designs.

    Every model counts as equally accurate: each has a published density at which its authors report
    little or no loss, and nothing is known of these weights.

    Raises
    ------
    InputError
        A recipe is missing, or is none of synthetic weights of this network; or the designs differ
        in the width of a weight.
    """
    budgets = config.budgets
    assert budgets is not None
    bits = _width(config.choices, source)
    names = dict.fromkeys(name for run in config.choices for name in run.checkpoints)
    recipes = {name: SyntheticConfig.read(name) for name in names if name != DENSE}
    if not recipes:
        raise InputError(source, "study.budgets.runs", list(names), "must name a recipe")
    first = next(iter(recipes.values()))
    models = {}
    for name in names:
        recipe = first.whole(bits) if name == DENSE else recipes[name].in_bits(bits)
        progress(f"drawing {recipe.name}")
        models[name] = _model(recipe, name, config.network, source)
    technologies = budgets.technologies or [config.technology or ""]
    return Choices(
        config.network, budgets, technologies, config.choices, models,
        rules={"as published": lambda model: True},
    )  # fmt: skip


def _width(runs: list[ChoicesConfig], source: str) -> int:
    """Bits of a weight of all designs."""
    widths = {name: ArchConfig.read(name).numbers.weight_width for name in _archs(runs)}
    if len(set(widths.values())) > 1:
        rule = "must be designs of one weight width"
        raise InputError(source, "study.budgets.runs", widths, rule)
    return next(iter(widths.values()))


def _archs(runs: list[ChoicesConfig]) -> Iterator[str]:
    for run in runs:
        yield from run.archs


def _model(recipe: SyntheticConfig, name: str, network: str, source: str) -> Model:
    if recipe.network != network:
        rule = f"must be a recipe for {network}, not {recipe.network}"
        raise InputError(source, "study.budgets.runs", name, rule)
    checkpoint = find_or_make(recipe, command=f"hwsim study {source}")
    layers = checkpoint.layers.values()
    return Model(
        source=recipe.name,
        kind=DENSE if name == DENSE else recipe.kind,
        weight_width=max(layer.weight_bits for layer in layers),
        weights=sum(layer.weight.size for layer in layers),
        nonzeros=sum(int(np.count_nonzero(layer.weight)) for layer in layers),
        accuracy=math.nan,
        accuracy_heldout=None,
        own=("", Bits()),
    )
