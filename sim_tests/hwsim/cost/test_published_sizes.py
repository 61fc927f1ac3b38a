"""Published model sizes: exact masks, the gate on LeNet-5, what the differences are made of."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.config.base import parse
from hwsim.config.jobs.storage import StorageConfig, StorageRow
from hwsim.cost.published_sizes import positions, run
from hwsim.errors import InputError
from hwsim.formats.generic.relative import best_width, gaps, size_of_gaps


@pytest.fixture(scope="module")
def lenet():
    """LeNet-5's row of the shipped table."""
    config = StorageConfig.read("admm_nn")
    return run(config.model_copy(update={"rows": config.rows[:1]})).rows[0]


@given(st.integers(0, 2**32 - 1), st.integers(1, 300), st.data())
@settings(deadline=None, max_examples=200)
def test_a_mask_has_exactly_as_many_places_as_asked(seed, size, data):
    count = data.draw(st.integers(0, size))
    drawn = positions(np.random.default_rng(seed), size, count)
    assert len(drawn) == count
    assert (np.diff(drawn) > 0).all()
    assert count == 0 or (drawn[0] >= 0 and drawn[-1] < size)


def test_every_place_of_a_mask_is_as_likely():
    rng = np.random.default_rng(4)
    for count in (3, 8):
        times = np.bincount(np.concatenate([positions(rng, 10, count) for _ in range(4000)]))
        assert np.abs(times / 4000 - count / 10).max() < 0.03


def test_lenet5_is_the_published_size_on_masks_of_its_counts(lenet):
    assert [layer.kept for layer in lenet.layers] == [100, 1325, 800, 350]
    assert lenet.kept == 2575
    # 100 * 5 + 1325 * 3 + 800 * 2 + 350 * 3 and 100 * 3 + 1325 * 5 + 800 * 8 + 350 * 4 bits
    assert lenet.data_kb == 7125 / 8000
    assert lenet.indexed_kb == (7125 + 14725) / 8000
    assert lenet.passed
    assert max(map(abs, lenet.differences)) < 0.001


def test_padding_is_counted_apart_and_the_best_width_has_less_in_all(lenet):
    assert lenet.indexed_kb < lenet.padded_kb
    assert lenet.bound_kb < lenet.best_kb < lenet.padded_kb
    # 8 bits cannot span 400,000 places in 800 steps: padding is sure, whatever the mask
    fc1 = lenet.layers[2]
    assert fc1.bits.padding >= (400_000 // 256 - 800) * (2 + 8) // 2


def test_entropy_is_the_logarithm_of_the_number_of_masks(lenet):
    conv1 = lenet.layers[0]
    assert conv1.entropy == pytest.approx(math.log2(math.comb(500, 100)))


def test_a_table_misses_when_a_row_does():
    config = StorageConfig.read("admm_nn")
    row = config.rows[0]
    wrong = row.model_copy(
        update={"published": row.published.model_copy(update={"indexed_kb": 2.80})}
    )
    table = run(config.model_copy(update={"rows": [wrong]}))
    assert not table.passed
    assert "NOT within 2%" in table.answer()
    assert table.to_dict()["passed"] is False


def test_the_same_seed_gives_the_same_masks():
    config = StorageConfig.read("admm_nn")
    first = config.model_copy(update={"rows": config.rows[:1]})
    assert run(first).to_dict() == run(first).to_dict()
    other = run(first.model_copy(update={"seed": 2})).rows[0]
    assert other.padded_kb != run(first).rows[0].padded_kb
    assert other.indexed_kb == run(first).rows[0].indexed_kb


@given(st.integers(0, 2**32 - 1), st.integers(1, 400), st.integers(1, 8))
@settings(deadline=None, max_examples=50)
def test_searched_width_is_the_best_of_all(seed, count, weight_bits):
    gap = gaps(positions(np.random.default_rng(seed), 4000, count))
    every = [size_of_gaps(gap, width, weight_bits).total for width in range(1, 14)]
    assert every.index(min(every)) + 1 == best_width(gap, weight_bits)


ROW = {
    "name": "x", "network": "lenet5",
    "published": {"weights": 1.0, "data_kb": 1.0, "indexed_kb": 1.0},
}  # fmt: skip


def test_rows_without_layers_or_with_both_are_refused():
    uniform = {"kept_weights": 10, "weight_bits": 2}
    layers = [{"name": "conv1", "kept": 0.5, "weight_bits": 2}]
    for raw in (ROW, ROW | {"uniform": uniform, "layers": layers}):
        with pytest.raises(InputError, match="must have layers or uniform, and not both"):
            parse(StorageRow, raw, "row")


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        ({"layers": [{"name": "conv1", "kept": 0.5, "weight_bits": 2}]}, "layers must be those of"),
        ({"uniform": {"kept_weights": 500_000, "weight_bits": 2}}, "must be at most 430500"),
    ],
)
def test_layers_that_the_network_has_not_are_refused(row, rule):
    raw = {"name": "x", "title": "x", "source": "x", "rows": [ROW | row]}
    with pytest.raises(InputError, match=f"rows.0 = 'x': .*{rule}"):
        run(parse(StorageConfig, raw, "table"))
