"""Random cases of designs with any weight code: they fit, and they reach what they must."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig
from hwsim.formats.codes import levels
from hwsim.verification.cases import random_cases

DESIGNS = [
    "csc_codebook_16x4",
    "dense_8x8_ws_binary",
    "dense_8x8_ws_levels4",
    "dense_8x8_ws_pow2",
    "dense_8x8_ws_ternary",
    "dense_8x8_ws_w4",
]


@pytest.mark.parametrize("name", DESIGNS)
def test_every_case_fits_its_design(name):
    arch = ArchConfig.read(name)
    for case in random_cases(arch, 60, seed=3):
        job = array_model(arch).compile(arch, case.gemm)
        assert job.shape == (case.gemm.M, case.gemm.N)


@pytest.mark.parametrize("name", DESIGNS)
def test_all_levels_occur(name):
    arch = ArchConfig.read(name)
    cases = random_cases(arch, 60, seed=3)
    found = np.unique(np.concatenate([case.gemm.weight.ravel() for case in cases]))
    allowed = levels(arch.numbers)
    assert set(found) <= {0, *allowed.tolist()}
    if arch.array.family == "dense":
        assert set(allowed.tolist()) <= set(found)
    assert any(not case.gemm.weight.any() for case in cases)


def test_binary_activations_have_no_zero():
    arch = ArchConfig.read("dense_8x8_ws_binary")
    for case in random_cases(arch, 60, seed=3):
        assert (np.abs(case.gemm.act) == 1).all()


@pytest.mark.parametrize("code", [("levels", 4), ("int", 8)])
def test_csc_cases_need_padding(code):
    base = ArchConfig.read("csc_16x4")
    numbers = {"weight_code": code[0], "weight_width": code[1]}
    arch = ArchConfig.model_validate(base.model_dump() | {"numbers": numbers})
    padding = [
        array_model(arch).count(arch, case.gemm).causes["pe"]["padding"]
        for case in random_cases(arch, 60, seed=3)
        if case.name.endswith("gaps")
    ]
    assert len(padding) == 5
    assert any(padding)
