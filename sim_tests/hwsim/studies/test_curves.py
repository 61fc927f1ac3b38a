"""The points that a curve of a comparison joins."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np

from hwsim.studies.curves import front_of


def test_a_curve_joins_what_no_other_beats_by_rising_cost_and_the_first_of_equals():
    comparison = SimpleNamespace(decides=lambda model: model[1])
    rng = np.random.default_rng(11)
    for count in [0, *rng.integers(1, 12, 200)]:
        points = [tuple(p) for p in rng.integers(0, 6, (count, 2)).tolist()]
        variants = [SimpleNamespace(model=p) for p in points]
        front = front_of(comparison, variants, lambda v: float(v.model[0]))
        beaten = {
            p for p in points if any(q != p and q[0] <= p[0] and q[1] >= p[1] for q in points)
        }
        assert [v.model for v in front] == sorted(set(points) - beaten)
        assert all(v is variants[points.index(v.model)] for v in front)
