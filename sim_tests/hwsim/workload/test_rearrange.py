"""Layers that only move activations, against their definition one value at a time."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.config import NetworkConfig
from hwsim.workload.rearrange import rearranged


def moved(act, **layer):
    """A layer's activations, of the shape that the network says."""
    _, channels, height, width = act.shape
    raw = {
        "name": "one",
        "input": {"channels": channels, "height": height, "width": width},
        "layers": [{"name": "layer", **layer}],
    }
    (shape,) = NetworkConfig.model_validate(raw).shapes()
    found = rearranged(shape.layer, act)
    assert found.shape == (
        len(act), shape.ofmap.channels, shape.ofmap.height, shape.ofmap.width,
    )  # fmt: skip
    assert found.dtype == act.dtype
    return found


#: Layer -> the channel, row and column of the input that an output value is.
PLACES = {
    "slice": ({"M": 3, "first": 2}, lambda c, y, x: (c + 2, y, x)),
    "slice of all": ({"type": "slice", "M": 12}, lambda c, y, x: (c, y, x)),
    "shuffle": ({"G": 3}, lambda c, y, x: (c % 3 * 4 + c // 3, y, x)),
    "upsample": ({"stride": [2, 3]}, lambda c, y, x: (c, y // 2, x // 3)),
    "depth_to_space": (
        {"stride": [2, 3]},
        lambda c, y, x: ((y % 2 * 3 + x % 3) * 2 + c, y // 2, x // 3),
    ),
    "space_to_depth": (
        {"stride": [3, 2]},
        lambda c, y, x: (c % 12, y * 3 + c // 24, x * 2 + c // 12 % 2),
    ),
    "crop": ({"padding": [1, 0, 2, 3]}, lambda c, y, x: (c, y + 1, x)),
}


@pytest.mark.parametrize("case", PLACES)
def test_each_value_comes_from_its_place(case):
    layer, place = PLACES[case]
    act = np.arange(2 * 12 * 6 * 8).reshape(2, 12, 6, 8)
    found = moved(act, **{"type": case, **layer})
    for image, *index in np.ndindex(found.shape):
        assert found[image, *index] == act[image, *place(*index)], index


@pytest.mark.parametrize("stride", [2, [1, 3], [4, 2]])
def test_space_to_depth_undoes_depth_to_space(stride):
    act = np.random.default_rng(0).integers(-128, 128, (2, 24, 3, 5)).astype(np.int8)
    spread = moved(act, type="depth_to_space", stride=stride)
    assert (moved(spread, type="space_to_depth", stride=stride) == act).all()


@pytest.mark.parametrize(("groups", "others"), [(2, 6), (3, 4), (12, 1)])
def test_a_shuffle_is_undone_by_another(groups, others):
    act = np.random.default_rng(0).integers(-128, 128, (2, 12, 3, 5))
    mixed = moved(act, type="shuffle", G=groups)
    assert (moved(mixed, type="shuffle", G=others) == act).all()
