"""Random configurations are of every kind, and a few of them run in RTL."""

from __future__ import annotations

import pytest

from hwsim.config.arrays import FAMILIES
from hwsim.errors import InputError
from torture import arrays
from torture.designs import MULTIPLIERS, draw

#: Fields with one value in few designs or all: no machine has the family, whose PEs hold the sums;
#: a machine alone fills halves; others need another field that few designs have.
FIXED = (
    ("carries", "dbb"),
    ("acc_depth", "dbb"),
    ("gather_banks", "dense"),
    ("zero_gating", "dense"),
    ("double_buffered", "csc"),
    ("double_buffered", "bitmask"),
)


@pytest.mark.parametrize("family", FAMILIES)
def test_designs_are_drawn_from_all_that_the_rules_allow(family):
    designs = [draw(family, seed) for seed in range(40)]
    assert designs == [draw(family, seed) for seed in range(40)]
    assert all(design.array.family == family for design in designs)
    assert len({design.digest for design in designs}) > 35
    assert max(design.array.multipliers for design in designs) <= MULTIPLIERS
    # every field that needs no other one has several values
    for name, field in FAMILIES[family].model_fields.items():
        values = {getattr(design.array, name) for design in designs}
        fixed = name in ("family", "dataflow") or (name, family) in FIXED
        assert fixed or len(values) > 1, name
        assert field.annotation is not bool or fixed or values == {False, True}, name
    for name in ("act_width", "weight_width", "weight_code", "psum_width"):
        assert len({getattr(design.numbers, name) for design in designs}) > 1, name


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize(("family", "seed"), [("nm", 0)])
def test_a_design_in_rtl(family, seed):
    found = arrays.batch(family, seed, cases=20)
    assert (found["cases"], found["different"]) == (20, 0)


def test_a_design_that_takes_no_layer_says_why(monkeypatch):
    def refuse(*_):
        raise InputError("random", "K", 1, "must be less")

    monkeypatch.setattr(arrays, "random_cases", refuse)
    found = arrays.batch("bitmask", 0, cases=20)
    assert (found["cases"], found["refused"]) == (0, "random: K = 1: must be less")
