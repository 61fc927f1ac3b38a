"""Run many recipes in parallel, each in its own process and after the recipe it starts from."""

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

    ``found``: it was finished before. ``made``: it wrote its checkpoint. ``better``: the folder has
    a better checkpoint, which was not replaced. ``failed``: ``remark`` says why. ``blocked``: it
    was not begun because the recipe it starts from failed.
    """

    status: Literal["found", "made", "better", "failed", "blocked"]
    #: Reason in one line, for the user.
    remark: str = ""

    @property
    def has_checkpoint(self) -> bool:
        """Whether the folder has a checkpoint of the name."""
        return self.status in ("found", "made", "better")


class Watch(Protocol):
    """Receives the progress of runs."""

    def begin(self, run: Run) -> None:
        """Receive a run that begins or resumes."""

    def report(self, run: Run, epoch: Epoch) -> None:
        """Receive an epoch that is finished and saved."""

    def end(self, run: Run, how: End) -> None:
        """Receive a run that has ended, or was not begun."""


#: Makes the checkpoint of one run. Must be picklable: a module-level function or a partial of one.
Make = Callable[[Run, Callable[[Epoch], None]], object]


def in_order(runs: Iterable[Run]) -> list[Run]:
    """Sort runs so that each comes after the run it starts from; drop repetitions.

    Parameters
    ----------
    runs
        Runs in any order; a start that is not among them is assumed to exist.

    Raises
    ------
    InputError
        Two recipes have one name, or some start from each other in a circle.
    """
    by_name: dict[str, Run] = {}
    for run in runs:
        if by_name.setdefault(run.name, run) != run:
            raise InputError("compress", "name", run.name, "must be that of one recipe, not of two")
    ordered: dict[str, Run] = {}

    def visit(run: Run, path: tuple[str, ...]) -> None:
        if run.name in path:
            circle = " <- ".join((*path[path.index(run.name) :], run.name))
            raise InputError(run.name, "start", None, f"must not come back to itself: {circle}")
        start = by_name.get(run.recipe.start or "")
        if start is not None and start.name not in ordered:
            visit(start, (*path, run.name))
        ordered[run.name] = run

    for run in by_name.values():
        if run.name not in ordered:
            visit(run, ())
    return list(ordered.values())


def work_off(
    runs: list[Run],
    make: Make,
    watch: Watch,
    *,
    is_done: Callable[[Run], bool],
    processes: int = 1,
) -> dict[str, End]:
    """Run what is not finished yet; a run that fails stops only those that start from it.

    Parameters
    ----------
    runs
        Sorted by :func:`in_order`.
    make
        Makes one checkpoint.
    watch
        Receives the progress.
    is_done
        Whether a run is finished already; asked after the run it starts from has ended.
    processes
        Largest number of parallel runs; 1: they run in this process.

    Returns
    -------
    ends
        By name, in the order in which the runs ended.

    Raises
    ------
    KeyboardInterrupt
        After Ctrl-C. Runs under way are stopped, and resume at their last epoch when called again.
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
    """Return the end of a run that need not or cannot begin; ``None`` for any other."""
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
    except Exception as error:  # must not end hours of other runs: reported with their ends
        return End("failed", _line(run, f"{type(error).__name__}: {error}"))
    return End("made")


def _line(run: Run, text: str) -> str:
    text = " ".join(text.split())
    return text if text.startswith(f"{run.name}:") else f"{run.name}: {text}"


class _Pool:
    """Runs under way, one worker process for each."""

    def __init__(self, make: Make) -> None:
        self._make = make
        self._running: dict[Connection, tuple[Run, Worker]] = {}

    @property
    def running(self) -> list[Run]:
        """Runs that have not ended."""
        return [run for run, _ in self._running.values()]

    def launch(self, run: Run) -> None:
        """Begin a run in a new process."""
        receiving, sending = WORKERS.Pipe(duplex=False)
        process = WORKERS.Process(target=_work, args=(self._make, run, sending), daemon=True)
        process.start()
        sending.close()  # so that the end of the process closes the pipe
        self._running[receiving] = run, process

    def listen(self) -> list[tuple[Run, Epoch | End]]:
        """Wait for epochs and ends of the runs under way; return at once where there are none."""
        news: list[tuple[Run, Epoch | End]] = []
        if not self._running:
            return news
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
        """Terminate the runs under way."""
        for _, process in self._running.values():
            process.terminate()
        for _, process in self._running.values():
            process.join()


def _work(make: Make, run: Run, link: Connection) -> None:
    link.send(_attempt(make, run, link.send))
