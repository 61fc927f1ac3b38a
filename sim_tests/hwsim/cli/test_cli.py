"""The command line as a user meets it: help, JSON, exit codes, one line for bad input."""

from __future__ import annotations

import errno
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from hwsim import api, cli
from hwsim.errors import InputError, SimulationError

ROOT = Path(__file__).parents[3]
COMMANDS = [command.name or command.callback.__name__ for command in cli.app.registered_commands]


@pytest.fixture
def hwsim(tmp_path, monkeypatch):
    """Run a command in an empty folder; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    runner = CliRunner()

    def run(*arguments):
        done = runner.invoke(cli.app, [str(a) for a in arguments])
        if isinstance(done.exception, InputError):
            return 2, done.stdout, f"error: {done.exception}\n"
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout, done.stderr

    return run


@pytest.mark.parametrize("command", COMMANDS)
def test_help_has_a_worked_example(hwsim, command):
    code, out, _ = hwsim(command, "--help")
    assert code == 0
    assert f"Example: hwsim {command}" in " ".join(out.split())


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_can_speak_json(hwsim, command):
    _, out, _ = hwsim(command, "--help")
    assert "--json" in out


def test_simulate_prints_a_table_and_writes_json(hwsim, tmp_path):
    code, out, _ = hwsim("simulate", "dense_8x8_ws", "lenet5")
    assert code == 0
    assert "conv2" in out
    assert "total" in out
    document = json.loads(
        (tmp_path / "build/simulate/dense_8x8_ws-lenet5/results.json").read_text()
    )
    assert document["cycles"] == sum(layer["cycles"] for layer in document["layers"])


def test_simulate_json_is_one_document(hwsim):
    code, out, _ = hwsim(
        "simulate", "csc_16x4", "lenet5", "--checkpoint", "lenet5_nonstructured_12x", "--json"
    )
    assert code == 0
    document = json.loads(out)
    assert document["operands"] == "lenet5_nonstructured_12x"
    assert sum(document["causes"]["pe"].values()) == 16 * document["cycles"]


STUDY = """
name: small
title: A small study
study:
  kind: compare
  network: lenet5
  images: 2
  baseline: {checkpoint: lenet5_dense, arch: dense_8x8_ws}
  accuracy_bound: 50
  runs:
    - {checkpoints: [lenet5_dense], archs: [dense_8x8_ws, dense_8x8_os]}
    - {checkpoints: [lenet5_nonstructured_12x], archs: [csc_16x4]}
  verify: {archs: [dense_8x8_ws], layers: [fc2], images: 1}
