"""The picture of a training run shows the numbers of the log."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from matplotlib.colors import to_hex

from hwsim.models.compress import pictures as compress
from hwsim.models.compress.pictures import draw


def row(stage, epoch, *, loss=0.1, kept=1.0, accuracy=0.9, **residuals):
    """One epoch of a network of two layers, without the residuals of ADMM."""
    blank = dict.fromkeys(("primal_a", "primal_b", "dual_a", "dual_b"))
    return {
        "stage": stage, "epoch": epoch, "learning_rate": 1e-3, "loss": loss,
        "train_accuracy": accuracy + 0.01, "heldout_accuracy": accuracy, "kept": kept,
        "rho": 1e-3 if residuals else None, **blank, **residuals,
    }  # fmt: skip


LOG = [
    row("train", 1, loss=0.8, accuracy=0.80),
    row("train", 2, loss=0.4, accuracy=0.90),
    row("ADMM 1/2", 1, loss=0.5, accuracy=0.89),
    row("ADMM 1/2", 2, primal_a=0.5, primal_b=0.4, dual_a=0.3, dual_b=0.2),
    row("ADMM 1/2", 3),
    row("ADMM 1/2", 4, primal_a=0.05, primal_b=0.04, dual_a=0.03, dual_b=0.02),
    row("retrain 1/2", 1, kept=0.1),
    row("ADMM 2/2", 1, kept=0.1, primal_a=0.6, primal_b=0.7, dual_a=0.0, dual_b=0.9),
]


@pytest.fixture
def drawn(monkeypatch):
    """Collect the figures that are saved."""
    figures = []

    def save(made, path):
        made.canvas.draw()
        figures.append(made)
        return path

    monkeypatch.setattr(compress, "save", save)
    return figures


def points(line):
    return [(float(x), float(y)) for x, y in zip(*line.get_data(), strict=True)]


def test_each_panel_shows_its_numbers_over_all_epochs(drawn):
    draw(LOG, Path("x"), "tiny")
    progress, kept, residuals, right = drawn[0].axes
    (loss,) = progress.get_lines()
    assert points(loss)[:3] == [(1, 0.8), (2, 0.4), (3, 0.5)]
    assert len(points(loss)) == 8
    heldout, training = right.get_lines()
    assert heldout.get_label() == "held-out accuracy"
    assert points(heldout)[:2] == [(1, 0.80), (2, 0.90)]
    assert points(training)[0] == (1, pytest.approx(0.81))
    assert points(kept.get_lines()[0])[5:] == [(6, 1.0), (7, 0.1), (8, 0.1)]
    assert kept.get_yscale() == residuals.get_yscale() == "log"
    assert drawn[0].get_suptitle() == "tiny"


def test_residuals_are_joined_over_blanks_but_not_over_stages(drawn):
    draw(LOG, Path("x"), "tiny")
    lines = drawn[0].axes[2].get_lines()
    shown = [(line.get_color(), line.get_linestyle(), points(line)) for line in lines]
    (blue, red) = dict.fromkeys(colour for colour, _, _ in shown)
    assert (blue, "-", [(4, 0.5), (6, 0.05)]) in shown
    assert (blue, "-", [(8, 0.6)]) in shown
    assert (blue, "--", [(4, 0.3), (6, 0.03)]) in shown
    assert (red, "-", [(4, 0.4), (6, 0.04)]) in shown
    assert len(shown) == 8
    names = [text.get_text() for text in drawn[0].axes[2].get_legend().get_texts()]
    assert names == ["a", "b"]


def test_stages_are_shaded_in_turn_and_named(drawn):
    draw(LOG, Path("x"), "tiny")
    for panel in drawn[0].axes[:3]:
        edges = [(patch.get_x(), patch.get_x() + patch.get_width()) for patch in panel.patches]
        assert edges == [(0.5, 2.5), (2.5, 6.5), (6.5, 7.5), (7.5, 8.5)]
        shades = [to_hex(patch.get_facecolor()) for patch in panel.patches]
        assert shades[0] == shades[2] != shades[1] == shades[3]
        assert panel.get_xlim() == (0.5, 8.5)
    texts = [(text.get_text(), text.get_position()[0]) for text in drawn[0].axes[0].texts]
    assert texts == [("train", 1.5), ("ADMM 1/2", 4.5), ("retrain 1/2", 7), ("ADMM 2/2", 8)]


def test_a_stage_that_comes_twice_is_two_stages(drawn):
    draw([row("a", 1), row("b", 1), row("a", 1)], Path("x"), "tiny")
    assert [text.get_text() for text in drawn[0].axes[0].texts] == ["a", "b", "a"]


def test_without_admm_there_is_no_panel_of_residuals(drawn):
    plain = [{k: v for k, v in each.items() if "_a" not in k[-2:]} for each in LOG[:2]]
    draw(plain, Path("x"), "tiny")
    draw(LOG[:2], Path("x"), "columns without a value")
    # loss, weights kept, accuracy
    assert [len(made.axes) for made in drawn] == [3, 3]


def test_a_residual_of_zero_is_no_point_on_a_log_axis(drawn):
    """The dual residual is 0 where Z does not change; only that point is not drawn."""
    draw([row("ADMM", 1, primal_a=0.5, primal_b=0.5, dual_a=0.0, dual_b=0.0)], Path("x"), "tiny")
    low, high = drawn[0].axes[2].get_ylim()
    assert 0 < low < 0.5 < high
    assert math.isfinite(high)


def test_the_same_log_is_the_same_file(tmp_path):
    first, second = (draw(LOG, tmp_path / name, "tiny") for name in ("one", "two"))
    assert first == tmp_path / "one.png"
    assert first.read_bytes() == second.read_bytes()
    assert "held-out accuracy" in (tmp_path / "one.svg").read_text()
