"""Recipes become checkpoints, twice the same; on a data set of 240 images."""

from __future__ import annotations

import csv

import numpy as np
import pytest
import yaml

from hwsim import datasets, golden
from hwsim.checkpoint import Checkpoint
from hwsim.config.base import parse
from hwsim.config.compress import CompressConfig
from hwsim.errors import InputError
from hwsim.lowering import lower_weight


@pytest.fixture(autouse=True)
def squares(monkeypatch):
    """Replace the data sets by three classes: the place of a bright square."""
    rng = np.random.default_rng(11)

    def load(name, split):
        labels = np.arange(240 if split == "train" else 60, dtype=np.uint8) % 3
        images = rng.integers(0, 60, (len(labels), 8, 8), dtype=np.uint8)
        for place in range(3):
            images[labels == place, 2 * place : 2 * place + 3, 1:7] += 150
        return images, labels

    kept = {split: load("mnist", split) for split in ("train", "test")}
    monkeypatch.setattr(datasets, "load", lambda name, split: kept[split])
    monkeypatch.setattr(datasets, "shipped_count", lambda name: 20)
    return kept


@pytest.fixture
def recipe(tmp_path, tiny):
    """Recipe for the tiny network, with some keys replaced."""
    network = tmp_path / "tiny.yaml"
    network.write_text(yaml.safe_dump(tiny.model_dump(mode="json", exclude_unset=True)))

    def make(**changes):
        raw = {
            "name": "tiny_dense", "kind": "dense", "network": str(network), "dataset": "mnist",
            "seed": 3, "train": {"epochs": 6, "learning_rate": 0.02, "batch": 16, "shift": 0},
        }  # fmt: skip
        return parse(CompressConfig, raw | changes, "recipe")

    return make


def run(config, out, **options):
    from models import pipeline

    return pipeline.run(config, out, command="hwsim compress x", **options)


def test_a_recipe_gives_a_checkpoint_and_a_log(torch, recipe, tmp_path, squares, tiny):
    made = run(recipe(), tmp_path / "out")
    read = Checkpoint.read(tmp_path / "out" / "tiny_dense.safetensors", tiny)
    assert read.info == made.info
    assert read.info["accuracy"] > 0.95
    assert read.info["accuracy"] == golden.accuracy(tiny, read, *squares["test"])
    first = [part[:20] for part in squares["test"]]
    assert read.info["accuracy_shipped"] == golden.accuracy(tiny, read, *first)
    assert abs(read.info["accuracy_float"] - read.info["accuracy"]) < 0.05
    assert (read.info["kind"], read.info["test_images"]) == ("dense", 60)
    assert read.info["command"] == "hwsim compress x"
    rows = list(csv.DictReader((tmp_path / "out" / "tiny_dense.csv").read_text().splitlines()))
    assert [row["epoch"] for row in rows] == list("123456")
    assert float(rows[-1]["train_accuracy"]) > 0.9


