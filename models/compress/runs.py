"""Many recipes, side by side: each in a process of its own, after the one it starts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from multiprocessing.connection import Connection, wait
from pathlib import Path
from typing import Literal, Protocol

from hwsim.config.jobs.compress import CompressConfig
from hwsim.errors import InputError
from hwsim.models.compress.log import Epoch
from hwsim.models.compress.pipeline import Better
from hwsim.system.processes import WORKERS, Worker

__all__ = ["End", "Make", "Run", "Watch", "in_order", "work_off"]


@dataclass(frozen=True)
class Run:
    """A recipe and the folder for its checkpoint."""

    recipe: CompressConfig
    folder: Path

    @property
    def name(self) -> str:
        """Name of the recipe."""
        return self.recipe.name


@dataclass(frozen=True)
class End:
    """How a run ended.

    ``found``: it was done before. ``better``: what the folder has is better, and was left.
    ``blocked``: not begun, as what it starts from failed.
    """

    status: Literal["found", "made", "better", "failed", "blocked"]
    #: What went wrong, in one line.
    remark: str = ""

    @property
    def has_checkpoint(self) -> bool:
        """Whether the folder has a checkpoint of the name."""
        return self.status in ("found", "made", "better")


class Watch(Protocol):
    """Whom the progress of runs is told."""

    def begin(self, run: Run) -> None:
        """Take note of a run that begins, or goes on."""

    def report(self, run: Run, epoch: Epoch) -> None:
        """Take note of an epoch that is done and saved."""

    def end(self, run: Run, how: End) -> None:
        """Take note of a run that has ended, or was not begun."""


#: Make the checkpoint of one run. A module-level function, which a process can find.
Make = Callable[[Run, Callable[[Epoch], None]], object]


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Sort runs so that each comes after the one it starts from; given twice, it is done once.

    Raises
    ------
    InputError
        Two recipes have one name, or some start from each other in a circle.
    """
    by_name: dict[str, Run] = {}
    for run in runs:
        if by_name.setdefault(run.name, run) != run:
            raise InputError("compress", "name", run.name, "must be that of one recipe, not of two")
    done: dict[str, Run] = {}

    def visit(run: Run, path: tuple[str, ...]) -> None:
        if run.name in path:
            circle = " <- ".join((*path[path.index(run.name) :], run.name))
            raise InputError(run.name, "start", None, f"must not come back to itself: {circle}")
        start = by_name.get(run.recipe.start or "")
        if start is not None and start.name not in done:
            visit(start, (*path, run.name))
        done[run.name] = run

    for run in by_name.values():
        if run.name not in done:
            visit(run, ())
    return list(done.values())


def work_off(
    runs: list[Run],
    make: Make,
    watch: Watch,
    *,
    is_done: Callable[[Run], bool],
    processes: int = 1,
) -> dict[str, End]:
    """Make what is not done yet; one run that fails does not stop the others.

    Parameters
    ----------
    runs
        As :func:`in_order` sorts them.
    make
        Makes one checkpoint.
    watch
        Is told what happens.
    is_done
        Asked just before a run would begin, when what it starts from is there.
    processes
        Runs under way at a time; with 1 they run in this process.

    Returns
    -------
    ends
        By name, in the order in which they ended.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C. Runs under way are stopped, and go on from their last epoch another time.
    """
    waiting = list(runs)
    ends: dict[str, End] = {}
    pool = _Pool(make)

    def end(run: Run, how: End) -> None:
        ends[run.name] = how
        watch.end(run, how)

    try:
        while waiting or pool.running:
            unfinished = {run.name for run in pool.running}
            for run in waiting.copy():
                if len(pool.running) == processes or run.recipe.start in unfinished:
                    unfinished.add(run.name)
                    continue
                waiting.remove(run)
                known = _known(run, ends, is_done)
                if known is not None:
                    end(run, known)
                    continue
                watch.begin(run)
                if processes == 1:
                    end(run, _attempt(make, run, partial(watch.report, run)))
                else:
                    pool.launch(run)
                    unfinished.add(run.name)
            for run, message in pool.listen():
                if isinstance(message, Epoch):
                    watch.report(run, message)
                else:
                    end(run, message)
    finally:
        pool.stop()
    return ends


def _known(run: Run, ends: Mapping[str, End], is_done: Callable[[Run], bool]) -> End | None:
    """How a run has ended that need not, or can not, begin."""
    start = ends.get(run.recipe.start or "")
    if start is not None and not start.has_checkpoint:
        return End("blocked", f"{run.name}: not run: it starts from {run.recipe.start}")
    try:
        return End("found") if is_done(run) else None
    except InputError as error:
        return End("failed", _line(run, str(error)))


def _attempt(make: Make, run: Run, report: Callable[[Epoch], None]) -> End:
    try:
        make(run, report)
    except Better as error:
        return End("better", str(error))
    except InputError as error:
        return End("failed", _line(run, str(error)))
    except Exception as error:  # one bad recipe must not end hours of others: it is reported
        return End("failed", _line(run, f"{type(error).__name__}: {error}"))
    return End("made")


def _line(run: Run, text: str) -> str:
    text = " ".join(text.split())
    return text if text.startswith(f"{run.name}:") else f"{run.name}: {text}"


class _Pool:
    """Runs under way, each in a process that ends with it."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._running: dict[Connection, tuple[Run, Worker]] = {}

    @property
    def running(self) -> list[Run]:
        """Runs that have not ended."""
        return [run for run, _ in self._running.values()]

    def launch(self, run: Run) -> None:
        """Begin a run."""
        receiving, sending = WORKERS.Pipe(duplex=False)
        process = WORKERS.Process(target=_work, args=(self._make, run, sending), daemon=True)
        process.start()
        sending.close()  # so that the end of the process closes the pipe
        self._running[receiving] = run, process

    def listen(self) -> list[tuple[Run, Epoch | End]]:
        """Wait for news of runs under way; none where there are none."""
        news: list[tuple[Run, Epoch | End]] = []
        if not self._running:
            return news  # waiting for nothing would take for ever
        for link in wait(list(self._running)):
            assert isinstance(link, Connection)
            run, process = self._running[link]
            try:
                message = link.recv()
            except EOFError:
                text = "its process ended by itself (out of memory?); the same command goes on"
                message = End("failed", _line(run, text))
            news.append((run, message))
            if isinstance(message, End):
                del self._running[link]
                link.close()
                process.join()
        return news

    def stop(self) -> None:
        """End the processes that there are."""
        for _, process in self._running.values():
            process.terminate()
        for _, process in self._running.values():
            process.join()


def _work(make: Make, run: Run, link: Connection) -> None:
    link.send(_attempt(make, run, link.send))
