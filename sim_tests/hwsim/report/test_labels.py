"""Labels hide neither each other nor a point nor the legend."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from matplotlib.text import Annotation

from hwsim.report.labels import place
from hwsim.report.style import figure


def drawn(points, labels, *, legend=False):
    made, axes = figure()
    axes.scatter(*zip(*points, strict=True), label="points")
    axes.margins(0.2)
    if legend:
        axes.legend(loc="upper left")
    written = place(axes, [(x, y, text) for (x, y), text in zip(points, labels, strict=False)])
    made.draw_without_rendering()
    notes = [child for child in axes.get_children() if isinstance(child, Annotation)]
    return axes, written, notes


@pytest.mark.parametrize("seed", range(10))
def test_no_label_hides_anything(seed):
    print("seed", seed)
    rng = np.random.default_rng(seed)
    points = [tuple(point) for point in rng.random((int(rng.integers(2, 30)), 2))]
    labels = [f"label {'x' * int(rng.integers(1, 12))}" for _ in points]
    axes, written, notes = drawn(points, labels, legend=True)
    assert written == len(notes) > 0
    boxes = [note.get_window_extent() for note in notes]
    assert not any(a.overlaps(b) for a, b in itertools.combinations(boxes, 2))
    inside = axes.get_window_extent()
    legend = axes.get_legend().get_window_extent()
    for box in boxes:
        assert inside.x0 <= box.x0
        assert box.x1 <= inside.x1
        assert not box.overlaps(legend)
        for point in points:
            assert not box.contains(*axes.transData.transform(point))


def test_a_label_without_a_free_place_is_left_out():
    _, written, notes = drawn([(0.0, 0.0), (1.0, 1.0)], ["w" * 300, "short"])
    assert written == 1
    assert [note.get_text() for note in notes] == ["short"]


def test_equal_points_get_both_labels():
    _, written, _ = drawn([(0.5, 0.5), (0.5, 0.5), (1.0, 1.0)], ["one", "two"])
    assert written == 2
