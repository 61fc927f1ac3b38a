"""Inputs as the host lays them out: each lane holds the activation of its K."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.accelerator.tile import Nest
from hwsim.compiler.grid import Cut
from hwsim.compiler.layout import Lowered, Map, Unrolled
from hwsim.config import NetworkConfig, TensorShape
from hwsim.config.base import parse
from hwsim.workload.lowering import lower_act


def layer(channels, **conv):
    raw = {
        "name": "one",
        "input": {"channels": channels, "height": 9, "width": 8},
        "layers": [{"name": "l0", "type": "conv", "M": 3, **conv}],
    }
    return parse(NetworkConfig, raw, "test").shapes()[0]


def visited(nest):
    """Addresses of a nest."""
    found = np.array([nest.start])
    for bound, stride in zip(nest.bounds, nest.strides, strict=True):
        found = (np.arange(bound)[:, None] * stride + found).reshape(-1)
    return found


@pytest.mark.parametrize("kind", [Map, Unrolled, Lowered])
@pytest.mark.parametrize(
    ("channels", "conv"),
    [
        (1, {"R": 5}),
        (3, {"R": 3, "padding": 1, "stride": 2}),
        (2, {"R": 3, "dilation": 2}),
        (3, {"R": 1}),
        (2, {"R": 3, "S": 2, "padding": (0, 1, 2, 0), "stride": (2, 1)}),
        (1, {"R": 2, "S": 3, "padding": (1, 0), "dilation": (1, 2), "stride": (1, 3)}),
    ],
)
def test_walking_gives_the_lowered_activations(kind, channels, conv):
    shape = layer(channels, **conv)
    act = np.random.default_rng(channels).integers(-128, 128, (channels, 9, 8))
    if kind is Map:
        source = Map(shape.ifmap, 8, border=max(shape.layer.pads))
        window, taps = source.window(shape), source.taps(shape)
    else:
        source = kind(shape, 8)
        window, taps = source.window(), source.taps()
    words = source.image(act)
    assert len(words) == source.words
    pixels = (shape.ofmap.width, window.column), (shape.ofmap.height, window.row)
    beats = visited(Nest.of(window.origin, *window.loops, *pixels))
    lanes = words[beats].reshape(shape.ofmap.height * shape.ofmap.width, -1)
    (expected,) = lower_act(shape, act[None])
    assert len(taps) == lanes.shape[1]
    assert (lanes[:, taps >= 0] == expected.T[:, taps[taps >= 0]]).all()
    assert sorted(taps[taps >= 0]) == list(range(shape.K))


@pytest.mark.parametrize("seed", range(20))
def test_a_part_holds_what_the_whole_holds_there(seed):
    """Also a part that lies in the border alone, or is wider than what there is: zeros."""
    rng = np.random.default_rng(seed)
    channels, height, width, border = (int(n) for n in rng.integers((1, 2, 2, 0), (10, 7, 7, 4)))
    found = Map(TensorShape(channels=channels, height=height, width=width), 4, border=border)
    act = rng.integers(-128, 128, (channels, height, width)).astype(np.int8)
    whole = found.whole
    sizes = len(whole.rows), len(whole.columns), len(whole.blocks)
    grid = np.pad(found.image(act).reshape(*sizes, 4), ((0, 0), (0, 3), (0, 0), (0, 0)))
    assert np.count_nonzero(grid) == np.count_nonzero(act)
    first = [int(rng.integers(size)) for size in sizes]
    last = [int(rng.integers(a, size)) + 1 for a, size in zip(first, sizes, strict=True)]
    last[1] += int(rng.integers(3))
    chosen = tuple(map(slice, first, last))
    starts = (each.start for each in (whole.rows, whole.columns, whole.blocks))
    cut = Cut(*(range(at + a, at + b) for at, a, b in zip(starts, first, last, strict=True)))
    part = found.placed(0, 0, cut)
    assert (part.image(act) == grid[chosen].reshape(-1, 4)).all()
    assert len(part.image(act)) == part.words


def test_lowered_keeps_blocks_of_k():
    taps = Lowered(layer(1, R=5), 8).taps()
    assert taps.tolist() == [*range(25), *[-1] * 7]


@pytest.mark.parametrize("seed", range(20))
def test_merged_loops_visit_the_same(seed):
    rng = np.random.default_rng(seed)
    bounds = rng.integers(1, 4, 5).tolist()
    strides = np.where(rng.random(5) < 0.6, np.cumprod([1, *bounds[:4]]), rng.integers(0, 9, 5))
    whole = Nest(3, tuple(bounds), tuple(strides.tolist()))
    merged = Nest.of(3, *zip(bounds, strides.tolist(), strict=True))
    assert visited(merged).tolist() == visited(whole).tolist()
    assert len(merged.bounds) <= len(whole.bounds)


def test_a_merged_loop_fits_its_field():
    assert Nest.of(0, (300, 1), (300, 300)).bounds == (300, 300)
    assert Nest.of(0, (255, 1), (257, 255)).bounds == (65535,)
