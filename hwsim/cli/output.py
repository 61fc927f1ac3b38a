"""Output of commands: tables for people, one JSON document for programs."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import ProgressColumn
    from rich.status import Status
    from rich.table import Table

    from hwsim.workload.outside import Outside

__all__ = [
    "console", "emit_json", "log", "progress_bar", "show_outside", "table", "warning",
    "working",
]  # fmt: skip


def console() -> Console:
    """Console on stdout that does not cut tables when piped.

    Brackets and colons in a text are printed as they are: paths and names of inputs have them.
    """
    from rich.console import Console

    width = None if sys.stdout.isatty() else 160
    return Console(width=width, highlight=False, markup=False, emoji=False)


def log() -> Console:
    """Console on stderr: progress and remarks; texts are printed as they are."""
    from rich.console import Console

    return Console(stderr=True, highlight=False, markup=False, emoji=False)


def warning(text: str) -> None:
    """Print a remark that must be seen."""
    from rich.text import Text

    log().print(Text.assemble(("warning:", "bold red"), " ", text))


class Working:
    """Line on stderr that says what a command is doing; :func:`working` shows it."""

    def __init__(self, live: Status) -> None:
        self._live = live

    def update(self, text: str) -> None:
        """Say something else, as it is."""
        from rich.text import Text

        self._live.update(Text(text))

    def stop(self) -> None:
        """Take the line away, for another live display."""
        self._live.stop()


@contextmanager
def working(text: str) -> Iterator[Working]:
    """Say what a command is doing, for as long as the context lasts."""
    with log().status(text) as live:
        yield Working(live)


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """Table whose first column is text and whose others are numbers, right-aligned."""
    from rich.table import Table

    from hwsim.report.cells import cell

    printed = Table(title=title, title_justify="left")
    for index, column in enumerate(columns):
        printed.add_column(column, justify="left" if index == 0 else "right", no_wrap=True)
    for row in rows:
        printed.add_row(*(cell(value) for value in row))
    return printed


def show_outside(layers: Sequence[Outside], of: str = "") -> None:
    """Print the layers of a network that run outside the array; nothing where all run on it.

    ``of`` is the network's name, where there are several.
    """
    from hwsim.workload.outside import OUTSIDE, outside_table

    columns, rows = outside_table(layers)
    if rows:
        console().print(table(f"{of}: {OUTSIDE}" if of else OUTSIDE, columns, rows))


@contextmanager
def progress_bar(*columns: ProgressColumn) -> Iterator[Callable[[str, int, int | None], None]]:
    """Bar on stderr that appears at its first report: description, steps done, steps (or unknown).

    Bad input, which is refused before anything is reported, thus stays one line.
    """
    from rich.progress import Progress

    bar = Progress(*columns, console=log())
    task = bar.add_task("", total=None)
    is_shown = False

    def report(description: str, done: int, total: int | None) -> None:
        nonlocal is_shown
        bar.update(task, description=description, completed=done, total=total)
        if not is_shown:
            is_shown = True
            bar.start()

    try:
        yield report
    finally:
        if is_shown:
            bar.stop()


def emit_json(document: dict[str, Any]) -> None:
    """Print the one JSON document of a command."""
    json.dump(document, sys.stdout, indent=2)
    sys.stdout.write("\n")
