"""``hwsim breakeven`` as a user meets it."""

from __future__ import annotations

import csv
import json

import pytest
from typer.testing import CliRunner

from hwsim import cli
from hwsim.errors import InputError


@pytest.fixture
def hwsim(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(cli.app, ["breakeven", *map(str, arguments)])
        if isinstance(done.exception, InputError):
            return 2, str(done.exception)
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return done.exit_code, done.stdout

    return run


def test_one_layer_leaves_table_json_csv_and_picture(hwsim, tmp_path):
    code, out = hwsim("csc_4x16", "lenet5:conv2", "--area", "1.65")
    assert code == 0
    assert "break-even" in out
    assert "at 1.65x area" in out
    folder = tmp_path / "build/breakeven/csc_4x16-lenet5-conv2"
    document = json.loads((folder / "results.json").read_text())
    assert [row["layer"] for row in document["layers"]] == ["conv2", "conv2"]
    for row in document["layers"]:
        at = row["break_even_by_speedup"]
        assert 0 < at["1.0"] <= at["1.65"] < 1
    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    assert len(rows) == 2 * len(document["layers"][0]["points"])
    assert (folder / "breakeven.png").is_file()
    assert (folder / "breakeven.svg").is_file()


def test_a_failure_leaves_the_results_of_a_former_run(hwsim, tmp_path, monkeypatch):
    code, _ = hwsim("csc_4x16", "lenet5:fc2", "--out", "out")
    assert code == 0
    before = {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()}

    def fail(layers, folder):
        raise InputError(folder, "", None, "cannot be drawn")

    monkeypatch.setattr("hwsim.cost.breakeven_picture.speedup_by_portion", fail)
    code, error = hwsim("csc_4x16", "lenet5:fc2", "--out", "out", "--seed", "1")
    assert (code, error.rpartition(": ")[2]) == (2, "cannot be drawn")
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").iterdir()} == before


def test_real_weights_of_every_layer(hwsim):
    code, out = hwsim("bitmask_64_greedy", "lenet5", "--checkpoint", "lenet5_dense", "--json")
    assert code == 0
    layers = json.loads(out)["layers"]
    assert [row["layer"] for row in layers] == ["conv1", "conv2", "fc1", "fc2"]
    assert {row["activations"] for row in layers} == {"those of lenet5_dense"}


def test_random_weights_are_those_that_the_design_holds(hwsim):
    # of 4 bits, and activations of 16
    code, out = hwsim("csc_eie", "lenet5:fc2", "--dense", "dense_8x8_ws", "--json")
    assert code == 0
    layers = json.loads(out)["layers"]
    assert layers[0]["activations"] == "synthetic weights, 100% of activations non-zero"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("csc_4x16", "lenet5:conv9"), "layers = 'conv9': must be a layer with weights"),
        (("csc_4x16", "alexnet:conv4"), "must be at most col_depth of csc_4x16"),
        (("csc_eie", "lenet5:fc1"), "dense: must be given: 0 shipped designs"),
        (("csc_4x16", "lenet5:fc1", "--dense", "dense_16x16_ws"), "must have 64 multipliers"),
    ],
)
def test_bad_input_is_one_line(hwsim, arguments, message):
    code, error = hwsim(*arguments)
    assert code == 2
    assert message in error
    assert "\n" not in error
