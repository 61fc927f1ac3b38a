"""``hwsim doctor`` says what is there, what is missing and what to do."""

import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from hwsim.checkpoints.find import CHECKPOINTS
from hwsim.cli import app, output


def invoke(*arguments):
    return CliRunner().invoke(app, ["doctor", *arguments])


def test_missing_tools_are_named_with_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    done = invoke("--json")
    assert done.exit_code == 1
    document = json.loads(done.stdout)
    assert {"g++", "make", "perl"} <= set(document["missing"])
    findings = {finding["name"]: finding for finding in document["findings"]}
    assert "apt-get install g++" in findings["g++"]["remark"]
    assert findings["data set mnist"]["remark"] == "hwsim data mnist"
    assert not findings["ccache"]["found"]
    assert "ccache" not in document["missing"]
    assert findings["checkpoint lenet5_dense"]["found"]
    assert "error: missing: " in done.stderr


def test_install_commands_are_printed_whole(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda module: None)
    out = invoke().stdout
    assert "hwsim[onnx]" in out
    assert "hwsim[compress]" in out


@pytest.mark.parametrize("missing", [False, True])
def test_one_screen_holds_it_all(monkeypatch, tmp_path, missing):
    """24 lines of 80 columns, on a terminal, even where every program is missing."""
    if missing:
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setenv("HWSIM_CACHE", str(tmp_path))
    monkeypatch.setattr(output, "console", lambda: Console(width=80, highlight=False))
    lines = invoke().stdout.rstrip("\n").splitlines()
    assert len(lines) < 24  # and the prompt
    assert max(map(len, lines)) <= 80
    assert "real layers, studies (--all lists them)" in " ".join(lines)


def test_all_lists_checkpoints_and_paths():
    short, full = invoke().stdout, invoke("--all").stdout
    assert "checkpoint lenet5_dense" not in short
    assert "checkpoint lenet5_dense" in full
    # a long path is folded within its column
    cells = (line.split("│") for line in full.splitlines())
    assert "lenet5_dense.safetensors" in "".join(row[-2].strip() for row in cells if row[1:])
    count = len(list(CHECKPOINTS.glob("*.safetensors")))
    assert f"{count} found" in short


def test_a_damaged_checkpoint_is_named(monkeypatch, tmp_path):
    (tmp_path / "bad.safetensors").write_bytes(b"nothing")
    monkeypatch.setattr("hwsim.checkpoints.find.CHECKPOINTS", tmp_path)
    assert "1 damaged, first: checkpoint bad" in " ".join(invoke().stdout.split())


def test_table_names_every_tool():
    done = invoke()
    for name in ("python", "verilator", "iverilog", "amaranth", "cocotb", "torch", "onnx"):
        assert name in done.stdout
