"""Memories sized for a workload: nothing smaller would do, and nothing is lost."""

from __future__ import annotations

import pytest

import hwsim
from hwsim import InputError
from hwsim.cost.fit import memory_area

CASES = [
    ("bitmask_64", "lenet5_nonstructured_85x"),
    ("csc_4x16", "lenet5_nonstructured_85x"),
    ("dense_8x8_ws", "lenet5_structured_40x"),
    ("dense_8x8_ws_gather", "lenet5_structured_40x"),
    ("pattern_4x4", "lenet5_structured_40x"),
]


@pytest.mark.parametrize(("name", "weights"), CASES)
def test_a_fitted_design_loses_nothing_and_can_lose_no_more(name, weights):
    fitted = hwsim.fit(name, "lenet5", weights, slack=0.02)
    figures = {row["figure"]: (row["before"], row["after"]) for row in fitted.to_rows()}
    for figure in ("cycles", "weight words", "act words", "ofmap words"):
        before, after = figures[figure]
        assert after <= 1.02 * before
    assert figures["memory bits"][1] <= figures["memory bits"][0]
    # the fitted design really counts so
    again = hwsim.simulate(fitted.arch, "lenet5", weights)
    assert again.cycles == figures["cycles"][1]
    # what enters and leaves the network passes DRAM whatever the memories
    assert fitted.after.border == again.border > 0
    # half of any depth does not fit, or loses too much
    array = fitted.arch.array
    for field in array.DEPTHS:
        depth = getattr(array, field)
        if depth in (None, 1):
            continue
        smaller = array.model_copy(update={field: depth // 2})
        try:
            result = hwsim.simulate(
                fitted.arch.model_copy(update={"array": smaller}), "lenet5", weights
            )
        except InputError:
            continue
        beats = [
            sum(layer.counts.events[f"{stream}_beats"] for layer in result.layers)
            for stream in ("weight", "act", "ofmap")
        ]
        allowed = [figures[f"{stream} words"][0] for stream in ("weight", "act", "ofmap")]
        too_much = any(b > 1.02 * a for a, b in zip(allowed, beats, strict=True))
        assert too_much or result.cycles > 1.02 * figures["cycles"][0], field


def test_bitmask_keeps_a_seventh_of_its_memory_on_lenet5():
    fitted = hwsim.fit("bitmask_64", "lenet5", "lenet5_nonstructured_85x")
    assert fitted.after.cycles == fitted.before.cycles
    area = [memory_area(r.arch, "sg13g2") for r in (fitted.before, fitted.after)]
    assert area[1] < 0.6 * area[0]


@pytest.mark.parametrize("technology", ["sg13g2", "45nm"])
@pytest.mark.parametrize("name", ["bitmask_64", "csc_4x16", "csc_16x4"])
def test_fitted_memories_never_take_more(name, technology):
    """Small ones of 45 nm would: they are flip-flops."""
    weights = "lenet5_nonstructured_85x"
    fitted = hwsim.fit(name, "lenet5", weights, technology=technology)
    before, after = (memory_area(r.arch, technology) for r in (fitted.before, fitted.after))
    assert after < before


def test_the_file_is_a_design(tmp_path):
    fitted = hwsim.fit("csc_4x16", "lenet5", "lenet5_nonstructured_85x")
    path = tmp_path / f"{fitted.arch.name}.yaml"
    path.write_text(fitted.arch.to_yaml())
    assert hwsim.read_arch(path) == fitted.arch
    assert fitted.arch.name == "csc_4x16_lenet5"


def test_a_network_that_does_not_fit_is_one_line():
    with pytest.raises(InputError, match="must be at most col_depth"):
        hwsim.fit("csc_4x16", "vgg16")
    with pytest.raises(InputError, match="slack = 2: must be a fraction"):
        hwsim.fit("csc_4x16", "lenet5", slack=2)
