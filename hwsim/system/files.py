"""Write files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hwsim.errors import InputError

__all__ = ["staged", "write_bytes_atomic", "write_text_atomic"]


@contextlib.contextmanager
def staged(folder: Path | str) -> Iterator[Path]:
    """Yield a new folder inside ``folder``; its files move up when the context ends without error.

    Files that belong together thus appear together: a full disk or an interruption leaves the
    previous files unchanged. Other files of ``folder`` stay.

    Raises
    ------
    InputError
        The folder cannot be created or written.
    """
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        inside = Path(tempfile.mkdtemp(prefix=".staged-", dir=folder))
    except OSError as error:
        raise InputError(folder, "", None, f"cannot be written: {error.strerror}") from error
    try:
        yield inside
        try:
            for path in sorted(inside.iterdir()):
                path.replace(folder / path.name)
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
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary).unlink()
        raise InputError(path, "", None, f"cannot be written: {error.strerror}") from error
    return path


def write_text_atomic(path: Path | str, content: str) -> Path:
    """Write text as UTF-8, whole or not at all; see :func:`write_bytes_atomic`."""
    return write_bytes_atomic(path, content.encode())
