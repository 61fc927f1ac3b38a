"""Recipes that begin with weights from elsewhere: ONNX files, state dicts, imports; 240 images."""

from __future__ import annotations

import json

import numpy as np
import pytest
import typer
import yaml
from typer.testing import CliRunner

from hwsim import api
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import named_network
from hwsim.cli.compress import compress
from hwsim.errors import InputError

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model

pytestmark = pytest.mark.usefixtures("pixels")

app = typer.Typer()
app.command()(compress)

ONE = {"epochs": 1, "learning_rate": 0.01, "batch": 16, "shift": 0, "precision": "float32"}
PRUNED = {
    "kind": "nonstructured",
    "train": None,
    "prune": {"retrain": ONE, "budget": {"unstructured": 0.5}},
}


@pytest.fixture
def trained(torch, recipe, tmp_path, tiny, monkeypatch):
    """``tiny``, trained: ``net.onnx``, ``net.pth``, and its accuracy in floating point."""
    from hwsim.models.compress import pipeline
    from hwsim.models.networks.network import Network
    from hwsim.models.quantization.quantize import dequantize

    monkeypatch.chdir(tmp_path)
    made = pipeline.run(recipe(), tmp_path / "first", command="hwsim compress tiny_dense")
    network = Network(tiny)
    dequantize(network, made)
    layers = {shape.layer.name: stage for shape, stage in network.weighted()}
    state = {
        f"{name}.{key}": getattr(stage, key).detach()
        for name, stage in layers.items()
        for key in ("weight", "bias")
    }
    torch.save(state, "net.pth")
    model = Model((1, 8, 8))

    def stored(layer):
        return [model.store(state[f"{layer}.{key}"].numpy()) for key in ("weight", "bias")]

    x = model.node("Conv", "x", *stored("conv1"))
    x = model.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = model.node("Flatten", model.node("Conv", x, *stored("conv2")))
    x = model.node("Relu", model.node("Gemm", x, *stored("fc1"), transB=1))
    model.save(tmp_path, model.node("Gemm", x, *stored("fc2"), transB=1))
    return made.info["accuracy"]


@pytest.fixture
def run(recipe, tmp_path):
    """Write a recipe, run the command on it, and return what it prints."""

    def run(name, **changes):
        raw = recipe(name=name, **changes).model_dump(mode="json", exclude_none=True)
        (tmp_path / f"{name}.yaml").write_text(yaml.safe_dump(raw))
        result = CliRunner().invoke(app, ["--jobs", "1", "--json", f"{name}.yaml"])
        if result.exception:
            raise result.exception
        return json.loads(result.stdout)["checkpoints"][0]

    return run


def test_a_recipe_prunes_what_was_imported(trained, run):
    """Every way of naming the trained weights, and the network where it is not a YAML."""
    api.import_network("net.onnx").write("import")
    for name, given in {
        "onnx": {"network": "net.onnx", "start": "net.onnx"},
        "folder": {"network": "import", "start": "import"},
        "state": {"start": "net.pth"},
    }.items():
        made = run(name, **PRUNED, **given)
        assert made["status"] == "made", made
        assert made["info"]["kept"] <= 0.5
        # one epoch would not come so far from random weights
        assert made["info"]["accuracy"] >= trained - 0.02 > 0.9
        # the network lies beside the checkpoint, which is a network by itself
        result = api.simulate("dense_8x8_ws", made["file"], images=1)
        assert len(result.layers) == 4
        assert run(name, **PRUNED, **given)["status"] == "found"


def test_another_file_of_the_name_is_another_start(trained, run, tmp_path):
    given = PRUNED | {"network": "net.onnx", "start": "net.onnx"}
    assert run("again", **given)["status"] == "made"
    model = Model((1, 8, 8), seed=3)
    x = model.node("Flatten", "x")
    model.save(tmp_path, model.gemm(x, 3, 64))
    assert run("again", **given)["status"] == "made"


def test_zeros_of_a_network_pruned_elsewhere_stay(trained, run, torch, tmp_path):
    state = torch.load("net.pth", weights_only=True)
    conv, fc = state["conv2.weight"], state["fc1.weight"]
    conv[:, ::2] = 0
    fc[:, ::3] = 0
    torch.save(state, "pruned.pth")
    made = run("kept", kind="nonstructured", start="pruned.pth", train=ONE)
    checkpoint = Checkpoint.read(made["file"])
    assert not checkpoint.layers["conv2"].weight[:, ::2].any()
    assert not checkpoint.layers["fc1"].weight[:, ::3].any()
    assert checkpoint.layers["fc1"].density > 0.5


def test_a_teacher_may_be_imported(trained, run):
    distil = {"teacher": "net.onnx", "weight": 0.5, "temperature": 2}
    assert run("pupil", network="net.onnx", distil=distil)["info"]["accuracy"] > 0.9


def test_a_file_that_does_not_fit_is_one_line(trained, run, tmp_path):
    model = Model((3, 9, 8))
    model.save(tmp_path, model.gemm(model.node("Flatten", "x"), 3, 216), "large.onnx")
    with pytest.raises(InputError, match=r"large\.onnx: .*must take images of \(1, 8, 8\)"):
        run("x", **PRUNED, network="large.onnx", start="large.onnx")
    (tmp_path / "net.onnx").unlink()
    with pytest.raises(InputError, match=r"net\.onnx: cannot be read: No such file"):
        run("x", **PRUNED, start="net.onnx")
    (tmp_path / "net.pth").write_text("mine")
    with pytest.raises(InputError, match=r"net\.pth: "):
        run("x", **PRUNED, start="net.pth")


def test_what_cannot_be_trained_is_named(trained, run, tmp_path):
    model = Model((1, 8, 8))
    x = model.node("Sigmoid", model.conv("x", 4, 1))
    model.save(tmp_path, model.gemm(model.node("Flatten", x), 3, 144), "sigmoid.onnx")
    with pytest.raises(
        InputError, match=r"must be conv, fc, maxpool, globalavgpool or add in a net"
    ):
        run("x", **PRUNED, network="sigmoid.onnx", start="sigmoid.onnx")


def test_numbers_are_those_of_the_command(trained, tmp_path):
    """An import by a recipe is the one that ``hwsim import`` makes of the same images."""
    from hwsim.api.read import weights_on_file
    from hwsim.datasets import load as datasets

    path = weights_on_file("net.onnx", "net.onnx", "mnist")
    images, _ = datasets.load("mnist", "train")
    own = api.import_network("net.onnx", inputs=images[:8], compare=False).checkpoint
    found = Checkpoint.read(path, named_network(path).network)
    for name, layer in own.layers.items():
        np.testing.assert_array_equal(found.layers[name].weight, layer.weight)
        np.testing.assert_array_equal(found.layers[name].bias, layer.bias)
    assert found.info["calibration"] == "images of an array"
