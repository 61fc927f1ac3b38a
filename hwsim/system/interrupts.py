"""Ctrl-C and SIGTERM: nothing is left running, and they come at a moment that suits."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from hwsim.system.descendants import end_descendants

__all__ = [
    "Interrupted",
    "deferred",
    "ignore_signals",
    "interruption",
    "keeping",
    "raise_signals",
]

#: Signals that ask a command to stop.
_STOPPING = (signal.SIGINT, signal.SIGTERM)
#: Those for which :class:`Interrupted` was raised, whatever became of it.
_came: list[int] = []
#: Seconds after which a signal is sent again whose exception was dropped.
_AGAIN_S = 0.02


class Interrupted(KeyboardInterrupt):
    """A signal asked the process to stop; ``number`` says which."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number

    def __reduce__(self) -> tuple[type, tuple[int]]:
        """Travel between processes."""
        return type(self), (self.number,)


def raise_signals() -> None:
    """Raise :class:`Interrupted` at Ctrl-C and at SIGTERM, for the rest of the process.

    Programs that were started by then, and theirs, are ended first. A second signal ends the
    process at once. A signal that the caller of the process ignores stays ignored.
    """

    def stop(number: int, frame: FrameType | None) -> None:
        for each in _STOPPING:
            signal.signal(each, leave)
        _came.append(number)
        end_descendants()
        raise Interrupted(number)

    def leave(number: int, frame: FrameType | None) -> None:
        end_descendants()
        os._exit(128 + number)

    def arm() -> None:
        for number in _STOPPING:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, stop)

    def again(lost: sys.UnraisableHookArgs) -> None:
        """What was raised while an object was freed is dropped by Python: raise it once more."""
        if not isinstance(lost.exc_value, Interrupted):
            sys.__unraisablehook__(lost)
            return
        arm()
        threading.Timer(_AGAIN_S, os.kill, (os.getpid(), lost.exc_value.number)).start()

    arm()
    sys.unraisablehook = again


def ignore_signals() -> None:
    """Let a command that has ended leave: what it was asked for is done.

    Python gives signals their default while it leaves, which would end the process without a word.
    """
    for number in _STOPPING:
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def deferred() -> Iterator[Callable[[], bool]]:
    """Note the first signal that asks to stop; raise it at the end of the context.

    Yields a function that says whether there was one. A second signal raises at once. Outside of
    the main thread, which alone gets signals, nothing is noted.

    Raises
    ------
    Interrupted
        A signal was noted, and the context ended without another error.
    """
    noted: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return

    def note(number: int, frame: FrameType | None) -> None:
        if noted:
            raise Interrupted(number)
        noted.append(number)

    before = {
        number: signal.signal(number, note)
        for number in _STOPPING
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield lambda: bool(noted)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if noted:
        raise Interrupted(noted[0])


@contextmanager
def keeping(what: str) -> Iterator[None]:
    """Say what is kept where the context is interrupted: :func:`interruption` has the words."""
    try:
        yield
    except KeyboardInterrupt as error:
        error.add_note(what)
        raise


def interruption(error: BaseException) -> tuple[int, list[str]] | None:
    """Signal that an exception, or one behind it, came from, and what is kept in words.

    An error after a signal comes from it, too: a library may have raised it in place of
    :class:`Interrupted`. ``None`` where no signal was the cause, and where the command ended well.
    """
    behind: BaseException | None = error
    while behind is not None and not isinstance(behind, KeyboardInterrupt):
        behind = behind.__cause__ or behind.__context__
    if behind is None:
        ended_well = isinstance(error, SystemExit) and not error.code
        return (_came[0], []) if _came and not ended_well else None
    number = behind.number if isinstance(behind, Interrupted) else int(signal.SIGINT)
    return number, list(getattr(behind, "__notes__", []))
