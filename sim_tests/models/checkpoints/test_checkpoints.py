"""The shipped checkpoints agree with what they record: recipe, size, accuracy, structure, codes."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import CHECKPOINTS
from hwsim.config import ArchConfig, LayerShape, NetworkConfig
from hwsim.config.base import parse
from hwsim.config.jobs.compress import CompressConfig
from hwsim.datasets import load as datasets
from hwsim.formats.codes import decode, encode
from hwsim.inference import golden
from hwsim.workload.lowering import lower_weight

NAMES = sorted(path.stem for path in CHECKPOINTS.glob("*.safetensors"))

#: What has to ship, and what its integers reach at least on the 10,000 test images.
PROMISED = {
    "lenet5_dense": 0.991,
    **{f"lenet5_nonstructured_85x{seed}": 0.991 for seed in ("", "_s1", "_s2")},
    **{f"lenet5_nonstructured_167x{seed}": 0.99 for seed in ("", "_s1", "_s2")},
    "lenet5_nonstructured_348x": 0.986,
    "lenet5_gradual_280x": 0.992,
    "lenet5_gradual_348x": 0.99,
    "lenet5_gradual_348x_q": 0.99,
    "lenet5_nonstructured_q": 0.988,
    "lenet5_structured_80x": 0.99,
    "lenet5_structured_232x": 0.98,
    "lenet5_structured_q": 0.989,
    **{f"lenet5_nm_{n}x{m}": 0.994 for n, m in ((2, 4), (1, 4), (2, 8))},
    "lenet5_dense_binary": 0.9892,
    "lenet5_dense_pow2": 0.994,
    "lenet5_fashion_dense": 0.905,
    "vgg6_fashion_dense": 0.93,
    "vgg6_fashion_pattern_5x": 0.925,
}


def recipe_of(name: str) -> CompressConfig:
    return CompressConfig.read(name)


def read(name: str) -> tuple[Checkpoint, NetworkConfig]:
    network = NetworkConfig.read(recipe_of(name).network)
    return Checkpoint.read(CHECKPOINTS / f"{name}.safetensors", network), network


def matrices(name: str) -> dict[str, np.ndarray]:
    """``(M, K)`` weights by layer name."""
    checkpoint, network = read(name)
    shapes = [shape for shape in network.shapes() if shape.has_weights]
    return {
        s.layer.name: lower_weight(s, checkpoint.layers[s.layer.name].weight)[0] for s in shapes
    }


def pruned(kind: str) -> list[str]:
    """Names of the checkpoints that were pruned to a kind of constraint."""
    return [name for name in NAMES if recipe_of(name).kind == kind and recipe_of(name).prune]


@pytest.mark.parametrize("name", PROMISED)
def test_what_is_promised_ships_and_is_as_accurate(name):
    assert name in NAMES
    assert read(name)[0].info["accuracy"] >= PROMISED[name]


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_is_what_its_recipe_makes(name):
    checkpoint, _ = read(name)
    recipe, info = recipe_of(name), checkpoint.info
    assert parse(CompressConfig, info["recipe"], name) == recipe
    assert info["command"] == f"hwsim compress {name}"
    assert (info["kind"], info["test_images"]) == (recipe.kind, 10_000)
    assert info["kept"] == checkpoint.density
    assert abs(info["accuracy"] - info["accuracy_float"]) <= 0.005
    assert (CHECKPOINTS / f"{name}.safetensors").stat().st_size < 500_000
    for layer, weights in checkpoint.layers.items():
        numbers = recipe.quantize.of(layer)
        assert (weights.weight_bits, weights.weight_code) == (
            numbers.weight_width, numbers.weight_code,
        )  # fmt: skip
    rows = list(csv.DictReader((CHECKPOINTS / f"{name}.csv").read_text().splitlines()))
    prune, levels = recipe.prune, recipe.quantize
    assert bool(rows) == any((recipe.train, prune, levels.fix, levels.train))


@pytest.mark.parametrize("name", NAMES)
def test_recorded_accuracy_is_reached_on_the_shipped_images(name):
    checkpoint, network = read(name)
    images, labels = datasets.shipped(recipe_of(name).dataset)
    assert checkpoint.info["shipped_images"] == len(labels) == 1000
    reached = golden.accuracy(network, checkpoint, images, labels)
    assert reached == checkpoint.info["accuracy_shipped"]


@pytest.mark.parametrize("name", NAMES)
def test_every_log_has_what_a_run_goes_through(name):
    """Accuracies and losses are in range; ADMM's residuals end smaller than they begin."""
    recipe = recipe_of(name)
    rows = list(csv.DictReader((CHECKPOINTS / f"{name}.csv").read_text().splitlines()))
    for row in rows:
        assert 0 < float(row["heldout_accuracy"]) <= 1
        assert float(row["loss"]) > 0
    split = recipe.prune.admm if recipe.prune else recipe.quantize.admm
    if split is None:
        return
    residuals = [row for row in rows if row["rho"]]
    assert len(residuals) >= split.iterations
    layers = [key for key in rows[0] if key.startswith("primal_")]
    assert layers
    first, last = (sum(float(row[key]) for key in layers) for row in (residuals[0], residuals[-1]))
    assert last < first


