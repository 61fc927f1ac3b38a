"""Processes of this machine."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager

from hwsim.sweeps.engines.base import Engine, Evaluate, measure
from hwsim.sweeps.point import Point
from hwsim.sweeps.store import Row
from hwsim.system.interrupts import deferred
from hwsim.system.processes import pool

__all__ = ["local"]


@contextmanager
def local(evaluate: Evaluate, jobs: int) -> Iterator[Engine]:
    """Engine of ``jobs`` processes; with one, points are evaluated in this process.

    At most ``2 * jobs`` points are under way, and a kill loses only these.
    """
    if jobs == 1:

        def here(points: Iterable[Point], keep: Callable[[Row], None]) -> None:
            for point in points:
                keep(measure(point, evaluate))

        yield here
        return
    with pool(jobs, "sweep") as workers:

        def there(points: Iterable[Point], keep: Callable[[Row], None]) -> None:
            _drive(workers, points, evaluate, 2 * jobs, keep)

        yield there


def _drive(
    workers: ProcessPoolExecutor,
    points: Iterable[Point],
    evaluate: Evaluate,
    window: int,
    keep: Callable[[Row], None],
) -> None:
    waiting = iter(points)
    running: set[Future[Row]] = set()
    with deferred() as is_interrupted:
        while True:
            while len(running) < window and not is_interrupted():
                point = next(waiting, None)
                if point is None:
                    break
                running.add(workers.submit(measure, point, evaluate))
            if not running:
                break
            completed, running = wait(running, return_when=FIRST_COMPLETED)
            for future in completed:
                keep(future.result())
