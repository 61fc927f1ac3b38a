"""What a search under equal budgets is of: a network, its models, and who may be chosen."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from hwsim.config.jobs.budgets import BudgetsConfig, ChoicesConfig
from hwsim.studies.compare import Comparison, Model, model_of, read_checkpoint

__all__ = ["Choices", "choices_of"]

Rule = Callable[[Model], bool]


@dataclass(frozen=True)
class Choices:
    """Models and designs that both sides choose from."""

    #: Network, by name or path.
    network: str
    budgets: BudgetsConfig
    #: Processes that areas, times and energies are in.
    technologies: list[str]
    runs: list[ChoicesConfig]
    #: Every model of the runs, by its name there.
    models: dict[str, Model]
    #: Whether a model is of equal accuracy by the study's rule, and by its plain bound.
    is_equal: Rule
    is_within: Rule


def choices_of(comparison: Comparison) -> Choices:
    """Models of a comparison, and those that its budgets name beside them."""
    config, budgets = comparison.config, comparison.config.budgets
    assert budgets is not None
    known = {model.source: model for model in comparison.models}
    for run in budgets.runs or ():
        for name in run.checkpoints:
            if name not in known:
                checkpoint = read_checkpoint(name, comparison.network)
                known[name] = model_of(name, checkpoint, config.network)
    technologies = budgets.technologies or [config.technology or ""]
    return Choices(
        config.network, budgets, technologies, config.choices, known, comparison.is_equal,
        comparison.is_within,
    )  # fmt: skip