"""


def test_study_leaves_a_report_tables_and_pictures(hwsim, tmp_path):
    (tmp_path / "small.yaml").write_text(STUDY)
    code, out, _ = hwsim("study", "small.yaml", "--no-rtl")
    assert code == 0
    words = " ".join(out.split())
    assert "On lenet5 and mnist, with 2 images, 64 multipliers" in words
    folder = tmp_path / "build/study/small"
    written = {path.name for path in folder.iterdir()}
    assert {"report.md", "report.html", "results.csv", "results.json"} <= written
    assert {"accuracy_by_bits.png", "accuracy_by_cycles.png", "bits_by_kind.png"} <= written
    assert "nothing here is proved" in (folder / "report.md").read_text()
    document = json.loads((folder / "results.json").read_text())
    assert document["answer"] in (folder / "report.md").read_text()
    assert [v["checkpoint"] for v in document["variants"]] == [
        "lenet5_dense", "lenet5_dense", "lenet5_nonstructured_12x"
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("arch: dense_8x8_ws}", "arch: nobody}", "baseline must be one of the runs"),
        ("[csc_16x4]", "[dense_32x32_ws]", "must have the same number of multipliers"),
        ("[csc_16x4]", "[csc_4x16_w4]", "must have weights of 4 bits for csc_4x16_w4, not 8"),
        ("[fc2]", "[fc9]", "study.verify.layers = 'fc9': must be one of: conv1, conv2, fc1, fc2"),
        ("images: 2", "images: two", "study.images = 'two': Input should be a valid integer"),
        ("network: lenet5", "network: alexnet", "study.verify.layers = 'fc2': must be one of"),
        ("[lenet5_nonstructured_12x]", "[nowhere]", "must be a file or one of"),
        ("title: A small study", "titel: x", "title: Field required"),
    ],
)
def test_bad_study_is_one_line(hwsim, tmp_path, old, new, line):
    assert old in STUDY
    (tmp_path / "bad.yaml").write_text(STUDY.replace(old, new, 1))
    code, _, err = hwsim("study", "bad.yaml", "--no-rtl")
    assert code == 2
    assert line in err
    assert err.count("\n") == 1
    assert not (tmp_path / "build").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        ("simulate", "nowhere", "lenet5"),
        ("simulate", "dense_8x8_ws", "nowhere.yaml"),
        ("storage", "nowhere"),
        ("study", "nowhere"),
        ("verify", "dense_8x8_ws", "--layer", "conv1"),
        ("generate", "nowhere"),
    ],
)
def test_bad_arguments_exit_2(hwsim, arguments):
    code, _, err = hwsim(*arguments)
    assert code == 2
    assert err.startswith("error: ")
    assert err.count("\n") == 1


def test_main_prints_bad_input_and_exits_2(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "hwsim", "simulate", "nowhere", "lenet5"],
        capture_output=True,
        text=True,
        cwd=tmp_path,
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: configs/arch: name = 'nowhere': must be a file or one of")
    assert done.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a device that is full")
@pytest.mark.parametrize("arguments", [("--help",), ("doctor", "--json"), ("doctor",)])
def test_a_full_disk_behind_stdout_is_one_line(arguments):
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "hwsim", *arguments],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 2
    assert done.stderr == "error: standard output: cannot be written: No space left on device\n"


def test_a_closed_stdout_is_no_error():
    command = '"$0" -m hwsim doctor --json >&-'
    done = subprocess.run(["sh", "-c", command, sys.executable], capture_output=True, text=True)
    assert "Traceback" not in done.stderr
    assert done.returncode in {0, 1}


def test_help_shows_defaults_that_depend_on_other_arguments(hwsim):
    _, out, _ = hwsim("verify", "--help")
    # the range of a number stands on a line of its own, between the words beside it
    words = " ".join(re.sub(r"│|\[\d+<=x<=\d+\]", " ", out).split())
    assert "repeatable (default: all)" in words
    assert "(default: 50, or 0 with NETWORK)" in words


def test_published_check_fails_with_1_beyond_the_tolerance(hwsim, tmp_path):
    text = """
name: strict
title: A layer nobody published
study:
  kind: published
  source: nobody
  arch: csc_eie
  clock_mhz: 800
  tolerance: 0.01
  layers:
    - {name: x, K: 256, M: 256, weight_density: 0.1, act_density: 0.5, theoretical_us: 9,
       actual_us: 9}
  fifo_depths: [1, 8]
"""
    (tmp_path / "strict.yaml").write_text(text)
    code, out, _ = hwsim("study", "strict.yaml")
    assert code == 1
    said = " ".join(out.split())
    assert "0 of 1 layers have both times within 1%" in said
    assert "NOT known why" in said
    document = json.loads((tmp_path / "build/study/strict/results.json").read_text())
    assert not document["passed"]


@pytest.mark.parametrize("command", ["study", "verify", "energy"])
def test_a_simulation_that_fails_is_no_traceback(tmp_path, monkeypatch, capsys, command):
    """Whichever command builds: exit 1, where 2 would be bad input."""

    def fails(*arguments, **options):
        raise SimulationError("build failed: no space; build.log ends:\n  line")

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(api, command, fails)
    given = {"study": ["lenet5"], "verify": ["dense_8x8_ws"], "energy": ["dense_8x8_ws", "lenet5"]}
    monkeypatch.setattr(sys, "argv", ["hwsim", command, *given[command]])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.splitlines()[-2:] == ["error: build failed: no space; build.log ends:", "  line"]
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.EIO, "Input/output error", "a.yaml"), "error: a.yaml: Input/output error"),
        (OSError(errno.EMFILE, "Too many open files"), "error: Too many open files"),
    ],
)
def test_what_the_system_refuses_is_one_line(monkeypatch, capsys, error, said):
    def fails(*arguments, **options):
        raise error

    monkeypatch.setattr(api, "simulate", fails)
    monkeypatch.setattr(sys, "argv", ["hwsim", "simulate", "dense_8x8_ws", "lenet5"])
    with pytest.raises(SystemExit) as caught:
        cli.main()
    assert caught.value.code == 2
    assert capsys.readouterr().err.splitlines()[-1] == said
