"""Topologies of SCALE-Sim: independent layers, read or refused by line."""

from __future__ import annotations

import pytest

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.engine import network as engine
from hwsim.errors import InputError
from hwsim.inference import golden

CONV = """\
Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,
Conv1, 11, 12, 3, 5, 4, 8, 2,

Conv1, 8, 8, 1, 1, 16, 4, 1, 2:4,
FC 6, 1, 1, 1, 1, 20, 10, 1,
"""
GEMM = "Layer,M,N,K\na,7,5,3\n1b,2,9,4,\n"


def read(tmp_path, text, name="net.csv"):
    path = tmp_path / name
    path.write_text(text)
    return NetworkConfig.read(path)


def test_each_layer_has_an_input_of_its_own(tmp_path):
    network = read(tmp_path, CONV, "My Net-2.CSV")
    assert network.name == "my_net_2"
    shapes = network.shapes()
    assert [shape.layer.name for shape in shapes] == ["Conv1", "Conv1_2", "FC_6"]
    assert [(s.M, s.K, s.pixels) for s in shapes] == [(8, 60, 5 * 4), (4, 16, 64), (10, 20, 1)]
    assert shapes[1].layer.weight_density == 0.5
    # all inputs and all outputs pass the border
    assert network.border == 4 * 132 + 16 * 64 + 20 + 8 * 20 + 4 * 64 + 10


def test_a_product_has_the_names_of_scale_sim(tmp_path):
    """M x K times K x N: their M are our pixels, their N our filters."""
    shapes = read(tmp_path, GEMM).shapes()
    assert [(s.layer.name, s.M, s.K, s.pixels) for s in shapes] == [
        ("a", 5, 3, 7), ("layer_1b", 9, 4, 2),
    ]  # fmt: skip


def test_cycles_are_those_of_the_layers_alone(tmp_path):
    design = ArchConfig.read("dense_8x8_ws")
    lines = CONV.splitlines()
    whole = engine.simulate(design, read(tmp_path, CONV), images=2)
    for index, line in enumerate([lines[1], lines[3], lines[4]]):
        alone = engine.simulate(design, read(tmp_path, f"{lines[0]}\n{line}"), images=2)
        assert alone.layers[0].shape == whole.layers[index].shape
        assert alone.layers[0].cycles == whole.layers[index].cycles


def test_a_network_reads_back_from_yaml(tmp_path):
    network = read(tmp_path, CONV)
    (tmp_path / "again.yaml").write_text(network.to_yaml())
    assert NetworkConfig.read(tmp_path / "again.yaml") == network


def test_independent_layers_have_no_inference(tmp_path):
    network = read(tmp_path, GEMM)
    with pytest.raises(InputError, match=r"layers\.layer_1b\.ifmap: must be absent: independent"):
        golden.run(network, Checkpoint("net", {}, {}), [])


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("", "must be a SCALE-Sim topology: a name, then ifmap height"),
        ("Layer,M,N\na,1,2", "must be a SCALE-Sim topology"),
        ("Layer,M,N,K", "must have layers"),
        ("Layer,M,N,K\na,7,x,3", "line 2, N = 'x': must be a whole number above 0"),
        ("Layer,M,N,K\na,7,5,0", "line 2, K = '0': must be a whole number above 0"),
        ("Layer,M,N,K\n\na,7,5", "line 3, K = '': must be a whole number above 0"),
        ("Layer,M,N,K\na,7,5,3,4:2", "line 2, sparsity = '4:2': must be n:m"),
        (CONV.replace("11, 12", "2, 12"), "layers.Conv1: a window of 3 must fit the padded input"),
    ],
)
def test_what_is_no_topology_is_refused(tmp_path, text, line):
    with pytest.raises(InputError) as caught:
        read(tmp_path, text)
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "layer"),
    [
        ("inputs", {"name": "b", "type": "conv", "M": 2, "R": 1, "inputs": ["a"]}),
        ("type", {"name": "b", "type": "globalavgpool"}),
    ],
)
def test_only_layers_with_weights_have_inputs_of_their_own(key, layer):
    layers = [{"name": "a", "type": "conv", "M": 2, "R": 1}, layer | {"ifmap": {"channels": 3}}]
    raw = {"name": "net", "input": {"channels": 2}, "layers": layers}
    with pytest.raises(ValueError, match="ifmap must be absent but for a conv or fc layer"):
        NetworkConfig.model_validate(raw)
