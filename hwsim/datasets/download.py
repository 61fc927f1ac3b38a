"""Resumable download of one file over HTTP."""

from __future__ import annotations

import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path

from hwsim.errors import InputError

__all__ = ["TransferError", "download"]

#: Called with the bytes on disk so far, and the file's size where the server tells it.
Progress = Callable[[int, int | None], None]

_CHUNK = 1 << 16
_AGENT = "hwsim (data set download)"


class TransferError(Exception):
    """The server could not be reached, refused, or broke off; what came so far is kept."""


def download(url: str, part: Path, progress: Progress, timeout: float = 30.0) -> None:
    """Fetch ``url`` into ``part``, going on where an earlier attempt broke off.

    A ``part`` that exists is completed by a Range request. A server that ignores Range, cannot
    satisfy it, or answers with another range is asked for the whole file.

    Parameters
    ----------
    timeout
        Seconds without a byte after which the transfer counts as broken.

    Raises
    ------
    TransferError
        The transfer failed; ``part`` keeps what came and the next call resumes.
    InputError
        ``part`` cannot be written.
    """
    have = part.stat().st_size if part.exists() else 0
    headers = {"User-Agent": _AGENT} | ({"Range": f"bytes={have}-"} if have else {})
    request = urllib.request.Request(url, headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            if answer.status != 206:
                _receive(answer, part, 0, progress)
                return
            if _starts_at(answer.headers, have):
                _receive(answer, part, have, progress)
                return
    except urllib.error.HTTPError as error:
        error.close()
        if error.code != 416 or not have:
            raise TransferError(f"{url}: HTTP {error.code} {error.reason}") from error
    except urllib.error.URLError as error:
        raise TransferError(f"{url}: {error.reason}") from error
    except (http.client.HTTPException, ConnectionError, TimeoutError) as error:
        raise TransferError(f"{url}: {error or type(error).__name__}") from error
    # The server has nothing beyond our part, or sent another part than we asked for. Our part is
    # the whole file, or a part of another file: fetching the whole file decides.
    if not have:
        raise TransferError(f"{url}: answered with a part of the file")
    part.unlink()
    download(url, part, progress, timeout)


def _starts_at(headers: http.client.HTTPMessage, offset: int) -> bool:
    match = re.match(r"bytes (\d+)-", headers.get("Content-Range", ""))
    return match is not None and int(match[1]) == offset


def _receive(answer: http.client.HTTPResponse, part: Path, offset: int, progress: Progress) -> None:
    length = answer.headers.get("Content-Length", "")
    total = offset + int(length) if length.isdigit() else None
    done = offset
    progress(done, total)
    try:
        with part.open("ab" if offset else "wb") as file:
            while chunk := _read(answer):
                file.write(chunk)
                done += len(chunk)
                progress(done, total)
    except OSError as error:
        raise InputError(part, "", None, f"cannot be written: {error.strerror}") from error
    if total is not None and done != total:
        raise TransferError(f"{answer.url}: broke off after {done} of {total} bytes")


def _read(answer: http.client.HTTPResponse) -> bytes:
    try:
        return answer.read1(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise TransferError(f"{answer.url}: {error or type(error).__name__}") from error
