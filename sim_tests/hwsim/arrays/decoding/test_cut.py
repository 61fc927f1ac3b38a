"""Products whose K is cut over commands: values of the model, and the fast form against it."""

from __future__ import annotations

import numpy as np
import pytest
from harness.component import seeded

from hwsim.arrays.base import array_model
from hwsim.arrays.decoding.cut import cut_k, pieces
from hwsim.config import ArchConfig
from hwsim.fixedpoint import wrap
from hwsim.workload.gemm import GEMM

CHANGES = {
    "csc": {
        "col_depth": [8, 16, 32], "entry_depth": [8, 16, 64], "acc_depth": [1, 2, 8],
        "lanes": [1, 2, 3], "window": [1, 3, 4],
    },
    "bitmask": {
        "mask_depth": [1, 2, 16], "entry_depth": [8, 16, 64], "acc_depth": [1, 2, 8],
        "acc_banks": [2, 4], "clusters": [1, 2], "balance": ["none", "greedy"], "chunk": [8, 16],
    },
}  # fmt: skip


def draw_design(rng, family):
    array = {"family": family, "pes": 4, "load_pes": 2, "carries": True}
    for name, values in CHANGES[family].items():
        array[name] = values[int(rng.integers(len(values)))]
    return ArchConfig.model_validate({"name": "test", "array": array})


@pytest.mark.parametrize("family", CHANGES)
@pytest.mark.parametrize("seed", range(12))
def test_fast_form_equals_the_model(family, seed):
    rng = seeded(seed)
    arch = draw_design(rng, family)
    model = array_model(arch)
    m, k, n = (int(rng.integers(1, most)) for most in (20, 80, 20))

    def sparse(*size):
        density = rng.choice([0, 0.1, 0.5, 1])
        return rng.integers(-128, 128, size) * (rng.random(size) < density)

    gemm = GEMM.of(sparse(m, k), sparse(k, n))
    job = model.compile(arch, gemm)
    run = model.simulate(arch, job, {})
    assert (run.ofmap == wrap(gemm.weight @ gemm.act, arch.numbers.psum_width)).all()
    assert model.count(arch, gemm) == run.counts


@pytest.mark.parametrize("family", CHANGES)
def test_more_groups_stay_than_there_are_banks(family):
    arch = ArchConfig.model_validate(
        {
            "name": "test",
            "array": {"family": family, "pes": 4, "entry_depth": 8, "acc_depth": 8, "carries": True}
            | ({"col_depth": 8} if family == "csc" else {"mask_depth": 1, "chunk": 8}),
        }
    )
    gemm = GEMM.of(np.ones((4, 20), int), np.ones((20, 16), int))
    command = array_model(arch).compile(arch, gemm).inputs["command"]
    assert command["groups"].tolist() == [16] * 3
    assert command["carry"].tolist() == [0, 1, 1]
    assert command["keep"].tolist() == [1, 1, 0]


def test_k_is_cut_in_as_few_parts_as_fit():
    parts = cut_k(20, 4, lambda part: len(part) <= 8)
    assert parts == [range(8), range(8, 16), range(16, 20)]
    assert cut_k(20, 4, lambda part: True) == [range(20)]
    assert len(cut_k(20, 4, lambda part: False)) == 5


def test_all_parts_of_some_groups_before_the_next_groups():
    found = list(pieces(["a", "b"], [range(8), range(8, 12)], 5, 4))
    assert [(each.tile, each.groups) for each in found] == [
        ("a", range(4)), ("b", range(4)), ("a", range(4, 5)), ("b", range(4, 5)),
    ]  # fmt: skip
    assert [(each.carry, each.keep) for each in found] == [(False, True), (True, False)] * 2
