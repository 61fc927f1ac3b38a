"""Write files whole or not at all."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hwsim.errors import InputError

__all__ = [
    "held",
    "room_left",
    "staged",
    "write_bytes_atomic",
    "write_text_atomic",
    "written",
]

#: Bytes that a lock file has of the command that holds it.
_HOLDER = 200
#: Begins the folders of files that are not in their place yet.
_STAGED = ".staged-"
#: Bytes without which a program that builds something may fail before it can say why.
_TIGHT = 1 << 20
_written: dict[Path, None] = {}


def written() -> list[Path]:
    """Files that this process put into their place, in order."""
    return list(_written)


def room_left(folder: Path) -> str:
    """Say that the disk of a folder is full, or nearly so; "" where it is not.

    A program that fails there may have had no room for its reasons.
    """
    free = shutil.disk_usage(folder).free
    return f" (No space left on device: {free:,} bytes are free)" if free < _TIGHT else ""


@contextlib.contextmanager
def held(path: Path, *, advice: str = "", waits: bool = False) -> Iterator[None]:
    """Keep other processes out of a file, or a folder, for as long as the context lasts.

    The lock is a file beside it, of its whole name and ``.lock``, which stays there: the kernel
    drops a lock with its process, however that ends.

    Parameters
    ----------
    path
        File or folder; it need not exist.
    advice
        What a process that is refused is told to do.
    waits
        Whether to wait for a process that holds it.

    Raises
    ------
    InputError
        Another process holds it: the message says which. Or the lock cannot be written.
    """
    with contextlib.ExitStack() as stack:
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            file = stack.enter_context((path.parent / f"{path.name}.lock").open("a+b"))
        except OSError as error:
            raise InputError(path, "", None, f"cannot be written: {error.strerror}") from error
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if waits else fcntl.LOCK_NB))
        except BlockingIOError as error:
            holder = os.pread(file.fileno(), _HOLDER, 0).decode(errors="replace")
            rule = f"is in use by {holder or 'another process'}{f'; {advice}' if advice else ''}"
            raise InputError(path, "", None, rule) from error
        with contextlib.suppress(OSError):  # a full disk: the lock holds without
            holder = f"process {os.getpid()}: {' '.join(sys.argv)}"
            os.ftruncate(file.fileno(), 0)
            os.pwrite(file.fileno(), holder.encode(errors="replace")[:_HOLDER], 0)
        yield


@contextlib.contextmanager
def _in_turn(folder: Path) -> Iterator[None]:
    """Wait for other processes that move files into a folder."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        with contextlib.suppress(OSError):  # file systems without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


@contextlib.contextmanager
def staged(folder: Path | str) -> Iterator[Path]:
    """Yield a new folder inside ``folder``; its files move up when the context ends without error.

    Files that belong together thus appear together: a full disk or an interruption leaves the
    previous files unchanged, and of two processes one comes after the other. Other files of
    ``folder`` stay.

    Raises
    ------
    InputError
        The folder cannot be created or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = Path(tempfile.mkdtemp(prefix=_STAGED, dir=folder))
    except OSError as error:
        raise InputError(folder, "", None, f"cannot be written: {error.strerror}") from error
    try:
        yield inside
        try:
            with _in_turn(folder):
                for path in sorted(inside.iterdir()):
                    _written[path.replace(folder / path.name)] = None
        except OSError as error:
            raise InputError(folder, "", None, f"cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(inside, ignore_errors=True)


def write_bytes_atomic(path: Path | str, content: bytes) -> Path:
    """Write ``content`` to a temporary file beside ``path``, then rename it over ``path``.

    Raises
    ------
    InputError
        The folder or the file cannot be written (full disk, no permission); ``path`` is untouched.
    """
    path = Path(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
        with os.fdopen(handle, "wb") as file:
            file.write(content)
        # mkstemp creates private files; results get the permissions of any other file
        umask = os.umask(0)
        os.umask(umask)
        Path(temporary).chmod(0o666 & ~umask)
        Path(temporary).replace(path)
        if not path.parent.name.startswith(_STAGED):
            _written[path] = None
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise InputError(path, "", None, f"cannot be written: {error.strerror}") from error
    return path


def write_text_atomic(path: Path | str, content: str) -> Path:
    """Write text as UTF-8, whole or not at all; see :func:`write_bytes_atomic`."""
    return write_bytes_atomic(path, content.encode())
