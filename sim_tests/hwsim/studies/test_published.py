"""Checks against a published table: what is outside, and whether the file says why."""

from __future__ import annotations

from functools import cache

import pytest

from hwsim.config.jobs.study import PublishedConfig, PublishedLayer
from hwsim.studies import published
from hwsim.studies.published_plot import efficiency_by_depth

#: Times of the simulator for this layer, to begin with.
LAYER = {"name": "small", "M": 128, "K": 96, "weight_density": 0.2, "act_density": 0.5}


def config(*layers):
    return PublishedConfig(
        kind="published", source="nobody", arch="csc_eie", clock_mhz=800.0, tolerance=0.1,
        layers=[PublishedLayer(**LAYER | layer) for layer in layers], fifo_depths=[1, 8],
    )  # fmt: skip


@cache
def counted(name):
    asked = {"name": name, "theoretical_us": 1.0, "actual_us": 1.0}
    (layer,) = published.run(config(asked)).layers
    return layer


def times(name="small", factor=1.0):
    """Times of the simulator for a layer of this name, which decides its draw, and others."""
    layer = counted(name)
    found = {"theoretical_us": layer.theoretical_us, "actual_us": layer.actual_us}
    return {"name": name} | {key: factor * time for key, time in found.items()}


def test_times_that_are_met_pass():
    check = published.run(config(times()))
    assert check.passed
    assert check.worst == 0
    assert check.answer().startswith("1 of 1 layers have both times within 10% of those published")


def test_a_layer_outside_fails_unless_the_file_says_why():
    near, far = times("near", 1.05), times("far", 1.5)
    check = published.run(config(near, far))
    assert not check.passed
    assert [layer.layer.name for layer in check.outside] == ["far"]
    assert "far, 33%: NOT known why" in check.answer()
    check = published.run(config(near, far | {"outside": "it is printed so."}))
    assert check.passed
    assert "1 of 2 layers" in check.answer()
    assert "far, 33%: it is printed so. The knee" in check.answer()
    assert check.worst == pytest.approx(1 - 1 / 1.05)


def test_a_reason_that_is_not_needed_fails():
    check = published.run(config(times() | {"outside": "it is printed so"}))
    assert not check.passed
    assert "within, but said to be outside: small" in check.answer()


def test_memories_hold_as_many_columns_as_a_layer_has():
    deep = {"name": "deep", "K": 20000, "M": 64, "weight_density": 0.01, "act_density": 0.01}
    (layer,) = published.run(config(times() | deep)).layers
    assert layer.entries > 0


def test_marks_of_the_plot_say_the_times():
    check = published.run(config(times()))
    (panel,) = efficiency_by_depth(check).panels
    (series,) = panel.series
    assert [point.x for point in series.points] == [1, 8]
    assert [point.y for point in series.points] == list(check.layers[0].efficiency.values())
    assert series.points[0].detail.says[0] == "small"
    assert f"published {times()['actual_us']:g} us" in series.points[0].detail.says[2]
