"""Write files whole or not at all."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

from hwsim.errors import InputError

__all__ = ["write_bytes_atomic", "write_text_atomic"]


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
        # mkstemp makes private files; results are to be shared like any other
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
