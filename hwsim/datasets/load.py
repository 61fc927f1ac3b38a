"""Image data sets in the user's cache: imported from a folder or downloaded, always verified.

The cache is ``$HWSIM_CACHE``, or the platform's folder for caches. A data set is a folder of four
uncompressed IDX files in it; a file is there whole, with the right SHA-256, or not at all.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.datasets import idx
from hwsim.datasets.download import TransferError, download
from hwsim.datasets.sources import DATASETS, DatasetSource, File
from hwsim.errors import InputError
from hwsim.system.files import write_bytes_atomic

__all__ = ["cache", "fetch", "import_from", "load", "shipped", "shipped_count"]

Pixels = tuple[NDArray[np.uint8], NDArray[np.uint8]]
#: Called with a file's name, the bytes so far and the size where known.
Progress = Callable[[str, int, int | None], None]

#: The subset that comes with the project: the first test images of each data set, in order.
SHIPPED = Path(__file__).parents[1] / "models" / "data"
_SHIPPED_COUNT = {"mnist": 1000, "fashion": 1000}


def cache() -> Path:
    """Folder that holds the data sets."""
    chosen = os.environ.get("HWSIM_CACHE")
    if chosen:
        return Path(chosen)
    from platformdirs import user_cache_path

    return user_cache_path("hwsim", appauthor=False)


def load(name: str, split: str) -> Pixels:
    """Read the ``train`` or ``test`` split from the cache.

    Returns
    -------
    images, labels
        uint8, ``(n, 28, 28)`` and ``(n,)``.

    Raises
    ------
    InputError
        The data set is not in the cache (the message has the command), or a file was damaged.
    """
    images, labels = _source(name).splits[split]
    return _read(name, images), _read(name, labels)


def shipped(name: str) -> Pixels:
    """First test images that come with the project, and their labels; needs no cache."""
    path = SHIPPED / f"{name}_test_{shipped_count(name)}.npz"
    if not path.is_file():
        known = ", ".join(_SHIPPED_COUNT)
        raise InputError("data set", "name", name, f"must be one that ships images: {known}")
    with np.load(path, allow_pickle=False) as data:
        return data["images"], data["labels"]


def shipped_count(name: str) -> int:
    """How many test images of a data set come with the project; 0 where none do."""
    return _SHIPPED_COUNT.get(name, 0)


def import_from(name: str, folder: Path) -> list[Path]:
    """Copy the four files, plain or ``.gz``, from a folder into the cache; all of them or none.

    Raises
    ------
    InputError
        A file is missing, is not the IDX file it should be, or has another SHA-256.
    """
    source = _source(name)
    contents = {file: _open(folder, file) for file in source.files}
    return [_keep(name, file, content) for file, content in contents.items()]


def fetch(name: str, progress: Progress = lambda file, done, total: None) -> list[Path]:
    """Download what the cache lacks, from the first mirror that serves it.

    A transfer that breaks off is resumed, by this call or the next.

    Raises
    ------
    InputError
        No mirror served a file, or what it served is not the data set.
    """
    source = _source(name)
    return [
        _path(name, file) if _is_kept(name, file) else _fetch_file(name, source, file, progress)
        for file in source.files
    ]


def _fetch_file(name: str, source: DatasetSource, file: File, progress: Progress) -> Path:
    part = _path(name, file).with_suffix(".gz.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(part.parent, "", None, f"cannot be made: {error.strerror}") from error
    reason = "no mirror is known"
    for mirror in source.mirrors:
        url = f"{mirror}{file.name}.gz"
        # a corrupt file may come from an earlier run's part: the second try starts afresh
        for _ in range(2):
            try:
                download(url, part, lambda done, total: progress(file.name, done, total))
                content = _verified(_gunzip(_bytes(part), url, file), url, file)
            except TransferError as error:
                reason = str(error)
            except InputError as error:
                if error.source != url:
                    raise
                reason = str(error)
                part.unlink()
            else:
                path = _keep(name, file, content)
                part.unlink()
                return path
    rule = f"could not be downloaded ({reason}); have a copy? hwsim data {name} --from DIR"
    raise InputError(file.name, "", None, rule)


def _source(name: str) -> DatasetSource:
    if name not in DATASETS:
        raise InputError("data set", "name", name, f"must be one of: {', '.join(DATASETS)}")
    return DATASETS[name]


def _path(name: str, file: File) -> Path:
    return cache() / name / file.name


def _is_kept(name: str, file: File) -> bool:
    path = _path(name, file)
    return path.is_file() and _digest(path.read_bytes()) == file.sha256


def _keep(name: str, file: File, content: bytes) -> Path:
    path = _path(name, file)
    return path if _is_kept(name, file) else write_bytes_atomic(path, content)


def _read(name: str, file: File) -> NDArray[np.uint8]:
    path = _path(name, file)
    if not path.is_file():
        raise InputError(path, "", None, f"no such file: get the data set by `hwsim data {name}`")
    return idx.parse(_bytes(path), path, file.shape)


def _open(folder: Path, file: File) -> bytes:
    plain, packed = folder / file.name, folder / f"{file.name}.gz"
    if plain.is_file():
        return _verified(_bytes(plain), plain, file)
    if packed.is_file():
        return _verified(_gunzip(_bytes(packed), packed, file), packed, file)
    raise InputError(folder, "", None, f"must hold {file.name} or {file.name}.gz")


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InputError(path, "", None, f"cannot be read: {error.strerror}") from error


def _gunzip(data: bytes, source: Path | str, file: File) -> bytes:
    unpacker = zlib.decompressobj(wbits=31)
    try:
        # one byte beyond the right size shows a file that is too long, without unpacking all of it
        content = unpacker.decompress(data, file.size + 1)
    except zlib.error as error:
        raise InputError(source, "", None, f"must be gzip: {error}") from error
    if not unpacker.eof and len(content) <= file.size:
        rule = f"is truncated: unpacks to {len(content)} of {file.size} bytes"
        raise InputError(source, "", None, rule)
    return content


def _verified(content: bytes, source: Path | str, file: File) -> bytes:
    idx.parse(content, source, file.shape)
    digest = _digest(content)
    if digest != file.sha256:
        raise InputError(source, "sha256", digest, f"must be {file.sha256} uncompressed")
    return content


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
