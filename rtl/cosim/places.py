"""Folders whose paths make, Verilator and compilers take as they are: no spaces, no quotes."""

import contextlib
import hashlib
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

from hwsim.errors import InputError

__all__ = ["building", "is_plain", "mirrored", "plain_root", "reachable"]

#: Characters that need no quotes in a shell, a makefile or a ``#line``.
_PLAIN = re.compile(r"[A-Za-z0-9_./+-]*")
#: How the folder of an unfinished build begins.
_BUILDING = ".building-"


def is_plain(path: Path) -> bool:
    """Whether a path can be written into a makefile as it is."""
    return _PLAIN.fullmatch(str(path)) is not None


def plain_root() -> Path:
    """Folder for temporary files that has a plain path.

    Raises
    ------
    InputError
        There is none that can be written.
    """
    for place in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        if is_plain(Path(place)) and os.access(place, os.W_OK | os.X_OK):
            return Path(place)
    rule = "must be a folder that can be written, of letters, digits and _ . + - / alone"
    raise InputError("environment", "TMPDIR", tempfile.gettempdir(), rule)


def reachable(path: Path) -> Path:
    """The same folder by a plain path: itself, or a link to it that stays.

    Raises
    ------
    InputError
        There is no place for a link.
    """
    if is_plain(path):
        return path
    link = _own() / _named(os.fsencode(path))
    if not link.is_symlink():
        with contextlib.suppress(FileExistsError):
            link.symlink_to(path, target_is_directory=True)
    return link


def mirrored(package: Path, script: Path) -> Path:
    """A package of programs by a plain path: itself, or a folder of links to what is in it.

    There ``script`` is a file of its own: a script that asks where it really lies finds the
    programs beside it by a plain path, too.

    Raises
    ------
    InputError
        There is no place for it.
    """
    if is_plain(package) and is_plain(package.resolve()):
        return package
    found = _own() / _named(os.fsencode(package) + b" " + script.read_bytes())
    if not found.is_dir():
        fresh = _new(_own(), _own())
        inner = fresh / script.parent.relative_to(package)
        inner.mkdir(parents=True)
        for source, folder in ((package, fresh), (script.parent, inner)):
            for each in source.iterdir():
                if each not in (script, script.parent):
                    (folder / each.name).symlink_to(each)
        shutil.copy(script, inner)
        try:
            fresh.rename(found)
        except OSError:
            # another process was faster
            shutil.rmtree(fresh)
    return found


def _own() -> Path:
    """Folder of the user's own for links: nobody else can change where they lead."""
    folder = plain_root() / f"hwsim-{os.getuid()}"
    with contextlib.suppress(FileExistsError):
        folder.mkdir(mode=0o700)
    state = folder.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid != os.getuid() or state.st_mode & 0o022:
        raise InputError(folder, "", None, "must be a folder of yours that only you can write")
    return folder


def _named(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:16]


@contextlib.contextmanager
def building(folder: Path) -> Iterator[Path]:
    """Yield a new folder with a plain path, which takes the place of ``folder`` at the end.

    A build that fails or is killed leaves ``folder`` as it was; a compiler that outlives its
    command writes to a folder of its own. What such builds left beside ``folder`` is removed.
    """
    parent = folder.parent
    parent.mkdir(parents=True, exist_ok=True)
    for left in parent.glob(f"{_BUILDING}*"):
        shutil.rmtree(left, ignore_errors=True)
    here = is_plain(parent)
    fresh = _new(parent if here else plain_root(), parent)
    yield fresh
    if not here:
        beside = _new(parent, parent)
        shutil.copytree(fresh, beside, symlinks=True, dirs_exist_ok=True)
        shutil.rmtree(fresh, ignore_errors=True)
        fresh = beside
    shutil.rmtree(folder, ignore_errors=True)
    fresh.rename(folder)


def _new(root: Path, like: Path) -> Path:
    """New folder that those may read who may read another one."""
    found = Path(tempfile.mkdtemp(prefix=_BUILDING, dir=root))
    found.chmod(stat.S_IMODE(like.stat().st_mode))
    return found
