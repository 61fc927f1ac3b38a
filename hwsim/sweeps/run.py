"""Run the points of a sweep that have no result yet, on local worker processes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from typing import Any

from hwsim.errors import InputError
from hwsim.sweeps.grid import Point
from hwsim.sweeps.store import Row, Store
from hwsim.system.processes import pool

__all__ = ["Evaluate", "pending", "run"]

#: Measures one valid point: column -> number. Must be picklable: a module-level function.
Evaluate = Callable[[Point], dict[str, float]]


def pending(points: list[Point], store: Store) -> list[Point]:
    """List the points without a result in the store; points that failed are tried again."""
    settled = {row.key for row in store.rows(p.key for p in points) if row.status != "failed"}
    return [point for point in points if point.key not in settled]


def run(
    points: Iterable[Point],
    store: Store,
    evaluate: Evaluate,
    jobs: int = 1,
    progress: Callable[[Row], None] = lambda row: None,
) -> None:
    """Evaluate points, and store each result as soon as it is known.

    Parameters
    ----------
    points
        Points of a sweep; invalid ones are stored without being evaluated.
    store
        Receives a row per point.
    evaluate
        Measures a point.
    jobs
        Worker processes; 1: points are evaluated in this process. At most ``2 * jobs`` points are
        under way, and a kill loses only these.
    progress
        Called with every row after it is committed.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C, when the points under way are finished and stored.
    InputError
        A worker process died.
    """

    def keep(row: Row) -> None:
        store.put(row)
        progress(row)

    valid = []
    for point in points:
        if point.error:
            keep(Row(point.key, "invalid", _fields(point), point.error))
        else:
            valid.append(point)
    if jobs == 1 or len(valid) < 2:
        for point in valid:
            keep(_measure(point, evaluate))
        return
    with pool(min(jobs, len(valid))) as workers:
        _drive(workers, valid, evaluate, 2 * jobs, keep)


def _drive(
    workers: ProcessPoolExecutor,
    points: list[Point],
    evaluate: Evaluate,
    window: int,
    keep: Callable[[Row], None],
) -> None:
    waiting = iter(points)
    running: set[Future[Row]] = set()

    def settle() -> None:
        completed, _ = wait(running, return_when=FIRST_COMPLETED)
        for future in completed:
            running.discard(future)
            keep(future.result())

    try:
        while True:
            for point in waiting:
                running.add(workers.submit(_measure, point, evaluate))
                if len(running) == window:
                    break
            if not running:
                return
            settle()
    except KeyboardInterrupt:
        while running:
            settle()
        raise
    except BrokenProcessPool as error:
        rule = "a process ended by itself (out of memory?); the same command goes on from here"
        raise InputError("sweep", "jobs", None, rule) from error


def _measure(point: Point, evaluate: Evaluate) -> Row:
    """Evaluate one point; an error is recorded in its row."""
    start = time.perf_counter()
    fields = _fields(point)
    try:
        result = evaluate(point)
    except InputError as error:
        return Row(point.key, "invalid", fields, str(error), {}, time.perf_counter() - start)
    except Exception as error:  # must not end a sweep of hours: reported at its end
        text = f"{type(error).__name__}: {error}"
        return Row(point.key, "failed", fields, text, {}, time.perf_counter() - start)
    return Row(point.key, "done", fields, "", result, time.perf_counter() - start)


def _fields(point: Point) -> dict[str, Any]:
    return {"arch": point.base[0], "network": point.base[1], **point.values}
