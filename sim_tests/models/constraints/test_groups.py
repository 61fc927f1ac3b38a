"""A budget of weights in whole filters and columns: what goes, in what order, and what stays."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.errors import InputError

fuzz = settings(
    deadline=None, max_examples=30, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def shapes(tiny):
    return tuple(shape for shape in tiny.shapes() if shape.has_weights)


@pytest.fixture
def budget(torch, shapes):
    from hwsim.models.constraints.groups import GroupBudget

    return lambda keep, **options: GroupBudget(keep, shapes, **options)


def draw(torch, shapes, seed):
    """Random weights in PyTorch's shapes, some filters and columns larger than others."""
    print(f"seed {seed}")
    generator = torch.Generator().manual_seed(seed)
    weights = {}
    for shape in shapes:
        size = (shape.ofmap.channels, shape.K)
        scale = [torch.rand(n, generator=generator) + 0.05 for n in size]
        weight = torch.randn(size, generator=generator) * scale[0][:, None] * scale[1]
        conv = shape.layer.type == "conv"
        weights[shape.layer.name] = (
            weight.view(len(weight), -1, shape.R, shape.S) if conv else weight
        )
    return weights


def count(masks):
    return sum(int(mask.sum()) for mask in masks.values())


@fuzz
@given(seed=st.integers(0, 10_000), keep=st.floats(0.15, 1))
def test_what_stays_is_whole_alive_and_within_the_budget(torch, shapes, budget, seed, keep):
    from hwsim.models.compress.pruning import purify

    weights = draw(torch, shapes, seed)
    masks = budget(keep).masks(weights)
    assert count(masks) <= round(keep * 348)
    for name, mask in masks.items():
        matrix = mask.flatten(1)
        assert mask.shape == weights[name].shape
        assert matrix.equal(matrix.any(dim=1)[:, None] & matrix.any(dim=0)), "whole"
    assert masks["fc2"].any(dim=1).all(), "every class stays"
    alive = purify(list(shapes), masks)
    assert all(mask.equal(alive[name]) for name, mask in masks.items()), "no path is dead"
    again = budget(keep).masks({name: weights[name] * masks[name] for name in masks})
    assert all(mask.equal(again[name]) for name, mask in masks.items()), "what stays, stays"


@fuzz
@given(seed=st.integers(0, 10_000), keep=st.floats(0.3, 0.9))
def test_filters_and_columns_go_in_steps_that_fill_the_array(torch, shapes, budget, seed, keep):
    masks = budget(keep, rows=4, cols=2).masks(draw(torch, shapes, seed))
    assert count(masks) <= round(keep * 348)
    for name, mask in masks.items():
        rows, columns = mask.flatten(1).any(dim=1), mask.flatten(1).any(dim=0)
        assert int(columns.sum()) < 4 or int(columns.sum()) % 4 == 0 or name == "fc2"
        assert name == "fc2" or int(rows.sum()) % 2 == 0


def test_the_next_to_go_is_the_least_for_each_weight_it_frees(torch, shapes, budget):
    """One group goes: compared with the price of every group, by hand."""
    weights = draw(torch, shapes, 3)
    energy = {name: weight.flatten(1).double().square().numpy() for name, weight in weights.items()}
    channels = {"conv1": 1, "conv2": 4, "fc1": 6, "fc2": 8}
    prices = {}
    for name, following in (("conv1", "conv2"), ("conv2", "fc1"), ("fc1", "fc2")):
        reads = energy[following].reshape(len(energy[following]), channels[following], -1)
        for row in range(len(energy[name])):
            gone = energy[name][row].sum() + reads[:, row].sum()
            prices[name, "row", row] = gone / (energy[name][row].size + reads[:, row].size)
    for name, matrix in energy.items():
        strongest = matrix.sum(axis=0).reshape(channels[name], -1).argmax(axis=1)
        positions = matrix.shape[1] // channels[name]
        for column in range(matrix.shape[1]):
            if column % positions != strongest[column // positions]:
                prices[name, "column", column] = matrix[:, column].mean()
    name, kind, index = min(prices, key=prices.get)
    masks = budget(347 / 348).masks(weights)
    expected = {key: np.ones_like(matrix, dtype=bool) for key, matrix in energy.items()}
    if kind == "row":
        following = list(energy)[list(energy).index(name) + 1]
        expected[name][index] = False
        expected[following].reshape(len(expected[following]), channels[following], -1)[:, index] = 0
    else:
        expected[name][:, index] = False
    for key, mask in masks.items():
        assert (mask.flatten(1).numpy() == expected[key]).all(), (name, kind, index)


def test_relaxing_begins_at_what_is_left(torch, shapes, budget):
    weights = draw(torch, shapes, 5)
    start = budget(0.6).masks(weights)
    left = {name: weights[name] * mask for name, mask in start.items()}
    begun = budget(0.2).begun(left)
    assert begun.relaxed(0).masks(left).keys() == start.keys()
    assert count(begun.relaxed(0).masks(left)) == count(start)
    half = count(begun.relaxed(0.5).masks(left))
    assert count(begun.relaxed(1).masks(left)) <= 70 < half <= round((count(start) + 0.2 * 348) / 2)
    assert begun.frozen(left) is begun
    assert not begun.late


def test_a_budget_that_cannot_be_met_is_one_line(torch, shapes, budget):
    with pytest.raises(InputError) as caught:
        budget(0.015).masks(draw(torch, shapes, 1))
    assert str(caught.value) == (
        "recipe: prune.budget.structured = 0.015: must be larger: every layer is at the least that "
        "it has to keep"
    )
