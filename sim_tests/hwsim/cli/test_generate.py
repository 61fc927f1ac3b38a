"""``hwsim generate`` writes both files, and nothing on bad input."""

import json

import pytest
from typer.testing import CliRunner

from hwsim.cli import app
from hwsim.errors import InputError


def invoke(*arguments):
    return CliRunner().invoke(app, ["generate", *map(str, arguments)])


def test_writes_verilog_and_sidecar(tmp_path):
    done = invoke("dense_8x8_os", "--out", tmp_path, "--json")
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["verilog"] == str(tmp_path / "dense_8x8_os.v")
    assert document["multipliers"] == 64
    assert json.loads((tmp_path / "dense_8x8_os.json").read_text())["name"] == "dense_8x8_os"
    assert "module dense_8x8_os(" in (tmp_path / "dense_8x8_os.v").read_text()


def test_bad_design_writes_nothing(tmp_path):
    config = tmp_path / "bad.yaml"
    config.write_text("name: bad\narray: {family: dense, dataflow: os, rows: 0, cols: 2}\n")
    done = invoke(config, "--out", tmp_path / "out")
    assert isinstance(done.exception, InputError)
    assert "array.rows = 0" in str(done.exception)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("key", "value"), [("memory", "sram"), ("images", "3"), ("seed", "2")])
def test_what_goes_with_a_network_is_refused_without_one(tmp_path, key, value):
    done = invoke("machine_dense_8x8_ws", f"--{key}", value, "--out", tmp_path / "out")
    assert isinstance(done.exception, InputError)
    assert f"{key} = '{value}': needs a network" in str(done.exception)
    assert not (tmp_path / "out").exists()


def test_random_weights_stand_in_for_a_checkpoint_that_does_not_ship(tmp_path):
    for network, line in (
        ("lenet5", "weights: lenet5_dense"),
        ("small", "weights: synthetic weights, seed 0: there is no checkpoint small_dense"),
    ):
        source = network
        if network == "small":
            source = tmp_path / "small.yaml"
            source.write_text(
                "name: small\ninput: {channels: 2, height: 6, width: 6}\n"
                "layers:\n  - {name: conv, type: conv, M: 4, R: 3}\n"
                "  - {name: fc, type: fc, M: 3}\n"
            )
        done = invoke("machine_dense_8x8_ws", "--network", source, "--out", tmp_path / network)
        assert done.exit_code == 0, done.output
        assert line in " ".join(done.output.split())
