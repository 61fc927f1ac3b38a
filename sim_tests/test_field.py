"""Inputs of the kind that users bring, beside the checkout: each gives the right value.

``../shared/cases/field/make.py`` writes minimal files, one fault each; the rows of the README
beside it say what is right.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")
pytest.importorskip("torch", reason="state dicts need torch: pip install 'hwsim[compress]'")

from hwsim import cli
from hwsim.api.read import resolved
from hwsim.api.verify import verify
from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.models.importers import source
from hwsim.verification.cases import random_cases

MAKE = Path(__file__).parents[2] / "shared/cases/field/make.py"

if not MAKE.is_file():
    pytest.skip(f"{MAKE} is not beside this checkout", allow_module_level=True)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Folder with the files."""
    folder = tmp_path_factory.mktemp("field")
    subprocess.run([sys.executable, MAKE], cwd=folder, check=True)
    return folder


@pytest.fixture
def hwsim(files, monkeypatch):
    """Run a command in the folder; returns what it printed."""
    monkeypatch.chdir(files)

    def run(*arguments):
        done = CliRunner().invoke(cli.app, [str(each) for each in arguments])
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return done.stdout

    return run


def ones(model):
    size = model.config.input
    return np.ones((1, size.channels, size.height, size.width), np.float32)


@pytest.mark.parametrize(
    ("name", "right"),
    [
        ("f1_sum_drops_input", [13]),
        ("f3_add_of_two_constants", [3]),
        ("f13_squeeze", [1, 1]),
        ("f14_pads_hw", [2, 3, 3, 2] * 4),
        ("f14b_pads_asym", [9, 6, 6, 4]),
        ("f14d_conv1d", [2, 3, 3, 3, 3, 3, 3, 2]),
        ("f14e_conv_transpose", [1] * 64),
        ("f14f_weight_dequantized", [0.5]),
    ],
)
def test_onnx_files_compute_what_they_say(files, name, right):
    model = source.read(str(files / f"{name}.onnx"), None)
    np.testing.assert_array_equal(model.logits(ones(model)).ravel(), right)


@pytest.mark.parametrize("name", ["f4_sparse", "f4b_reparametrized"])
def test_sparse_and_masked_weights_are_loaded(files, name):
    model = source.read(str(files / "f11.yaml"), files / f"{name}.pth")
    np.testing.assert_array_equal(model.layers["g"].weight[:, :, 0, 0], np.eye(4))


def test_sums_outside_the_width_are_counted(hwsim):
    given = ("simulate", "f8.yaml", "lenet5", "--checkpoint", "lenet5_dense", "--images", 4)
    document = json.loads(hwsim(*given, "--json"))
    assert [layer["overflows"] for layer in document["layers"]] == [997, 2267, 967, 2]
    words = " ".join(hwsim(*given).split())
    assert "4,233 sums exceed 16 bits (psum_width) and wrap: conv1 997, conv2 2,267" in words


def test_the_order_of_k_is_chosen_where_the_file_has_another(hwsim):
    given = ("simulate", "nm_2x4_4x8_ws", "f5.yaml", "--weights", "f5.safetensors")
    (layer,) = json.loads(hwsim(*given, "--json"))["layers"]
    assert (layer["nonzeros"], layer["note"]) == (4, "K ordered (channel, tap)")


def test_a_dense_layer_runs_in_passes_beside_sparse_ones(hwsim):
    given = ("simulate", "nm_2x4_4x8_ws", "f6.yaml", "--weights", "f6.safetensors")
    stem, body = json.loads(hwsim(*given, "--json"))["layers"]
    assert (stem["nonzeros"], stem["note"]) == (16, "2 passes")
    assert (body["nonzeros"], body["note"]) == (8, "")
    assert "stem: 2 passes" in hwsim(*given)
    assert stem["macs"] == body["macs"] == 16
    assert stem["useful_macs"] <= stem["macs"]


def test_nothing_is_pruned_silently(hwsim):
    (layer,) = json.loads(hwsim("simulate", "nm_2x4_4x8_ws", "f7.yaml", "--json"))["layers"]
    assert layer["nonzeros"] == 2048
    assert layer["note"] == "pruned to the format: 2,048 of 4,096 weights"


@pytest.mark.parametrize("name", ["f9_csc", "f9_bitmask"])
def test_cases_are_drawn_within_the_capacity(files, name):
    design = ArchConfig.read(files / f"{name}.yaml")
    cases = random_cases(design, 60, 3)
    for case in cases:
        array_model(design).compile(design, case.gemm)
    assert len({case.gemm.K for case in cases}) > 3
    assert [case.name for case in random_cases(design, 20, 3)] == [case.name for case in cases[:20]]


def test_topologies_of_scale_sim_are_read(hwsim):
    (product,) = json.loads(hwsim("simulate", "dense_8x8_os", "f10_gemm.csv", "--json"))["layers"]
    assert [product[key] for key in "MKN"] == [4, 4, 4]
    (conv,) = json.loads(hwsim("simulate", "dense_8x8_os", "f10_conv.csv", "--json"))["layers"]
    assert [conv[key] for key in "MKN"] == [8, 36, 100]
    assert conv["layer"] == "c1"


def test_an_onnx_file_is_a_network_of_every_command(hwsim, files):
    (files / "F13.ONNX").write_bytes((files / "f13_squeeze.onnx").read_bytes())
    assert json.loads(hwsim("import", "F13.ONNX", "--json"))["network"] == "f13"
    for name in ("f13_squeeze.onnx", "F13.ONNX"):
        document = json.loads(hwsim("storage", name, "--arch", "csc_16x4", "--json"))
        assert [layer["layer"] for layer in document["layers"]] == ["c", "y"]
        assert json.loads(hwsim("simulate", "csc_16x4", name, "--json"))["operands"] == name
        rows = json.loads(hwsim("breakeven", "csc_16x4", name, "--json"))["layers"]
        assert {row["activations"] for row in rows} == {f"those of {name}"}


@pytest.mark.cosim
def test_verify_takes_an_onnx_file_and_a_network_without_weights(files, tmp_path):
    given = {"f13_squeeze.onnx": "f13_squeeze.onnx", "f11.yaml": "synthetic weights, seed 0"}
    for name, words in given.items():
        result = verify("dense_8x8_ws", files / name, out=tmp_path)
        assert result.equal
        assert words in result.summary()


@pytest.mark.cosim
def test_passes_and_orders_of_k_are_those_of_the_rtl(files, tmp_path):
    for name in ("f5", "f6"):
        weights = files / f"{name}.safetensors"
        result = verify("nm_2x4_4x8_ws", files / f"{name}.yaml", weights, images=3, out=tmp_path)
        assert result.equal


def test_what_is_no_network_is_said_in_one_line(files):
    for name, line in {
        "f4_sparse.pth": "must be the network: a state dict is weights that do not say it",
        "f5.safetensors": "must be the network, not weights",
    }.items():
        with pytest.raises(InputError) as caught:
            resolved(files / name)
        assert str(caught.value) == f"{files / name}: {line}"
    with pytest.raises(InputError, match="weights = 'x': must be absent: the weights are those"):
        resolved("lenet5_dense", "x")
