"""A short form of the fuzzing, and every damaged file that was once read wrongly."""

from __future__ import annotations

import warnings

import pytest

from hwsim.errors import InputError
from torture import fuzz, mutate
from torture.readers import READERS, Reader

#: Inputs per reader; ``make torture`` reads thousands.
INPUTS = 40


@pytest.mark.parametrize("name", READERS)
def test_damaged_files_are_read_or_refused_in_one_line(name):
    found = fuzz.batch(name, 12345, INPUTS)
    assert found["wrong"] == []
    assert found["read"] + found["refused"] == INPUTS


@pytest.mark.parametrize("name", READERS)
def test_the_files_that_are_damaged_are_read_as_they_are(name, tmp_path):
    if name == "name":
        return  # names of files that are there, and of files that are not
    for content in READERS[name].seeds():
        assert fuzz.verdict(READERS[name], content, tmp_path) == "read"


@pytest.mark.parametrize(
    "path", sorted(fuzz.FOUND.glob("*/*")), ids=lambda path: f"{path.parent.name}, {path.stem}"
)
def test_what_was_once_found(path, tmp_path):
    reader = READERS[path.parent.name]
    assert fuzz.verdict(reader, path.read_bytes(), tmp_path) in ("read", "refused")


def raising(error):
    def read(path):
        raise error

    return read


@pytest.mark.parametrize(
    ("read", "found"),
    [
        (lambda path: None, "read"),
        (raising(InputError("a", "", None, "must be b")), "refused"),
        (raising(KeyError(99)), "KeyError: 99"),
        (raising(RecursionError()), "RecursionError"),
        (lambda path: warnings.warn("overflow", RuntimeWarning, stacklevel=1), "overflow"),
        (lambda path: iter(int, 1).__next__() or [0 for _ in iter(int, 1)], "hang"),
    ],
)
def test_verdicts(read, found, tmp_path, monkeypatch):
    monkeypatch.setattr(fuzz, "PATIENCE", 1)
    verdict = fuzz.verdict(Reader(".x", list, mutate.bytes_, read), b"", tmp_path)
    assert found in verdict
    assert list(tmp_path.iterdir()) == []
