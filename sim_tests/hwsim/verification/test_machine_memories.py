"""Memories that random cases of a machine draw: the design accepts each."""

import numpy as np
import pytest

from hwsim.accelerator.bursts import numbers
from hwsim.config import BusConfig
from hwsim.verification.machine import draw_memory


@pytest.mark.parametrize("width", [32, 64, 128, 256])
def test_every_memory_keeps_the_rule_on_latency(width):
    bus = BusConfig(data_width=width)
    for seed in range(2000):
        memory = draw_memory(bus, np.random.default_rng(seed))
        # raises where a pause between bursts outlasts the latency
        assert numbers(memory, bus, 4)[3] == memory.latency, f"seed {seed}"
