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
    ],
)
def test_a_layer_that_breaks_a_rule_is_refused(layer, rule):
    with pytest.raises(InputError, match=rule):
        network({"name": "a", "type": "conv", "M": 3, "R": 3}, {"name": "b", **layer})


def test_the_text_of_a_network_reads_back(tmp_path):
    networks = [NetworkConfig.read(path) for path in sorted((CONFIGS / "network").glob("*.yaml"))]
    networks.append(
        network(
            {"name": "a", "type": "maxpool", "R": 3, "S": 2, "stride": 2, "ceil": True},
            {"name": "b", "type": "concat", "inputs": ["a", "a"]},
            {"name": "no", "type": "fc", "M": 2, "relu": True, "relu_max": 1e-7},
        )
    )
    assert len(networks) > 7
    for config in networks:
        path = tmp_path / f"{config.name}.yaml"
        path.write_text(config.to_yaml())
        assert NetworkConfig.read(path) == config
