"""The shipped checkpoints are what they say: size, accuracy, structure, density."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from hwsim import datasets, golden
from hwsim.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.config.compress import CompressConfig
from hwsim.formats.codes import decode, encode
from hwsim.lowering import lower_weight
from hwsim.shipped import CHECKPOINTS

#: Name -> kind, bits and code of the weights, and what the float network reaches at least.
SHIPPED = {
    "lenet5_dense": ("dense", 8, "int", 0.99),
    "lenet5_structured": ("structured", 8, "int", 0.99),
    "lenet5_nonstructured": ("nonstructured", 8, "int", 0.99),
    "lenet5_nm_2x4": ("nm", 8, "int", 0.99),
    "lenet5_nm_1x4": ("nm", 8, "int", 0.99),
    "lenet5_structured_banked": ("structured", 8, "int", 0.99),
    "lenet5_nonstructured_w4": ("nonstructured", 4, "levels", 0.99),
    "lenet5_structured_w4": ("structured", 4, "int", 0.99),
    "lenet5_dense_ternary": ("dense", 2, "ternary", 0.99),
    "lenet5_dense_binary": ("dense", 1, "levels", 0.985),
    "lenet5_dense_pow2": ("dense", 4, "pow2", 0.99),
    "digits3x3_dense": ("dense", 8, "int", 0.985),
    "digits3x3_pattern": ("pattern", 8, "int", 0.98),
}
NAMES = list(SHIPPED)


@pytest.fixture(scope="module")
def lenet5():
    return NetworkConfig.read("lenet5")


def network_of(name: str) -> NetworkConfig:
    """Network of a checkpoint: the first word of its name."""
    return NetworkConfig.read(name.partition("_")[0])


def read(name: str, network: NetworkConfig) -> Checkpoint:
    return Checkpoint.read(CHECKPOINTS / f"{name}.safetensors", network)


def matrices(checkpoint: Checkpoint, network: NetworkConfig) -> dict[str, np.ndarray]:
    """``(M, K)`` weights by layer name."""
    shapes = [shape for shape in network.shapes() if shape.has_weights]
    return {
        s.layer.name: lower_weight(s, checkpoint.layers[s.layer.name].weight)[0] for s in shapes
    }


def test_these_checkpoints_ship():
    assert {path.stem for path in CHECKPOINTS.glob("*.safetensors")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_size_origin_and_accuracy_are_as_promised(name):
    checkpoint = read(name, network_of(name))
    info = checkpoint.info
    assert (CHECKPOINTS / f"{name}.safetensors").stat().st_size < 500_000
    assert info["command"] == f"hwsim compress {name}"
    assert parse(CompressConfig, info["recipe"], name) == CompressConfig.read(name)
    kind, bits, code, floor = SHIPPED[name]
    assert info["kind"] == kind
    assert info["test_images"] == 10_000
    assert info["accuracy_float"] >= floor
    assert info["accuracy"] >= info["accuracy_float"] - 0.002
    assert info["kept"] == checkpoint.density
    for layer in checkpoint.layers.values():
        assert (layer.weight_bits, layer.weight_code) == (bits, code)
    rows = list(csv.DictReader((CHECKPOINTS / f"{name}.csv").read_text().splitlines()))
    assert float(rows[-1]["train_accuracy"]) > floor


@pytest.mark.parametrize("name", NAMES)
def test_recorded_accuracy_is_reached_on_the_shipped_images(name):
    network = network_of(name)
    checkpoint = read(name, network)
    images, labels = datasets.shipped("mnist")
    assert checkpoint.info["shipped_images"] == len(labels) == 1000
    reached = golden.accuracy(network, checkpoint, images, labels)
    assert reached == checkpoint.info["accuracy_shipped"]


def test_structured_has_whole_rows_and_columns_of_zeros(lenet5):
    checkpoint = read("lenet5_structured", lenet5)
    kept = 0
    for name, weight in matrices(checkpoint, lenet5).items():
        rows, columns = weight.any(axis=1), weight.any(axis=0)
        inside = weight[rows][:, columns]
        kept += inside.size
        # what is left is dense but for codes that round to 0
        assert np.count_nonzero(inside) > 0.9 * inside.size
        assert columns.sum() < weight.shape[1]
        assert rows.sum() < weight.shape[0] or name == "fc2"
    assert 6 <= 430_500 / kept <= 10


def test_structured_removals_meet_across_layers(lenet5):
    checkpoint = read("lenet5_structured", lenet5)
    weight = {name: layer.weight for name, layer in checkpoint.layers.items()}
    for name, reads in (
        ("conv1", weight["conv2"].any(axis=(0, 2, 3))),
        ("conv2", weight["fc1"].reshape(500, 50, 16).any(axis=(0, 2))),
        ("fc1", weight["fc2"].any(axis=0)),
    ):
        rows = weight[name].reshape(len(weight[name]), -1).any(axis=1)
        np.testing.assert_array_equal(rows, reads)
        assert not checkpoint.layers[name].bias[~rows].any()


def test_nonstructured_keeps_about_a_twelfth(lenet5):
    checkpoint = read("lenet5_nonstructured", lenet5)
    assert 11.5 <= 1 / checkpoint.density <= 13.5
    expected = {"conv1": 0.66, "conv2": 0.12, "fc1": 0.08, "fc2": 0.19}
    for name, density in expected.items():
        assert checkpoint.layers[name].density == pytest.approx(density, abs=0.03)


@pytest.mark.parametrize(("name", "n"), [("lenet5_nm_2x4", 2), ("lenet5_nm_1x4", 1)])
def test_nm_holds_in_every_block_of_the_arrays_order(name, n, lenet5):
    """K is (r, s, c); conv1's 25 positions end in a block of one."""
    for layer, weight in matrices(read(name, lenet5), lenet5).items():
        short = -weight.shape[1] % 4
        assert short == (3 if layer == "conv1" else 0)
        blocks = np.pad(weight, ((0, 0), (0, short))).reshape(len(weight), -1, 4)
        kept = np.count_nonzero(blocks, axis=2)
        assert kept.max() == n
        # nearly every block is full but for codes that round to 0, and neurons that nobody reads
        full = kept[weight.any(axis=1), : weight.shape[1] // 4] == n
        assert full.mean() > 0.9


def test_banked_keeps_as_many_columns_in_each_bank(lenet5):
    checkpoint = read("lenet5_structured_banked", lenet5)
    expected = {"conv1": (3, 10), "conv2": (20, 25), "fc1": (35, 160), "fc2": (20, 10)}
    for name, weight in matrices(checkpoint, lenet5).items():
        columns = weight.any(axis=0)
        banks = [int(columns[bank::8].sum()) for bank in range(8)]
        count, rows = expected[name]
        assert banks == [count] * 8
        assert int(weight.any(axis=1).sum()) <= rows


@pytest.mark.parametrize("name", [name for name in NAMES if SHIPPED[name][2] != "int"])
def test_every_stored_weight_has_a_code(name, lenet5):
    """Where nothing is pruned every weight is stored: no zero where the code has none."""
    for layer in read(name, lenet5).layers.values():
        pruned = SHIPPED[name][0] == "nonstructured"
        stored = layer.weight[layer.weight != 0] if pruned else layer.weight
        np.testing.assert_array_equal(decode(encode(stored, layer.numbers), layer.numbers), stored)


@pytest.mark.parametrize("kind", ["structured", "nonstructured"])
def test_four_bits_keep_the_zeros_of_eight(kind, lenet5):
    wide, narrow = read(f"lenet5_{kind}", lenet5), read(f"lenet5_{kind}_w4", lenet5)
    for name, layer in narrow.layers.items():
        absent = wide.layers[name].weight == 0
        assert not layer.weight[absent].any()
        if kind == "nonstructured":
            assert layer.weight[~absent].all()
    assert narrow.info["accuracy"] >= wide.info["accuracy"] - 0.003


def test_kernels_keep_four_taps_in_one_of_eight_ways():
    checkpoint = read("digits3x3_pattern", network_of("digits3x3_pattern"))
    for name in ("conv1", "conv2", "conv3"):
        weight = checkpoint.layers[name].weight
        kernels = (weight != 0).reshape(-1, 9)
        assert kernels.sum(axis=1).max() == 4
        full = kernels[kernels.sum(axis=1) == 4]
        assert full[:, 4].all()  # the centre
        assert len(np.unique(full, axis=0)) <= 8
        kept = kernels.any(axis=1).mean()
        assert kept <= (1 if name == "conv1" else 0.5)
