"""The middle of factors does not hang on which side is the numerator."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.studies.factors import middle


@pytest.mark.parametrize("seed", range(8))
def test_the_middle_of_ratios_turned_round_is_the_ratio_turned_round(seed):
    rng = np.random.default_rng(seed)
    factors = np.exp(rng.normal(0, 1, int(rng.integers(1, 10)))).tolist()
    assert middle(factors) == pytest.approx(1 / middle(1 / f for f in factors), rel=1e-12)
    assert middle(factors) == pytest.approx(np.exp(np.median(np.log(factors))), rel=1e-12)


def test_of_an_odd_number_it_is_one_of_them():
    assert middle([3.0, 0.1, 7.0]) == 3.0


def test_of_two_it_is_their_geometric_mean():
    assert middle([2.0, 0.5]) == 1.0
