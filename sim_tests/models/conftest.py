"""Fixtures of the tests of training: torch, and a network small enough to train quickly."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec

import numpy as np
import pytest
import yaml

from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.config.jobs.compress import CompressConfig
from hwsim.datasets import load as datasets

TINY = {
    "name": "tiny",
    "input": {"channels": 1, "height": 8, "width": 8},
    "layers": [
        {"name": "conv1", "type": "conv", "M": 4, "R": 3},
        {"name": "pool1", "type": "maxpool", "R": 2, "stride": 2},
        {"name": "conv2", "type": "conv", "M": 6, "R": 2},
        {"name": "fc1", "type": "fc", "M": 8, "relu": True},
        {"name": "fc2", "type": "fc", "M": 3},
    ],
}

RESIDUAL = {
    "name": "residual",
    "input": {"channels": 1, "height": 8, "width": 8},
    "layers": [
        {"name": "conv1", "type": "conv", "M": 4, "R": 3, "padding": 1, "relu": True},
        {"name": "a1", "type": "conv", "M": 5, "R": 3, "padding": 1, "relu": True},
        {"name": "b1", "type": "conv", "M": 4, "R": 3, "padding": 1},
        {"name": "sum1", "type": "add", "inputs": ["b1", "conv1"], "relu": True},
        {"name": "a2", "type": "conv", "M": 6, "R": 3, "padding": 1, "stride": 2, "relu": True},
        {"name": "b2", "type": "conv", "M": 6, "R": 3, "padding": 1},
        {"name": "proj2", "type": "conv", "M": 6, "R": 1, "stride": 2, "inputs": ["sum1"]},
        {"name": "sum2", "type": "add", "inputs": ["b2", "proj2"], "relu": True},
        {"name": "pool1", "type": "maxpool", "R": 2, "stride": 2},
        {"name": "mean1", "type": "globalavgpool"},
        {"name": "fc1", "type": "fc", "M": 3},
    ],
}


@pytest.fixture
def torch():
    """The torch module; without the extra the test is skipped, except in CI, where it fails."""
    if find_spec("torch") is None:
        reason = "torch is missing: pip install 'hwsim[compress]'"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    module = importlib.import_module("torch")
    module.set_num_threads(1)
    module.manual_seed(0)
    return module


@pytest.fixture
def tiny() -> NetworkConfig:
    return NetworkConfig.model_validate(TINY)


@pytest.fixture
def network(torch, tiny):
    """The tiny network with random weights."""
    from hwsim.models.networks.network import Network

    return Network(tiny)


@pytest.fixture
def residual(torch):
    """A network with residual sums, a projection and pools, of random weights."""
    from hwsim.models.networks.network import Network

    return Network(NetworkConfig.model_validate(RESIDUAL))


@pytest.fixture
def squares(torch):
    """300 images to train on and 60 held out, of three classes: the position of a bright square."""
    from hwsim.models.training.train import Dataset

    labels = torch.arange(360) % 3
    images = 0.2 * torch.rand(360, 1, 8, 8)
    for label in range(3):
        images[labels == label, :, 2 * label : 2 * label + 3, 1:7] += 0.7
    return Dataset(images, labels).split(60)


@pytest.fixture
def pixels(monkeypatch):
    """Replace the data sets by 240 training and 60 test images of the same three classes."""
    rng = np.random.default_rng(11)

    def make(count):
        labels = np.arange(count, dtype=np.uint8) % 3
        images = rng.integers(0, 60, (count, 8, 8), dtype=np.uint8)
        for label in range(3):
            images[labels == label, 2 * label : 2 * label + 3, 1:7] += 150
        return images, labels

    kept = {"train": make(240), "test": make(60)}
    monkeypatch.setattr(datasets, "load", lambda name, split: kept[split])
    monkeypatch.setattr(datasets, "shipped_count", lambda name: 20)
    return kept


@pytest.fixture
def recipe(tmp_path, tiny):
    """Make recipes for the tiny network, dense unless keys say otherwise."""
    network = tmp_path / "tiny.yaml"
    network.write_text(yaml.safe_dump(tiny.model_dump(mode="json", exclude_unset=True)))
    (tmp_path / "residual.yaml").write_text(yaml.safe_dump(RESIDUAL))

    def make(**changes):
        raw = {
            "name": "tiny_dense", "kind": "dense", "network": str(network), "dataset": "mnist",
            "seed": 3,
            "train": {
                "epochs": 6, "learning_rate": 0.02, "batch": 16, "shift": 0,
                "precision": "float32",
            },
        }  # fmt: skip
        return parse(CompressConfig, raw | changes, "recipe")

    return make
