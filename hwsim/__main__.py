"""The command line, ``hwsim`` or ``python -m hwsim``, and what becomes of it when it is stopped.

Ctrl-C and SIGTERM are one line too, which says what is kept, and exit codes 130 and 143. They are
taken before anything else is imported, which is most of what a short command does.
"""

import os
import sys
from contextlib import suppress

from hwsim.system import files, interrupts

__all__ = ["main"]

#: Files that are named, at most, of those that a stopped command wrote.
_NAMED = 3


def main() -> None:
    """Run the command line of this process."""
    interrupts.raise_signals()
    try:
        from hwsim import cli

        cli.main()
        interrupts.ignore_signals()
    except BaseException as error:
        stopped = interrupts.interruption(error)
        if stopped is None:
            interrupts.ignore_signals()
            raise
        number, kept = stopped
        print(f"stopped: {'; '.join(kept or [_written()])}", file=sys.stderr)
        for stream in (sys.stdout, sys.stderr):
            # a pipe that nobody reads any more has nothing to lose
            with suppress(OSError, ValueError):
                stream.flush()
        # a library whose import was cut off may not survive that Python takes itself apart
        os._exit(128 + number)


def _written() -> str:
    """Files that the command wrote, in words."""
    names = [str(path) for path in files.written()]
    if not names:
        return "nothing was written"
    rest = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
    return f"wrote {', '.join(names[:_NAMED])}{rest}"


if __name__ == "__main__":
    main()
