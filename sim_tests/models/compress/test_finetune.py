"""Training makes up for pruned weights, which stay 0; images have their classes."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs torch: pip install 'hwsim[compress]'")
pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model
from onnx import numpy_helper
from PIL import Image

import hwsim
from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.config.jobs.compress import TrainConfig
from hwsim.config.jobs.study import StudyConfig
from hwsim.errors import InputError
from hwsim.inference import labelled
from hwsim.models.compress.finetune import retrain
from hwsim.models.importers.onnx_layers import load

CLASSES = 4


def drawn(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy stripes, ``(n, 1, 8, 8)`` uint8: the class is where they lie."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, CLASSES, count)
    images = rng.integers(0, 120, (count, 1, 8, 8))
    for image, label in zip(images, labels, strict=True):
        image[0, 2 * label : 2 * label + 2] += 70
    return images.astype(np.uint8), labels


@pytest.fixture(scope="module")
def file(tmp_path_factory) -> str:
    """An ONNX file that is trained, with a residual sum."""
    folder, model = tmp_path_factory.mktemp("trained"), Model((1, 8, 8))
    x = model.node("Relu", model.conv("x", 8, 1, pads=[1] * 4, weight="stem.weight"))
    y = model.node("Relu", model.conv(x, 8, 8, pads=[1] * 4, weight="deep.weight"))
    x = model.node("Add", x, y)
    x = model.node("AveragePool", x, kernel_shape=[2, 2], strides=[2, 2])
    out = model.gemm(model.node("Flatten", x), CLASSES, 8 * 16)
    path = model.save(folder, out)
    config = TrainConfig(epochs=12, learning_rate=5e-3, batch=32, shift=0, precision="float32")
    images, labels = drawn(400, 0)
    trained = retrain(load(path), (), images, labels, config)
    # the graph's constants, in the order of its layers
    floats = iter(trained.layers.values())
    by_name = {}
    for node in model.nodes:
        if node.op_type in ("Conv", "Gemm"):
            own = next(floats)
            by_name |= {node.input[1]: own.weight, node.input[2]: own.bias}
    model.stored = [
        numpy_helper.from_array(by_name.get(each.name, numpy_helper.to_array(each)), each.name)
        for each in model.stored
    ]
    path = model.save(folder, out)
    fresh, right = drawn(200, 1)
    hits = load(path).logits(fresh.astype(np.float32) / 255).argmax(axis=1) == right
    assert hits.mean() > 0.9
    return str(path)


def test_training_makes_up_for_what_was_pruned(file, tmp_path):
    images, labels = drawn(480, 2)
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    result = hwsim.prune(
        file, keep=0.08, inputs=tmp_path / "set.npz", epochs=8, learning_rate=3e-3, seed=1
    )
    info = result.checkpoint.info
    print(info)
    assert info["test_images"] == 40
    assert info["accuracy_before"] > 0.9
    assert info["accuracy_pruned"] < info["accuracy_before"] - 0.1
    assert info["accuracy_trained"] > info["accuracy_pruned"] + 0.1
    assert abs(info["accuracy"] - info["accuracy_trained"]) <= 0.05
    assert info["training"]["images"] == 440
    # what was removed stays 0, the first layer is whole
    layers = result.checkpoint.layers
    assert layers["stem"].density > 0.9
    rest = [each.weight for name, each in layers.items() if name != "stem"]
    kept = sum(int(np.count_nonzero(each)) for each in rest) / sum(each.size for each in rest)
    assert kept <= 0.081


def test_a_study_compares_imports_at_equal_accuracy(file, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    images, labels = drawn(480, 2)
    np.savez("set.npz", images=images, labels=labels)
    hwsim.import_network(file, inputs="set.npz", labelled=True).write("dense")
    made = {}
    for name, rule in (("nm", {"nm": (2, 4)}), ("single", {"keep": 0.3})):
        found = hwsim.prune(file, **rule, inputs="set.npz", epochs=2, learning_rate=1e-3)
        assert found.checkpoint.info["kind"] == {"nm": "nm", "single": "nonstructured"}[name]
        made[name] = found.checkpoint.write(f"{name}.safetensors")
    runs = [
        {"checkpoints": ["dense/net.safetensors"], "archs": ["dense_8x8_ws"]},
        {"checkpoints": ["nm.safetensors"], "archs": ["nm_2x4_4x8_ws"]},
        {"checkpoints": ["single.safetensors"], "archs": ["csc_8x8"]},
    ]
    raw = {
        "kind": "compare", "network": "dense", "images": 1, "technology": None, "runs": runs,
        "baseline": {"checkpoint": "dense/net.safetensors", "arch": "dense_8x8_ws"},
        "accuracy_bound": 10.0, "verify": {"archs": ["dense_8x8_ws"], "layers": ["deep"]},
    }  # fmt: skip
    plan = parse(StudyConfig, {"name": "mine", "title": "Mine", "study": raw}, "mine")
    assert hwsim.study(plan, "out", rtl=False).passed
    results = json.loads(Path("out/results.json").read_text())
    counted = {each["arch"]: each["cycles"] for each in results["variants"]}
    expected = hwsim.simulate("nm_2x4_4x8_ws", "dense/net.yaml", "nm.safetensors").cycles
    assert counted["nm_2x4_4x8_ws"] == expected


def test_the_same_seed_gives_the_same_weights(file, tmp_path):
    images, labels = drawn(48, 3)
    np.savez(tmp_path / "set.npz", images=images, labels=labels)
    first, second = (
        hwsim.prune(file, nm=(1, 4), inputs=tmp_path / "set.npz", epochs=1).checkpoint
        for _ in range(2)
    )
    for name, layer in first.layers.items():
        assert np.array_equal(layer.weight, second.layers[name].weight)


def test_folders_are_classes(tmp_path):
    network = NetworkConfig.model_validate(
        {"name": "net", "input": {"channels": 1, "height": 8, "width": 8},
         "layers": [{"name": "fc", "type": "fc", "M": 12}]}
    )  # fmt: skip
    for folders, expected in ((("b", "a", "c"), [0, 1, 2]), (("10", "2", "7"), [10, 2, 7])):
        root = tmp_path / folders[0]
        for name in folders:
            (root / name).mkdir(parents=True)
            Image.fromarray(np.full((8, 8), 40, np.uint8)).save(root / name / "x.png")
        assert labelled.read(root, network).labels.tolist() == expected
    Image.fromarray(np.full((8, 8), 40, np.uint8)).save(tmp_path / "b" / "loose.png")
    with pytest.raises(InputError, match=r"loose.png: must lie in the folder of its class"):
        labelled.read(tmp_path / "b", network)


def test_bad_labels_are_one_line(file, tmp_path):
    images, labels = drawn(24, 4)
    np.savez(tmp_path / "few.npz", images=images, labels=labels[:5])
    np.savez(tmp_path / "high.npz", images=images, labels=labels + 1)
    np.savez(tmp_path / "none.npz", images=images)
    (tmp_path / "broken.npz").write_bytes(b"no archive")
    for name, line in (
        ("few", "labels = (5,): must be a whole number for each of the 24 images"),
        ("high", "labels = 4: must be 0..3, the outputs of net"),
        ("none", "must have arrays images and labels, or be a folder of class folders"),
        ("broken", "must be a .npz file of numbers"),
    ):
        with pytest.raises(InputError) as caught:
            hwsim.prune(file, nm=(2, 4), inputs=tmp_path / f"{name}.npz", epochs=1)
        assert line in str(caught.value)
        assert "\n" not in str(caught.value)
    with pytest.raises(InputError, match="inputs: must be a folder of class folders"):
        hwsim.prune(file, nm=(2, 4), epochs=1)


def test_a_loss_that_is_no_number_ends_the_training(tmp_path):
    model = Model((1, 8, 8))
    path = model.save(tmp_path, model.gemm(model.node("Flatten", "x"), CLASSES, 64))
    config = TrainConfig(epochs=2, learning_rate=1.0, shift=0, precision="float32")
    images = np.full((8, 1, 8, 8), 3e38, np.float32)
    with pytest.raises(InputError, match="must stay finite: lower the learning rate"):
        retrain(load(path), (), images, np.zeros(8, np.int64), config)
