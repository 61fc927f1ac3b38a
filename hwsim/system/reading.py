"""What a reader library throws at a damaged file, as the one line that the user gets."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hwsim.errors import InputError

__all__ = ["MAX_LIBRARY", "is_file", "is_folder", "read_bounded", "read_text", "reading", "said"]

#: Bytes of a configuration or a topology, at most; a network of 1,000 layers has 0.1 MB.
MAX_TEXT = 1 << 24
#: Bytes of a Liberty file, at most.
MAX_LIBRARY = 1 << 28
#: Characters of what a library says that a message has.
_SAID = 300


@contextmanager
def reading(source: Path | str, rule: str) -> Iterator[None]:
    """Turn every exception of a reader into an ``InputError`` that names the file.

    Libraries that read files raise what their code runs into: ``KeyError``, ``IndexError``,
    ``AttributeError``. The exception is the cause of the error, which ``hwsim --debug`` shows.

    Parameters
    ----------
    source
        The file.
    rule
        What it must be: ``must be YAML``. What the library says follows.

    Raises
    ------
    InputError
        The file cannot be opened, or what is inside raised anything else.
    """
    try:
        yield
    except InputError:
        raise
    except OSError as error:
        raise InputError(source, "", None, f"cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise InputError(source, "", None, f"{rule}: it does not fit the memory") from error
    except RecursionError as error:
        raise InputError(source, "", None, f"{rule}: it is nested too deeply") from error
    except Exception as error:
        raise InputError(source, "", None, f"{rule}: {said(error)}") from error


def read_bounded(path: Path, most: int = MAX_TEXT) -> bytes:
    """Content of a file of at most ``most`` bytes; a device without an end has more.

    Raises
    ------
    InputError
        The file cannot be opened, or is larger.
    """
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise InputError(path, "", None, f"cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise InputError(path, "", None, f"must be at most {most:,} bytes")
    return content


def read_text(
    path: Path, most: int = MAX_TEXT, *, encoding: str = "utf-8", errors: str = "strict"
) -> str:
    """Text of a file of at most ``most`` bytes, its lines ended by newlines alone.

    Raises
    ------
    InputError
        As of :func:`read_bounded`; or the file is no such text.
    """
    content = read_bounded(path, most)
    try:
        return io.StringIO(content.decode(encoding, errors), newline=None).read()
    except UnicodeDecodeError as error:
        raise InputError(path, "", None, f"cannot be read: {error}") from error


def said(error: Exception) -> str:
    """What an exception of a library says: the begin of its first line.

    With the name of its type, unless that is a ``ValueError``: a ``KeyError`` says its key alone.
    """
    text = str(error).strip().partition("\n")[0]
    known = text if isinstance(error, ValueError) and text else f"{type(error).__name__} {text}"
    return known.strip()[:_SAID]


def is_file(path: Path) -> bool:
    """Whether there is such a file; a name that no file can have is none."""
    try:
        return path.is_file()
    except OSError:
        return False


def is_folder(path: Path) -> bool:
    """Whether there is such a folder; a name that no folder can have is none."""
    try:
        return path.is_dir()
    except OSError:
        return False
