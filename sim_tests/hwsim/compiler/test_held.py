"""Weights that PEs hold: what a refusal names."""

import numpy as np
import pytest
from harness.component import seeded
from harness.machine import ARRAYS, small_machine

from hwsim.compiler.compile import compile_network
from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.errors import InputError
from hwsim.verification.networks import random_checkpoint


def machine(weight_depth):
    array = ARRAYS["sparten"] | {
        "chunk": 64, "window": 16, "load_pes": 16, "drain_pes": 16, "mask_depth": 32,
        "entry_depth": 128, "carries": True,
    }  # fmt: skip
    memory = {"act_banks": 4, "act_depth": 64, "weight_depth": weight_depth, "scale_depth": 16}
    return small_machine("sparten", array=array, memory=memory, bus={"data_width": 256})


def test_a_half_that_holds_no_part_of_k_is_named_with_the_words_that_do():
    """One filter has 500 non-zeros: parts of K fit the PEs, but not a half of 64 words."""
    layer = {"name": "f", "type": "conv", "M": 4, "R": 5}
    size = {"channels": 20, "height": 5, "width": 5}
    network = parse(NetworkConfig, {"name": "n", "input": size, "layers": [layer]}, "test")
    rng = seeded(0)
    checkpoint = random_checkpoint(rng, network)
    checkpoint.layers["f"].weight[...] = rng.integers(1, 100, size=(4, 20, 5, 5))
    acts = {"f": np.ones((1, 20, 5, 5), np.int8)}
    with pytest.raises(InputError, match="weight_depth = 64: must be at least 128: f has parts"):
        compile_network(machine(64), network, checkpoint, 1, acts)
    compile_network(machine(128), network, checkpoint, 1, acts)
