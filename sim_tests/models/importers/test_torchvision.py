"""Torchvision's names find the layers of the shipped networks, and the networks are the same."""

from __future__ import annotations

import re

import numpy as np
import pytest

pytest.importorskip("torch", reason="twins need torch: pip install 'hwsim[compress]'")

import torch
from harness import torchvision_twins as twins

from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference import images as inputs
from hwsim.models.importers.torchvision import load, names_of
from hwsim.workload.lowering import weight_shape

#: Network -> twin, and how many tensors torchvision's state dict has.
NETWORKS = {
    "alexnet_owt": (twins.alexnet, 16),
    "vgg16": (twins.vgg16, 32),
    "resnet18": (lambda: twins.resnet(18), 122),
    "resnet50": (lambda: twins.resnet(50), 320),
    "mobilenetv2": (twins.mobilenet_v2, 314),
}
SMALL = NetworkConfig.model_validate(
    {
        "name": "small",
        "input": {"channels": 1, "height": 4, "width": 4},
        "layers": [
            {"name": "conv1", "type": "conv", "M": 2, "R": 3},
            {"name": "fc1", "type": "fc", "M": 3},
        ],
    }
)


def tensors(network) -> dict[str, np.ndarray]:
    """Floating-point tensors of a state dict."""
    state = network.state_dict()
    return {name: t.numpy() for name, t in state.items() if t.is_floating_point()}


def tensors_of_small() -> dict[str, np.ndarray]:
    shapes = {"conv1.weight": (2, 1, 3, 3), "conv1.bias": (2,), "fc1.weight": (3, 8)}
    return {name: np.ones(shape, dtype=np.float32) for name, shape in shapes.items()}


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_tensor_has_its_layer(name, batch_norm):
    """Names and shapes agree and no tensor remains; on the meta device, which allocates nothing."""
    make, count = NETWORKS[name]
    if batch_norm and name != "vgg16":
        return
    with torch.device("meta"):
        state = (twins.vgg16(batch_norm=True) if batch_norm else make()).state_dict()
    assert len(state) == (97 if batch_norm else count)
    config = NetworkConfig.read(name)
    names = names_of(config, state)
    used = {n for n in state if n.endswith("num_batches_tracked")}
    for shape in config.shapes():
        if shape.has_weights:
            found = names[shape.layer.name]
            assert tuple(state[f"{found.module}.weight"].shape) == weight_shape(shape)
            used |= {f"{found.module}.weight", f"{found.module}.bias"}
            if found.norm:
                parts = ("weight", "bias", "running_mean", "running_var")
                used |= {f"{found.norm}.{part}" for part in parts}
    assert state.keys() <= used


@pytest.mark.parametrize("name", ["resnet18", "mobilenetv2"])
def test_the_whole_network_computes_what_torch_computes(name):
    network = twins.randomized(NETWORKS[name][0](), seed=3)
    config = NetworkConfig.read(name)
    images = inputs.random(config, 1, seed=1)
    with torch.no_grad():
        expected = network(torch.from_numpy(images)).numpy()
    found = load(config, tensors(network), "weights.pth").logits(images)
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


@pytest.mark.parametrize("seed", range(3))
def test_a_folded_normalization_is_the_normalization(seed):
    torch.manual_seed(seed)
    names = ("conv1.weight", "bn1.weight")
    conv = torch.nn.Conv2d(3, 64, 7, 2, 3, bias=False)
    norm = twins.randomized(torch.nn.BatchNorm2d(64), seed)
    network = twins.resnet(18)
    network.conv1, network.bn1 = conv, norm
    assert all(name in network.state_dict() for name in names)
    layer = load(NetworkConfig.read("resnet18"), tensors(network), "w").layers["conv1"]
    images = torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        expected = norm(conv(images))
        weight, bias = torch.from_numpy(layer.weight), torch.from_numpy(layer.bias)
        found = torch.nn.functional.conv2d(images, weight, bias, 2, 3)
    assert torch.allclose(found, expected, atol=1e-5, rtol=1e-5)


def test_a_networks_own_names_are_taken_first():
    model = load(SMALL, tensors_of_small(), "w")
    assert model.layers["conv1"].bias.tolist() == [1, 1]
    assert model.layers["fc1"].bias.tolist() == [0, 0, 0]  # fc1.bias is not in the file
    config = NetworkConfig.read("resnet18")
    own = {f"{s.layer.name}.weight": 0 for s in config.shapes() if s.has_weights}
    assert names_of(config, own)["conv2_1a"].module == "conv2_1a"


def test_another_networks_weights_are_refused_at_the_first_tensor():
    resnet18 = NetworkConfig.read("resnet18")
    cases = (
        (
            resnet18, twins.resnet(50),
            "w.pth: layer1.0.conv1.weight = (64, 64, 1, 1): "
            "must have shape (64, 64, 3, 3) for layer conv2_1a of resnet18",
        ),
        (
            resnet18, twins.resnet(34),
            "w.pth: layer1.2.conv1.weight = (64, 64, 3, 3): is the tensor of no layer of resnet18",
        ),
        (
            NetworkConfig.read("alexnet"), twins.alexnet(),
            "w.pth: features.0.weight = (64, 3, 11, 11): "
            "must have shape (96, 3, 11, 11) for layer conv1 of alexnet",
        ),
        (
            NetworkConfig.read("lenet5"), twins.resnet(18),
            "w.pth: conv1.weight = (64, 3, 7, 7): "
            "must have shape (20, 1, 5, 5) for layer conv1 of lenet5",
        ),
        (
            NetworkConfig.read("mobilenetv2"), twins.resnet(18),
            "w.pth: features.0.0.weight: must be given, with shape (32, 3, 3, 3), "
            "for layer conv1 of mobilenetv2",
        ),
    )  # fmt: skip
    for config, network, line in cases:
        with pytest.raises(InputError, match=re.escape(line)):
            load(config, tensors(network), "w.pth")


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [
        ("fc1.weight", np.full((3, 8), np.nan), "w: fc1.weight: must hold finite numbers"),
        ("conv1.bias", np.full(2, np.inf), "w: conv1.bias: must hold finite numbers"),
        ("conv1.bias", np.ones(3), "w: conv1.bias = (3,): must have shape (2,) for layer conv1"),
    ],
)
def test_a_tensor_that_does_not_do_is_refused(name, value, line):
    state = tensors_of_small() | {name: value.astype(np.float32)}
    with pytest.raises(InputError, match=re.escape(line)):
        load(SMALL, state, "w")


def test_a_negative_variance_is_refused():
    state = tensors(twins.resnet(18))
    state["bn1.running_var"] = np.full(64, -1.0, dtype=np.float32)
    with pytest.raises(InputError, match=r"bn1\.running_var: must be at least 0"):
        load(NetworkConfig.read("resnet18"), state, "w")
