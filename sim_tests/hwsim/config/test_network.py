"""Networks with branches: their shapes, their rules, and the YAML that says them."""

from __future__ import annotations

import pytest

from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.config.catalog import CONFIGS
from hwsim.errors import InputError

INPUT = {"channels": 3, "height": 8, "width": 6}


def network(*layers: dict) -> NetworkConfig:
    raw = {"name": "net", "source": 'a "quoted": source', "input": INPUT, "layers": list(layers)}
    return parse(NetworkConfig, raw, "net.yaml")


def test_a_concatenation_adds_channels_up():
    shapes = network(
        {"name": "a", "type": "conv", "M": 5, "R": 1},
        {"name": "b", "type": "concat", "inputs": ["a", "input", "a"]},
        {"name": "c", "type": "fc", "M": 2},
    ).shapes()
    assert (shapes[1].ofmap.channels, shapes[1].ofmap.height, shapes[1].ofmap.width) == (13, 8, 6)
    assert shapes[2].K == 13 * 48
    assert [shape.layer.rescales for shape in shapes] == [False, True, False]


@pytest.mark.parametrize(
    ("layer", "rule"),
    [
        ({"type": "concat"}, "inputs must name at least two layers for a concat layer"),
        ({"type": "add", "inputs": ["a"]}, "inputs must name at least two layers for an add layer"),
        (
            {"type": "concat", "inputs": ["a", "input"]},
            "layers.b: inputs must have the same height and width to be concatenated",
        ),
        ({"type": "fc", "M": 2, "relu_max": 6}, "relu_max must be absent without relu"),
        (
            {"type": "maxpool", "R": 1, "relu": True, "relu_max": 6},
            "relu_max must be absent for a maxpool layer",
        ),
        ({"type": "fc", "M": 2, "relu": True, "relu_max": 0}, "greater than 0"),
        ({"type": "activation"}, "function must be given for an activation layer"),
        ({"type": "maxpool", "R": 1, "function": "silu"}, "function must be absent for a maxpool"),
        ({"type": "activation", "function": "relu7"}, "function = 'relu7'"),
        ({"type": "activation", "function": "elu", "beta": 1.0}, "beta must be absent: it is no"),
        (
            {"type": "maxpool", "R": 1, "count_include_pad": False},
            "count_include_pad must be absent",
        ),
        (
            {"type": "avgpool", "R": 2, "padding": [0, 2], "count_include_pad": False},
            "padding must be less than the window where it does not count",
        ),
        ({"type": "mul"}, "inputs must name at least two layers for a mul layer"),
        ({"type": "mul", "inputs": ["a", "a", "a"]}, "inputs must name two layers for a mul"),
        ({"type": "slice"}, "M must be given for a slice layer"),
        ({"type": "slice", "M": 2, "first": 2}, "first [+] M = 4 must be at most the 3 input chan"),
        ({"type": "slice", "M": 2, "stride": 2}, "stride must be absent for a slice layer"),
        ({"type": "shuffle", "G": 2}, "G = 2 must divide the 3 input channels"),
        ({"type": "upsample", "padding": 1}, "padding must be absent for a upsample layer"),
        (
            {"type": "upsample", "relu": True, "relu_max": 6},
            "relu_max must be absent for a upsampl",
        ),
        ({"type": "depth_to_space", "stride": 2}, "2 x 2 pixels must divide the 3 input channels"),
        ({"type": "space_to_depth", "stride": 5}, "5 x 5 pixels must divide the input 6 x 4"),
        ({"type": "crop", "padding": [3, 0]}, "must leave pixels of the input 6 x 4"),
        ({"type": "maxpool", "R": 1, "first": 1}, "first must be absent for a maxpool layer"),
        ({"type": "mul", "inputs": ["a", "input"]}, "inputs must have the shape of the first"),
    ],
)
def test_a_layer_that_breaks_a_rule_is_refused(layer, rule):
    with pytest.raises(InputError, match=rule):
        network({"name": "a", "type": "conv", "M": 3, "R": 3}, {"name": "b", **layer})


@pytest.mark.parametrize(
    ("padding", "pads", "size"),
    [
        (1, (1, 1, 1, 1), (8, 6)),
        ([0, 1], (0, 1, 0, 1), (6, 6)),
        ([0, 0, 1, 1], (0, 0, 1, 1), (7, 5)),
        ([2, 0, 3, 1], (2, 0, 3, 1), (11, 5)),
    ],
)
def test_padding_may_differ_by_direction_and_side(padding, pads, size):
    (shape,) = network({"name": "a", "type": "conv", "M": 2, "R": 3, "padding": padding}).shapes()
    assert shape.layer.pads == pads
    assert (shape.ofmap.height, shape.ofmap.width) == size


def test_steps_may_differ_by_direction():
    layer = {"name": "a", "type": "conv", "M": 2, "R": 2, "stride": [1, 3], "dilation": [4, 2]}
    (shape,) = network(layer).shapes()
    assert (shape.layer.strides, shape.layer.dilations) == ((1, 3), (4, 2))
    assert (shape.ofmap.height, shape.ofmap.width) == (4, 2)


@pytest.mark.parametrize(
    ("key", "short", "long"),
    [("stride", 2, [2, 2]), ("padding", (1, 0), [1, 0, 1, 0]), ("padding", 2, (2, 2, 2, 2))],
)
def test_one_geometry_has_one_form(key, short, long):
    short, long = (
        network({"name": "a", "type": "conv", "M": 2, "R": 3, key: size}) for size in (short, long)
    )
    assert short == long
    assert short.to_yaml() == long.to_yaml()


@pytest.mark.parametrize(
    ("key", "size"),
    [
        ("stride", 0), ("stride", [1]), ("stride", [1, 0]), ("stride", True), ("stride", "2"),
        ("dilation", [1, 1, 1, 1]), ("padding", -1), ("padding", 65), ("padding", [1, 2, 3]),
        ("padding", [0, 0, 0, 65]), ("padding", 1.0),
    ],
)  # fmt: skip
def test_a_size_of_another_form_is_refused(key, size):
    with pytest.raises(InputError, match=rf"{key} = .*: must be a number from") as caught:
        network({"name": "a", "type": "conv", "M": 2, "R": 1, key: size})
    assert "\n" not in str(caught.value)


def test_the_text_of_a_network_reads_back(tmp_path):
    networks = [NetworkConfig.read(path) for path in sorted((CONFIGS / "network").glob("*.yaml"))]
    networks.append(
        network(
            {"name": "a", "type": "maxpool", "R": 3, "S": 2, "stride": 2, "ceil": True},
            {"name": "b", "type": "concat", "inputs": ["a", "a"]},
            {
                "name": "c",
                "type": "conv",
                "M": 2,
                "R": 2,
                "padding": [0, 1, 1, 0],
                "stride": [2, 1],
            },
            {"name": "no", "type": "fc", "M": 2, "relu": True, "relu_max": 1e-7},
        )
    )
    assert len(networks) > 7
    for config in networks:
        path = tmp_path / f"{config.name}.yaml"
        path.write_text(config.to_yaml())
        assert NetworkConfig.read(path) == config
