"""Workers of a Dask cluster: the extra ``dask``."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hwsim.errors import InputError
from hwsim.sweeps.engines.base import Engine, Evaluate, measure
from hwsim.sweeps.point import Point
from hwsim.sweeps.store import Row
from hwsim.system import extras
from hwsim.system.interrupts import deferred

if TYPE_CHECKING:
    from distributed import Client, Future

__all__ = ["dask"]

#: Seconds in which a scheduler must answer, and have a worker.
PATIENCE = 30
#: Points under way for each thread of a worker: the next is there when one is finished.
AHEAD = 2


@contextmanager
def dask(evaluate: Evaluate, scheduler: str) -> Iterator[Engine]:
    """Engine of a cluster whose scheduler is at an address, such as ``tcp://host:8786``.

    Workers need the same hwsim. A point whose worker dies goes to another one; a point that kills
    several has failed.

    Raises
    ------
    InputError
        Dask is not installed, the address is none, the scheduler does not answer, or it has no
        worker.
    """
    extras.require("dask")
    from distributed import Client
    from distributed.comm.addressing import get_address_host_port

    try:
        # a client that was made with none goes on for a minute, and ends in a traceback
        get_address_host_port(scheduler)
    except ValueError as error:
        rule = "must be the address of a dask scheduler, such as tcp://HOST:PORT"
        raise InputError("arguments", "scheduler", scheduler, rule) from error
    try:
        client = Client(scheduler, timeout=PATIENCE, set_as_default=False)
    except OSError as error:
        rule = f"does not answer within {PATIENCE} s: is it tcp://HOST:PORT of a dask scheduler?"
        raise InputError("arguments", "scheduler", scheduler, rule) from error
    with client:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError as error:
            rule = f"has no worker within {PATIENCE} s"
            raise InputError("arguments", "scheduler", scheduler, rule) from error

        def engine(points: Iterable[Point], keep: Callable[[Row], None]) -> None:
            _drive(client, points, evaluate, keep)

        yield engine


def _drive(
    client: Client,
    points: Iterable[Point],
    evaluate: Evaluate,
    keep: Callable[[Row], None],
) -> None:
    from distributed import KilledWorker, as_completed

    waiting = iter(points)
    running = as_completed(loop=client.loop)
    under_way: dict[Future[Row], Point] = {}
    with deferred() as is_interrupted:
        while True:
            window = AHEAD * max(1, sum(client.ncores().values()))
            while len(under_way) < window and not is_interrupted():
                point = next(waiting, None)
                if point is None:
                    break
                future = client.submit(measure, point, evaluate, pure=False)
                under_way[future] = point
                running.add(future)
            if not under_way:
                break
            future = next(running)
            point = under_way.pop(future)
            try:
                keep(future.result())
            except KilledWorker as error:
                text = f"several workers died of it: {error}"
                keep(Row(point.key, "failed", point.fields, text))
