"""The command line: one file per command; nothing heavy is imported before a command runs."""

from __future__ import annotations

import errno
import inspect
import os
import sys
import traceback
from typing import Annotated

import typer

from hwsim.cli.area import area
from hwsim.cli.breakeven import breakeven
from hwsim.cli.clock import clock
from hwsim.cli.compress import compress
from hwsim.cli.data import data
from hwsim.cli.doctor import doctor
from hwsim.cli.energy import energy
from hwsim.cli.fit import fit
from hwsim.cli.generate import generate
from hwsim.cli.import_ import import_
from hwsim.cli.simulate import simulate
from hwsim.cli.storage import storage
from hwsim.cli.study import study
from hwsim.cli.sweep import sweep
from hwsim.cli.synth import synth
from hwsim.cli.tech import tech
from hwsim.cli.verify import verify
from hwsim.errors import InputError, SimulationError

__all__ = ["app", "main"]

app = typer.Typer(
    name="hwsim",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)

#: A full disk or quota, where no folder of results is being written.
_DISK_FULL = frozenset({errno.ENOSPC, errno.EDQUOT})


def _paragraphs(doc: str | None) -> str:
    """Docstring with one line per paragraph, which the terminal then wraps."""
    paragraphs = inspect.cleandoc(doc or "").split("\n\n")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in paragraphs)


for command in (
    study, simulate, generate, verify, synth, area, clock, energy, fit, tech, sweep, breakeven,
    compress, storage, data, doctor,
):  # fmt: skip
    app.command(help=_paragraphs(command.__doc__))(command)
app.command("import", help=_paragraphs(import_.__doc__))(import_)  # a keyword of Python


#: Set by ``--debug``: a refusal shows its traceback.
_DEBUG = "HWSIM_DEBUG"


def _root(
    debug: Annotated[
        bool, typer.Option("--debug", help="Show the traceback of what is refused.")
    ] = False,
) -> None:
    """Simulate and generate arrays that consume sparse, quantized weights, and prove the two equal.

    ARCH, NETWORK and the other configurations are names (dense_8x8_ws finds
    configs/arch/dense_8x8_ws.yaml) or paths. Every command takes --json and exits 0 on success,
    1 when a comparison failed, 2 on bad input.

    Example: hwsim study configs/study/lenet5.yaml
    """
    if debug:
        os.environ[_DEBUG] = "1"


app.callback(help=_paragraphs(_root.__doc__))(_root)


def main() -> None:
    """Run the command line; bad input becomes one line on stderr and exit code 2.

    What a build or a simulation that failed says goes to stderr, too; the exit code is 1.
    """
    if sys.stdout is None:  # closed by the caller: `hwsim ... >&-`
        sys.stdout = os.fdopen(os.open(os.devnull, os.O_WRONLY), "w")
    try:
        try:
            app()
        finally:
            sys.stdout.flush()  # while a failure to write can still be reported
    except InputError as error:
        if os.environ.get(_DEBUG):
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
    except SimulationError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
    except BrokenPipeError:
        # the reader of the output has ended (`hwsim ... | head`); the run itself is not at fault
        sys.stderr.close()
        sys.exit(141)
    except OSError as error:
        if error.strerror is None:
            raise
        if os.environ.get(_DEBUG):
            traceback.print_exc()
        if error.errno not in _DISK_FULL:
            # a file that went away, too many open ones, a device that fails
            what = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
            print(f"error: {what}", file=sys.stderr)
            sys.exit(2)
        # the rest of the buffer cannot be written either; the interpreter must not try at its end
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        where = error.filename or _written_to(error)
        print(f"error: {where}: cannot be written: {error.strerror}", file=sys.stderr)
        sys.exit(2)


def _written_to(error: OSError) -> str:
    """What could not be written, where the system names no file: output comes from few modules."""
    *_, (frame, _) = traceback.walk_tb(error.__traceback__)
    module = str(frame.f_globals.get("__name__", "")).partition(".")[0]
    is_output = module in ("rich", "click", "typer", "json") or frame.f_code is main.__code__
    return "standard output" if is_output else "a temporary file"
