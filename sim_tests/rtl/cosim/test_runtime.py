"""Verilator's runtime: compiled once, left alone by make, and never a reason to fail."""

import time

import pytest

from hwsim.config import ArchConfig
from hwsim.rtl.cosim import runtime, toolchain
from hwsim.rtl.cosim.run import build


@pytest.fixture
def cache(tmp_path, monkeypatch):
    folder = tmp_path / "cache"
    monkeypatch.setattr(runtime, "user_cache_path", lambda name: folder)
    return folder


def finished(folder):
    folder.mkdir()
    for index, name in enumerate(runtime.OBJECTS):
        (folder / name).write_bytes(bytes([index]))
    return folder


def test_objects_are_kept_and_dated_ahead(tmp_path, cache):
    first = finished(tmp_path / "first")
    second = tmp_path / "second"
    second.mkdir()
    runtime.reuse(second)
    assert not list(second.iterdir())  # nothing is kept yet
    runtime.keep(first)
    runtime.reuse(second)
    for name in runtime.OBJECTS:
        assert (second / name).read_bytes() == (first / name).read_bytes()
        assert (second / name).stat().st_mtime > time.time() + runtime.AHEAD_S / 2


def test_other_flags_have_other_objects(tmp_path, cache, monkeypatch):
    runtime.keep(finished(tmp_path / "first"))
    monkeypatch.setitem(toolchain.BUILD_ARGS, "verilator", ["-O0"])
    second = tmp_path / "second"
    second.mkdir()
    runtime.reuse(second)
    assert not list(second.iterdir())
    monkeypatch.setenv("CXXFLAGS", "-g")
    runtime.keep(finished(tmp_path / "third"))
    assert len(list((cache / "verilator").iterdir())) == 2


def test_without_a_place_nothing_happens(tmp_path, cache):
    cache.write_text("a file where the folder should be")
    first = finished(tmp_path / "first")
    runtime.keep(first)
    runtime.reuse(first)
    assert (first / runtime.OBJECTS[0]).read_bytes() == b"\x00"


@pytest.mark.cosim
def test_the_second_build_compiles_the_design_alone(need, tmp_path, cache):
    need("verilator")
    logs = []
    for rows in (1, 2):
        array = {"family": "dense", "dataflow": "os", "rows": rows, "cols": 1}
        arch = ArchConfig.model_validate({"name": f"tiny_{rows}", "array": array})
        logs.append((build(arch, tmp_path / arch.name).folder / "build.log").read_text())
    compiled = [sum("verilated_vpi.cpp" in line for line in log.splitlines()) for log in logs]
    assert compiled[0] > 0
    assert compiled[1] == 0
