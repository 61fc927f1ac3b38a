"""Random networks for machines: weights are of the design's own code, and most are not zero."""

import numpy as np
import pytest
from harness.component import seeded
from harness.machine import ARRAYS, small_machine

from hwsim.config import NumberConfig
from hwsim.formats.codes import levels
from hwsim.verification.machine import random_cases
from hwsim.verification.networks import random_work

NUMBERS = [
    {}, {"weight_width": 4}, {"weight_width": 3, "weight_code": "pow2"},
    {"weight_width": 2, "weight_code": "ternary"}, {"weight_width": 16},
]  # fmt: skip


@pytest.mark.parametrize("numbers", NUMBERS, ids=str)
def test_weights_are_of_the_designs_code(numbers):
    arch, allowed = small_machine("ws", numbers=numbers), levels(NumberConfig(**numbers))
    found = [
        layer.weight
        for seed in range(20)
        for layer in random_work(seeded(seed), arch)[1].layers.values()
    ]
    values = np.concatenate([weight.reshape(-1) for weight in found])
    assert np.isin(values, allowed).all()
    assert set(np.unique(values)) >= set(allowed[np.abs(allowed) <= 100])
    assert (values != 0).mean() > 0.3


@pytest.mark.parametrize("kind", ARRAYS)
def test_results_of_narrow_weights_differ(kind):
    """Cases whose weights are all zero prove nothing; few have a last layer without a non-zero."""
    cases = random_cases(small_machine(kind, numbers={"weight_width": 4}), 10, seed=1)
    assert sum(len(np.unique(case.prepared.results)) > 2 for case in cases) >= 6
