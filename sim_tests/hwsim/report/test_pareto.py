"""The Pareto front against its definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from hwsim.report.pareto import front


def by_definition(costs: np.ndarray) -> list[bool]:
    def beats(one: np.ndarray, other: np.ndarray) -> bool:
        return all(a <= b for a, b in zip(one, other, strict=True)) and any(
            a < b for a, b in zip(one, other, strict=True)
        )

    return [not any(beats(other, point) for other in costs) for point in costs]


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(st.integers(0, 24), st.integers(1, 4)).flatmap(
        lambda shape: arrays(
            float,
            shape,
            elements=st.sampled_from([-np.inf, -2.5, -0.0, 0.0, 1.0, 2.0, 3.0, np.inf]),
        )
    )
)
def test_front_is_what_the_definition_says(costs: np.ndarray) -> None:
    assert front(costs).tolist() == by_definition(costs)


def test_front_of_many_points_is_what_the_definition_says() -> None:
    costs = np.random.default_rng(7).normal(size=(300, 3))
    assert front(costs).tolist() == by_definition(costs)


def test_equal_points_are_on_the_front_together() -> None:
    assert front([[1, 2], [1, 2], [2, 1], [2, 2]]).tolist() == [True, True, True, False]


def test_no_points_have_an_empty_front() -> None:
    assert front(np.empty((0, 2))).tolist() == []


def test_bad_costs_are_refused() -> None:
    with pytest.raises(ValueError, match="must not be NaN"):
        front([[1.0, float("nan")]])
    with pytest.raises(ValueError, match="of shape"):
        front([1.0, 2.0])
