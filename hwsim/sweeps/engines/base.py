"""The interface of engines, and the evaluation of one point that all of them share."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Protocol

from hwsim.errors import InputError
from hwsim.sweeps.evaluate import Measured
from hwsim.sweeps.point import Point
from hwsim.sweeps.store import Row

__all__ = ["Engine", "Evaluate", "measure"]

#: Measures one valid point. Must be picklable: a module-level function.
Evaluate = Callable[[Point], Measured]


class Engine(Protocol):
    """Evaluates points, in any order, and hands on a row of each as soon as it is known."""

    def __call__(self, points: Iterable[Point], keep: Callable[[Row], None]) -> None:
        """Evaluate points; few are taken ahead of those that are finished.

        Raises
        ------
        KeyboardInterrupt
            After Ctrl-C, when the points under way are finished and kept.
        InputError
            A worker died, or cannot be reached.
        """
        ...


def measure(point: Point, evaluate: Evaluate) -> Row:
    """Evaluate one point; an error is recorded in its row."""
    start = time.perf_counter()
    try:
        result = evaluate(point)
    except InputError as error:
        return Row(point.key, "invalid", point.fields, str(error), {}, time.perf_counter() - start)
    except Exception as error:  # must not end a sweep of hours: reported at its end
        text = f"{type(error).__name__}: {error}"
        return Row(point.key, "failed", point.fields, text, {}, time.perf_counter() - start)
    seconds = time.perf_counter() - start
    return Row(
        point.key, "done", point.fields, "", result.metrics, seconds, layers=result.layers
    )  # fmt: skip
