"""``hwsim doctor`` says what is there, what is missing and what to do."""

import json

from typer.testing import CliRunner

from hwsim.cli import app


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


def test_table_names_every_tool():
    done = invoke()
    for name in ("python", "verilator", "iverilog", "amaranth", "cocotb", "torch", "onnx"):
        assert name in done.stdout