def test_the_same_recipe_gives_the_same_bytes(torch, recipe, tmp_path):
    for folder in ("a", "b"):
        run(recipe(), tmp_path / folder)
    for name in ("tiny_dense.safetensors", "tiny_dense.csv"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_structured_pruning_starts_from_a_checkpoint(torch, recipe, tmp_path):
    run(recipe(), tmp_path)
    config = recipe(
        name="tiny_structured",
        kind="structured",
        start="tiny_dense",
        prune={
            "rounds": 2,
            "layers": {
                "conv1": {"filters": 0.5},
                "fc1": {"filters": 0.5, "columns": 0.5},
            },
        },
    )
    found = []

    def find(name):
        found.append(name)
        return tmp_path / f"{name}.safetensors"

    made = run(config, tmp_path, find=find)
    assert found == ["tiny_dense"]
    weight = {name: layer.weight for name, layer in made.layers.items()}
    live_filters = weight["conv1"].reshape(4, -1).any(axis=1)
    assert live_filters.sum() <= 2
    assert not weight["conv2"][:, ~live_filters].any()
    live_neurons = weight["fc1"].any(axis=1)
    assert live_neurons.sum() <= 4
    assert weight["fc1"].any(axis=0).sum() <= 12
    assert not weight["fc2"][:, ~live_neurons].any()
    assert not made.layers["fc1"].bias[~live_neurons].any()
    assert made.info["accuracy"] > 0.9


def test_unstructured_pruning_reaches_its_density(torch, recipe, tmp_path):
    layers = {name: {"unstructured": 0.25} for name in ("conv2", "fc1")}
    config = recipe(name="tiny_ns", kind="nonstructured", prune={"rounds": 2, "layers": layers})
    made = run(config, tmp_path)
    assert 0 < made.layers["conv2"].density <= 0.25
    assert 0 < made.layers["fc1"].density <= 0.25
    assert made.info["kept"] == made.density


def test_an_unknown_layer_is_refused_before_training(torch, recipe, tmp_path):
    config = recipe(
        kind="structured", prune={"rounds": 1, "layers": {"conv9": {"unstructured": 0.5}}}
    )
    with pytest.raises(InputError, match=r"prune\.layers\.conv9: must be a layer with weights"):
        run(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("constraint", "message"),
    [
        ({"pattern": {}}, r"conv2\.pattern = 'conv 2x2': must be on a conv of 3x3 kernels"),
        ({"columns": 0.5, "banks": 17}, r"conv2\.banks = 17: must be at most the layer's K, 16"),
    ],
    ids=["pattern", "banks"],
)
def test_a_constraint_that_does_not_fit_its_layer_is_refused(
    torch, recipe, tmp_path, constraint, message
):
    config = recipe(kind="pattern", prune={"rounds": 1, "layers": {"conv2": constraint}})
    with pytest.raises(InputError, match=r"prune\.layers\." + message) as caught:
        run(config, tmp_path / "out")
    assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()


def test_every_constraint_is_kept_to_the_end(torch, recipe, tmp_path, tiny):
    prune = {
        "rounds": 1,
        "layers": {
            "conv1": {"pattern": {"patterns": 2, "kernels": 0.75}},
            "conv2": {"columns": 0.5, "banks": 2},
            "fc1": {"nm": {"n": 1, "m": 4}},
        },
    }
    made = run(recipe(name="tiny_mixed", kind="pattern", prune=prune), tmp_path)
    kernels = made.layers["conv1"].weight.reshape(-1, 9) != 0
    assert kernels.any(axis=1).sum() <= 3
    assert len({tuple(kernel) for kernel in kernels if kernel.any()}) <= 2
    assert (kernels.sum(axis=1) <= 4).all()
    shapes = {shape.layer.name: shape for shape in tiny.shapes()}
    columns = lower_weight(shapes["conv2"], made.layers["conv2"].weight)[0].any(axis=0)
    assert columns[::2].sum() == columns[1::2].sum() == 4
    blocks = lower_weight(shapes["fc1"], made.layers["fc1"].weight)[0].reshape(8, -1, 4)
    assert (np.count_nonzero(blocks, axis=2) <= 1).all()


@pytest.mark.parametrize(
    ("code", "bits"), [("levels", 1), ("ternary", 2), ("pow2", 3), ("levels", 3)]
)
def test_low_bit_weights_are_retrained(torch, recipe, tmp_path, tiny, code, bits):
    """From a pruned checkpoint, whose zeros stay; nearly as accurate as eight bits."""
    layers = {name: {"unstructured": 0.5} for name in ("conv2", "fc1")}
    run(
        recipe(name="tiny_ns", kind="nonstructured", prune={"rounds": 1, "layers": layers}),
        tmp_path,
    )
    train = {"epochs": 6, "learning_rate": 0.02, "batch": 16, "shift": 0}
    config = recipe(
        name="tiny_low",
        kind="nonstructured",
        start=str(tmp_path / "tiny_ns.safetensors"),
        train={"epochs": 0},
        quantize={"weight_bits": bits, "weight_code": code, "train": train},
    )
    run(config, tmp_path)
    made = Checkpoint.read(tmp_path / "tiny_low.safetensors", tiny)
    start = Checkpoint.read(tmp_path / "tiny_ns.safetensors", tiny)
    for name, layer in made.layers.items():
        assert (layer.weight_code, layer.weight_bits) == (code, bits)
        zeros = start.layers[name].weight == 0
        assert not layer.weight[zeros].any()
        if code == "levels":
            assert layer.weight[~zeros].all()
    assert made.info["accuracy"] >= 0.9
    assert abs(made.info["accuracy_float"] - made.info["accuracy"]) < 0.06
    rows = list(csv.DictReader((tmp_path / "tiny_low.csv").read_text().splitlines()))
    assert {row["stage"] for row in rows} == {"quantize"}


@pytest.mark.parametrize(
    ("images", "labels"),
    [(np.zeros((9, 28, 28), np.uint8), np.zeros(9, np.uint8)),
     (np.zeros((9, 8, 8), np.uint8), np.full(9, 3, np.uint8))],
    ids=["size", "classes"],
)  # fmt: skip
def test_a_network_for_other_images_is_refused(torch, recipe, tmp_path, squares, images, labels):
    squares["train"] = (images, labels)
    with pytest.raises(InputError, match=r"network = .*: must take images of \(1, .* classes for"):
        run(recipe(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "structured"}, "prune must be given for every kind but dense, or a start"),
        (
            {"prune": {"rounds": 1, "layers": {"fc1": {"unstructured": 0.5}}}},
            "prune must be absent for kind dense",
        ),
        ({"dataset": "cifar"}, "dataset = 'cifar'"),
        ({"prune": {"rounds": 0, "layers": {}}}, r"prune\.rounds = 0"),
        (
            {"prune": {"rounds": 1, "layers": {"fc1": {}}}},
            "must give one of unstructured, nm, pattern, block and columns, or filters or",
        ),
        (
            {"prune": {"rounds": 1, "layers": {"fc1": {"unstructured": 0.5, "columns": 0.5}}}},
            "must give one of unstructured, nm, pattern, block and columns, or filters or",
        ),
        ({"prune": {"rounds": 1, "layers": {"fc1": {"filters": 0.0}}}}, "filters = 0.0"),
        (
            {"prune": {"rounds": 1, "layers": {"fc1": {"nm": {"n": 5, "m": 4}}}}},
            r"n must be at most m \(4\), not 5",
        ),
        (
            {"prune": {"rounds": 1, "layers": {"fc1": {"filters": 0.5, "banks": 8}}}},
            "columns must be given with banks",
        ),
        (
            {"prune": {"rounds": 1, "layers": {"conv1": {"pattern": {"patterns": 17}}}}},
            "patterns = 17",
        ),
        ({"quantize": {"weight_bits": 7}}, "weight_bits = 7"),
        (
            {"quantize": {"weight_bits": 3, "weight_code": "ternary"}},
            "weight_bits must be 2 for weight_code ternary, not 3",
        ),
        (
            {"quantize": {"weight_bits": 8, "weight_code": "levels"}},
            r"weight_bits must be below 8 for weight_code levels: \+128 is no int8",
        ),
        ({"rate": 1}, "rate = 1: unknown key"),
    ],
    ids=[
        "kind",
        "dense",
        "dataset",
        "rounds",
        "nothing",
        "both",
        "zero",
        "nm",
        "banks",
        "patterns",
        "bits",
        "width",
        "levels",
        "unknown",
    ],
)
def test_a_recipe_that_breaks_a_rule_is_refused(recipe, changes, message):
    with pytest.raises(InputError, match=message):
        recipe(**changes)