@pytest.mark.parametrize("name", pruned("structured"))
def test_structured_has_whole_rows_and_columns_of_zeros(name):
    """The remaining matrix is dense except for codes that round to 0; its size is the recipe's."""
    recipe = recipe_of(name)
    # what is left fills an array: the nearest multiple of its rows and columns
    array = None if recipe.prune.fill is None else ArchConfig.read(recipe.prune.fill).array
    spare = (0, 0) if array is None else (array.cols // 2, array.rows // 2)
    for layer, weight in matrices(name).items():
        rows, columns = weight.any(axis=1), weight.any(axis=0)
        inside = weight[rows][:, columns]
        assert np.count_nonzero(inside) > 0.8 * inside.size
        constraint = recipe.prune.layers.get(layer)
        if constraint is not None and constraint.filters is not None:
            assert rows.sum() <= round(constraint.filters * len(rows)) + spare[0]
        if constraint is not None and constraint.columns is not None:
            assert columns.sum() <= round(constraint.columns * len(columns)) + spare[1]


def handed_on(network: NetworkConfig) -> list[tuple[LayerShape, LayerShape]]:
    """Layers whose filters one other layer with weights reads, and no sum."""
    shapes = {shape.layer.name: shape for shape in network.shapes()}
    readers: dict[str, list[str]] = {name: [] for name in shapes}
    for before, (name, shape) in zip((None, *shapes), shapes.items(), strict=False):
        for source in shape.layer.inputs or (before,):
            if source is not None:
                readers[source].append(name)
    pairs = []
    for name, shape in shapes.items():
        following = readers[name]
        while len(following) == 1 and shapes[following[0]].layer.type in ("maxpool", "avgpool"):
            following = readers[following[0]]
        if shape.has_weights and len(following) == 1 and shapes[following[0]].has_weights:
            pairs.append((shape, shapes[following[0]]))
    return pairs


@pytest.mark.parametrize("name", pruned("structured") + pruned("nonstructured"))
def test_removals_meet_across_layers(name):
    """Every filter that is kept is read, and no removed filter is read.

    Rounding to integers comes after, so a filter or its readers may be all zeros by chance: what
    is held to is that nothing stands on a filter without weights.
    """
    checkpoint, network = read(name)
    pairs = handed_on(network)
    assert pairs
    for shape, following in pairs:
        here = checkpoint.layers[shape.layer.name]
        after = checkpoint.layers[following.layer.name].weight
        alive = here.weight.reshape(len(here.weight), -1).any(axis=1)
        channels = after.reshape(len(after), len(alive), -1)
        reads = channels.any(axis=(0, 2))
        assert not here.bias[~alive & ~reads].any()
        assert not (reads & ~alive & (here.bias == 0)).any()


@pytest.mark.parametrize("name", pruned("nonstructured"))
def test_nonstructured_keeps_at_most_its_fractions(name):
    checkpoint, _ = read(name)
    searched = checkpoint.info.get("hardware_aware", {}).get("kept", {})
    assert bool(searched) == (recipe_of(name).hardware_aware is not None)
    for layer, constraint in recipe_of(name).prune.layers.items():
        weight = checkpoint.layers[layer].weight
        allowed = searched.get(layer, round(constraint.unstructured * weight.size))
        assert np.count_nonzero(weight) <= allowed
    budget = recipe_of(name).prune.budget
    if budget is not None:
        total = sum(layer.weight.size for layer in checkpoint.layers.values())
        assert round(checkpoint.density * total) <= round(budget.unstructured * total)


@pytest.mark.parametrize("name", pruned("nm"))
def test_nm_holds_in_every_block_of_the_arrays_order(name):
    """K is (r, s, c); the last block of a row may be short."""
    for layer, weight in matrices(name).items():
        constraint = recipe_of(name).prune.layers.get(layer)
        if constraint is None:
            continue
        nm = constraint.nm
        short = -weight.shape[1] % nm.m
        blocks = np.pad(weight, ((0, 0), (0, short))).reshape(len(weight), -1, nm.m)
        assert np.count_nonzero(blocks, axis=2).max() <= nm.n


@pytest.mark.parametrize("name", [n for n in pruned("structured") if n.endswith("_banked")])
def test_banked_keeps_as_many_columns_in_each_bank(name):
    for layer, weight in matrices(name).items():
        banks = recipe_of(name).prune.layers[layer].banks
        columns = weight.any(axis=0)
        assert len({int(columns[bank::banks].sum()) for bank in range(banks)}) == 1


@pytest.mark.parametrize("name", pruned("pattern"))
def test_kernels_keep_four_taps_in_one_of_the_librarys_ways(name):
    checkpoint, _ = read(name)
    for layer, constraint in recipe_of(name).prune.layers.items():
        if constraint.pattern is None:
            continue
        kernels = (checkpoint.layers[layer].weight != 0).reshape(-1, 9)
        assert kernels.sum(axis=1).max() == 4
        full = kernels[kernels.sum(axis=1) == 4]
        assert len(np.unique(full, axis=0)) <= constraint.pattern.patterns
        # connectivity is of groups of filters
        filters, channels = checkpoint.layers[layer].weight.shape[:2]
        groups = kernels.reshape(filters // constraint.pattern.group, -1, channels, 9)
        kept = groups.any(axis=(1, 3))
        assert kept.sum() <= round(constraint.pattern.kernels * kept.size)


@pytest.mark.parametrize("name", NAMES)
def test_every_stored_weight_has_a_code(name):
    """Where nothing is pruned, every weight is stored: none is 0 if the code has no zero."""
    checkpoint, _ = read(name)
    for layer in checkpoint.layers.values():
        absent = recipe_of(name).kind != "dense"
        stored = layer.weight[layer.weight != 0] if absent else layer.weight
        np.testing.assert_array_equal(decode(encode(stored, layer.numbers), layer.numbers), stored)


@pytest.mark.parametrize("name", [name for name in NAMES if name.endswith("_w4")])
def test_four_bits_keep_the_zeros_of_eight(name):
    narrow, wide = read(name)[0], read(recipe_of(name).start)[0]
    if recipe_of(name).kind == "dense":
        return
    for layer, weights in narrow.layers.items():
        absent = wide.layers[layer].weight == 0
        assert not weights.weight[absent].any()
        if weights.weight_code == "levels":
            assert np.count_nonzero(weights.weight) >= 0.98 * np.count_nonzero(~absent)
