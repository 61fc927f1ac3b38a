"""Optuna's sampler for several objectives under constraints: the extra ``optuna``."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import TYPE_CHECKING

from hwsim.sweeps.samplers.base import Outcome
from hwsim.sweeps.space import Space
from hwsim.system import extras

if TYPE_CHECKING:
    from optuna.trial import Trial

__all__ = ["Optuna"]

#: Constraint of a trial: how far it is from what is feasible, 0 where it is.
VIOLATION = "violation"


class Optuna:
    """Asks a study of Optuna (TPE) for ``points`` points, ``batch`` at a time.

    It may ask for a point again, which then counts, but is not simulated again.

    Raises
    ------
    InputError
        Optuna is not installed.
    """

    def __init__(self, space: Space, objectives: int, points: int, batch: int, seed: int) -> None:
        extras.require("optuna")
        import optuna

        optuna.logging.set_verbosity(optuna.logging.WARNING)
        sampler = optuna.samplers.TPESampler(seed=seed)
        self._study = optuna.create_study(directions=["minimize"] * objectives, sampler=sampler)
        self._space, self._batch, self.total = space, batch, points
        self._left = points
        self._trials: dict[int, list[Trial]] = defaultdict(list)

    def ask(self) -> Sequence[int]:
        """Next points; empty when all are asked for."""
        asked = []
        for _ in range(min(self._batch, self._left)):
            trial = self._study.ask()
            axes = self._space.axes
            run = trial.suggest_categorical("run", list(range(len(axes)))) if axes[1:] else 0
            values = [
                trial.suggest_int(f"run {run} axis {axis}", 0, size - 1)
                for axis, size in enumerate(axes[run])
            ]
            number = self._space.number(run, values)
            self._trials[number].append(trial)
            asked.append(number)
        self._left -= len(asked)
        return asked

    def tell(self, number: int, outcome: Outcome) -> None:
        """Tell the study; a point without objectives has failed."""
        from optuna.trial import TrialState

        trial = self._trials[number].pop()
        trial.set_constraint(VIOLATION, outcome.violation)
        if outcome.costs is None:
            self._study.tell(trial, state=TrialState.FAIL)
        else:
            self._study.tell(trial, outcome.costs)
