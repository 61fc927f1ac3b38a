"""Files are written whole or not at all."""

from __future__ import annotations

import errno
import os
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest

from hwsim.errors import InputError
from hwsim.system.files import held, room_left, staged, write_bytes_atomic, write_text_atomic


def test_content_and_mode_are_as_of_any_file(tmp_path: Path) -> None:
    path = write_text_atomic(tmp_path / "new" / "folder" / "file.txt", "Grüße\n")
    assert path.read_bytes() == "Grüße\n".encode()
    plain = tmp_path / "plain"
    plain.write_text("")
    assert stat.S_IMODE(path.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    assert list(path.parent.iterdir()) == [path]


def full(*_: Any, **__: Any) -> None:
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


class _FullFile:
    """A file on a full disk: it opens, and refuses the first write."""

    def __init__(self, handle: int, mode: str) -> None:
        self.handle = handle

    def __enter__(self) -> _FullFile:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self.handle)

    write = staticmethod(full)


@pytest.mark.parametrize("failing", ["open", "write", "rename"])
def test_a_full_disk_leaves_the_old_file_intact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    match failing:
        case "open":
            monkeypatch.setattr("hwsim.system.files.tempfile.mkstemp", full)
        case "write":
            monkeypatch.setattr("hwsim.system.files.os.fdopen", _FullFile)
        case _:
            monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(InputError) as caught:
        write_bytes_atomic(path, b"new" * 1000)
    assert str(caught.value) == f"{path}: cannot be written: No space left on device"
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_device_that_is_full_for_real(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "results.json"
    path.write_text("old")
    real = os.fdopen

    def on_full_device(handle: int, mode: str) -> Any:
        os.close(handle)
        return real(os.open("/dev/full", os.O_WRONLY), mode)

    monkeypatch.setattr("hwsim.system.files.os.fdopen", on_full_device)
    with pytest.raises(InputError, match="No space left on device"):
        write_text_atomic(path, "new")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_in_place_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "taken").mkdir()
    with pytest.raises(InputError, match="cannot be written: Is a directory"):
        write_text_atomic(tmp_path / "taken", "x")
    assert [p.name for p in tmp_path.iterdir()] == ["taken"]


def test_staged_files_appear_together_and_others_stay(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("other")
    (tmp_path / "a").write_text("old")
    with staged(tmp_path) as inside:
        write_text_atomic(inside / "a", "new")
        write_text_atomic(inside / "b", "new")
        assert (tmp_path / "a").read_text() == "old"
        assert not (tmp_path / "b").exists()
    contents = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert contents == {"a": "new", "b": "new", "other": "other"}


@pytest.mark.parametrize("error", [InputError("x", "", None, "y"), KeyboardInterrupt, OSError])
def test_what_goes_wrong_midway_leaves_the_folder_as_it_was(
    tmp_path: Path, error: BaseException | type[BaseException]
) -> None:
    (tmp_path / "a").write_text("old")
    kind = error if isinstance(error, type) else type(error)

    def fail() -> None:
        with staged(tmp_path) as inside:
            write_text_atomic(inside / "a", "new")
            raise error

    with pytest.raises(kind):
        fail()
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {"a": "old"}


def test_a_folder_that_cannot_be_staged_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), staged(tmp_path / "file" / "x"):
        pass


def test_a_disk_that_is_nearly_full_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1 << 30))
    assert room_left(tmp_path) == ""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=4096))
    assert room_left(tmp_path) == " (No space left on device: 4,096 bytes are free)"


@pytest.mark.parametrize("name", ["poetry.sqlite", "poetry.lock"])
def test_a_lock_is_no_file_of_someone_else(tmp_path: Path, name: str) -> None:
    """Nor is it the file that it keeps others out of, nor that of another one's beside it."""
    (tmp_path / "poetry.lock").write_text("of another program")
    with held(tmp_path / name), held(tmp_path / "poetry.other"):
        assert (tmp_path / "poetry.lock").read_text() == "of another program"
        with pytest.raises(InputError, match="is in use by process"), held(tmp_path / name):
            pass


def test_a_folder_without_a_name_can_be_locked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with held(Path()), pytest.raises(InputError, match="is in use by"), held(Path()):
        pass
