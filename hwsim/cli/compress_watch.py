"""Progress of ``hwsim compress``: bars on a terminal, lines in a log."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hwsim.checkpoints.find import named_network

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from hwsim.models.compress.log import Epoch
    from hwsim.models.compress.runs import End, Run, Watch

__all__ = ["watching"]


@contextmanager
def watching(runs: list[Run]) -> Iterator[Watch]:
    """Show runs on stderr: a bar for each that is under way, or a line for each epoch."""
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    from hwsim.cli.output import log

    console = log()
    if not console.is_terminal:
        yield Lines(runs, console)
        return
    columns = (
        TextColumn("{task.description}"), TextColumn("{task.fields[stage]}"), BarColumn(20),
        MofNCompleteColumn(), TextColumn("{task.fields[figures]}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    # an epoch takes seconds to minutes: the speed is that of the last ten minutes
    with Progress(
        *columns, console=console, refresh_per_second=2, speed_estimate_period=600
    ) as progress:
        yield Bars(runs, progress)


class Lines:
    """A line for each epoch."""

    def __init__(self, runs: list[Run], console: Console) -> None:
        self._schedules = {run.name: _Schedule(run) for run in runs}
        self._console = console

    def begin(self, run: Run) -> None:
        """Say nothing: the first epoch will."""

    def report(self, run: Run, epoch: Epoch) -> None:
        """Print the epoch."""
        schedule = self._schedules[run.name]
        self._console.print(
            f"{run.name} {schedule.done(epoch)}/{schedule.epochs} {epoch.stage}, "
            f"epoch {epoch.epoch}: {_figures(epoch)}, kept {epoch.kept:.4f}",
            soft_wrap=True,
        )

    def end(self, run: Run, how: End) -> None:
        """Print how the run ended."""
        self._console.print(_line(run, how), soft_wrap=True)


class Bars:
    """A bar for each run that is under way."""

    def __init__(self, runs: list[Run], progress: Progress) -> None:
        self._schedules = {run.name: _Schedule(run) for run in runs}
        self._progress = progress
        self._bars: dict[str, TaskID] = {}

    def begin(self, run: Run) -> None:
        """Add a bar."""
        self._bars[run.name] = self._progress.add_task(
            run.name, total=self._schedules[run.name].epochs, stage="starting", figures=""
        )

    def report(self, run: Run, epoch: Epoch) -> None:
        """Move the bar; a resumed run begins at its last epoch."""
        self._progress.update(
            self._bars[run.name],
            completed=self._schedules[run.name].done(epoch),
            stage=epoch.stage,
            figures=_figures(epoch),
        )

    def end(self, run: Run, how: End) -> None:
        """Replace the bar by a line."""
        if run.name in self._bars:
            self._progress.remove_task(self._bars[run.name])
        self._progress.console.print(_line(run, how), soft_wrap=True)


class _Schedule:
    """Position of an epoch of a stage in the whole recipe."""

    def __init__(self, run: Run) -> None:
        from hwsim.models.compress import pipeline

        self.epochs = 0
        self._before: dict[str, int] = {}
        for stage in pipeline.plan(run.recipe, named_network(run.recipe.network).network):
            self._before[stage.name] = self.epochs
            self.epochs += stage.epochs

    def done(self, epoch: Epoch) -> int:
        # a hardware-aware search may have to train a network without pruning it
        return self._before.get(epoch.stage, 0) + epoch.epoch


def _figures(epoch: Epoch) -> str:
    return f"loss {epoch.loss:.4f}, held out {epoch.heldout_accuracy:.4f}"


def _line(run: Run, how: End) -> str:
    """Outcome of a run; errors are printed at the end."""
    lines = {
        "found": "finished before, by the same recipe",
        "made": f"done, in {run.folder}",
        "better": f"{how.remark}; write to another folder (--out), or delete that file",
        "failed": "failed",
        "blocked": "not run",
    }
    return f"{run.name}: {lines[how.status]}"
