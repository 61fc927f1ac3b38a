"""What a search under equal budgets is of: a network, its models, and who may be chosen."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from hwsim.config.jobs.budgets import BudgetsConfig, ChoicesConfig
from hwsim.studies.comparison import Comparison
from hwsim.studies.model import Model

__all__ = ["Choices", "alike", "choices_of", "rules_of"]

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
    #: Rules of who may be chosen, by their names: the study's first, then others beside it.
    rules: Mapping[str, Rule]

    def admitted_by(self, model: Model) -> frozenset[str]:
        """Names of the rules that a model meets."""
        return frozenset(name for name, rule in self.rules.items() if rule(model))


def choices_of(comparison: Comparison) -> Choices:
    """Models of a comparison, and those that its budgets name beside them."""
    config, budgets = comparison.config, comparison.config.budgets
    assert budgets is not None
    known = {model.source: model for model in comparison.models} | comparison.others
    technologies = budgets.technologies or [config.technology or ""]
    return Choices(
        config.network, budgets, technologies, config.choices, known, rules_of(comparison)
    )


def rules_of(comparison: Comparison) -> dict[str, Rule]:
    """The rule of a study, and others that show what hangs on it, by what each admits.

    The others take its level, or its bound where it has none, twice as strict and half as strict;
    and weights as wide as the baseline's alone, which not every kind has at fewer bits.
    """
    level, bound = _level(comparison), comparison.config.accuracy_bound
    width = comparison.baseline.model.weight_width
    near: dict[str, Rule]
    if level is None:
        near = {
            f"within {each:g} points": partial(comparison.is_within, bound=each)
            for each in (bound / 2, 2 * bound)
        }
    else:
        near = {
            f"level {each:g}": partial(comparison.is_equal, level=each)
            for each in (2 * level, level / 2)
        }
        near[f"within {bound:g} points"] = comparison.is_within
    return {
        _own(comparison): comparison.is_equal,
        alike(comparison): lambda model: model.weight_width == width and comparison.is_equal(model),
        **near,
    }


def alike(comparison: Comparison) -> str:
    """Name of the rule of a study that admits weights as wide as the baseline's alone."""
    return f"{_own(comparison)}, {comparison.baseline.model.weight_width} bits alone"


def _own(comparison: Comparison) -> str:
    """Name of the rule of a study."""
    level, bound = _level(comparison), comparison.config.accuracy_bound
    return f"within {bound:g} points" if level is None else f"level {level:g}"


def _level(comparison: Comparison) -> float | None:
    """Level of the paired test; ``None`` where the bound decides."""
    on_record = comparison.baseline.model.heldout is not None
    return comparison.config.accuracy_level if on_record else None
