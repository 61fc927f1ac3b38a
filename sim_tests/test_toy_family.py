"""A new family is one file and one registration: every command then takes designs of it."""

import json

import pytest
from harness import serial
from typer.testing import CliRunner

from hwsim.cli import app
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.errors import InputError

NETWORK = """
name: small
input: {channels: 2, height: 4, width: 4}
layers:
  - {name: conv, type: conv, M: 3, R: 3, padding: 1}
  - {name: fc, type: fc, M: 5}
"""
SWEEP = """
name: toy
arch: serial.yaml
network: small.yaml
grid:
  network.layers.fc.M: [5, 6]
  arch.numbers.weight_width: [4, 8]
objectives: {cycles: min, bits: min}
"""
ARCH = "name: serial\narray: {family: serial}\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "serial.yaml").write_text(ARCH)
    (tmp_path / "small.yaml").write_text(NETWORK)
    (tmp_path / "sweep.yaml").write_text(SWEEP)
    with serial.registered():
        yield tmp_path


def hwsim(*arguments):
    result = CliRunner().invoke(app, [*map(str, arguments), "--json"])
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_it_is_unknown_until_it_is_registered(tmp_path):
    (tmp_path / "serial.yaml").write_text(ARCH)
    for registered in (False, True, False):
        if registered:
            with serial.registered():
                assert ArchConfig.read(tmp_path / "serial.yaml").array.multipliers == 1
        else:
            with pytest.raises(InputError, match=r"'serial'.*'dense'"):
                ArchConfig.read(tmp_path / "serial.yaml")


def test_it_simulates(folder):
    document = hwsim("simulate", "serial.yaml", "small.yaml", "--images", 2)
    macs = [2 * shape.macs for shape in NetworkConfig.read("small.yaml").shapes()]
    assert [layer["events"]["macs"] for layer in document["layers"]] == macs
    assert [layer["cycles"] for layer in document["layers"]] == [count + 2 for count in macs]


def test_its_storage_is_measured(folder):
    document = hwsim("storage", "small.yaml", "--arch", "serial.yaml")
    (size,) = (row for row in document["formats"] if row["family"] == "serial")
    weights = sum(shape.weights for shape in NetworkConfig.read("small.yaml").shapes())
    assert size["total"]["values"] == size["total"]["total"] == 8 * weights


def test_it_is_a_point_of_a_sweep(folder):
    document = hwsim("sweep", "sweep.yaml", "--jobs", 1)
    assert len(document["results"]) == 4
    assert all(point["multipliers"] == 1 for point in document["results"])


@pytest.mark.cosim
def test_it_is_verified_in_rtl(folder, monkeypatch):
    from hwsim.rtl.cosim import toolchain

    try:
        toolchain.require("icarus")
    except InputError as error:
        pytest.skip(str(error))
    document = hwsim("verify", "serial.yaml", "--random", 11, "--simulator", "icarus")
    assert document["equal"]
    assert len(document["cases"]) == 11
