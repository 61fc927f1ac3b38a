"""What the tests of training share: torch, and a network small enough to train in a moment."""

from __future__ import annotations

import importlib
import os
from importlib.util import find_spec

import pytest

from hwsim.config import NetworkConfig

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


@pytest.fixture
def torch():
    """The torch module; without the extra the test is skipped, except in CI, where it fails."""
    if find_spec("torch") is None:
        reason = "torch is missing: pip install 'hwsim[compress]'"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    module = importlib.import_module("torch")
    module.manual_seed(0)
    return module


@pytest.fixture
def tiny() -> NetworkConfig:
    return NetworkConfig.model_validate(TINY)


@pytest.fixture
def network(torch, tiny):
    """The tiny network with random weights."""
    from models.networks import Network

    return Network(tiny)
