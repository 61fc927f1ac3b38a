"""Synthetic checkpoints: as many weights as published, where the structure allows them."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

from hwsim import cli
from hwsim.checkpoints import synthetic
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.config.jobs.compress import CompressConfig
from hwsim.config.jobs.storage import StorageConfig
from hwsim.config.jobs.synthetic import SyntheticConfig, read_recipe
from hwsim.errors import InputError
from hwsim.formats import codes
from hwsim.inference.operands import on_random_acts
from hwsim.workload.lowering import lower_weight

PUBLISHED = {row.name: row for row in StorageConfig.read("admm_nn").rows}


def recipe(kind="nonstructured", name="made", network="lenet5", row="LeNet-5", seed=1, **more):
    section = {"sizes": {"table": "admm_nn", "row": row}, "note": "a test", "act_density": 0.4}
    raw = {"name": name, "kind": kind, "network": network, "seed": seed}
    return parse(SyntheticConfig, raw | {"synthetic": section | more}, "recipe")


def lowered(checkpoint):
    """Name -> non-zero masks ``(M, K)`` of each group."""
    network = NetworkConfig.read(checkpoint.network)
    return {
        shape.layer.name: [w != 0 for w in lower_weight(shape, weight)]
        for shape in network.shapes()
        if shape.has_weights
        for weight in [checkpoint.layers[shape.layer.name].weight]
    }


def test_non_structured_layers_keep_what_is_published(tmp_path):
    made = synthetic.make(recipe(), tmp_path, command="c")
    for layer in PUBLISHED["LeNet-5"].layers:
        weight = made.layers[layer.name].weight
        assert np.count_nonzero(weight) == round(layer.kept * weight.size), layer.name
        assert made.layers[layer.name].weight_bits == layer.weight_bits
    assert Checkpoint.read(tmp_path / "made.safetensors").info == made.info


def test_values_are_the_levels_of_the_layer_each_as_likely(tmp_path):
    made = synthetic.make(recipe(layers={"*": 0.5}), tmp_path, command="c")
    for name, layer in made.layers.items():
        levels = codes.levels(layer.numbers)
        values, times = np.unique(layer.weight[layer.weight != 0], return_counts=True)
        assert set(values) <= set(levels[levels != 0].tolist()), name
        if layer.weight.size > 10_000:
            assert len(values) == np.count_nonzero(levels), name
            assert times.max() < 1.3 * times.min(), name


def test_structured_layers_are_rows_times_columns(tmp_path):
    made = synthetic.make(recipe("structured", layers={"*": 0.25}), tmp_path, command="c")
    for name, (mask,) in lowered(made).items():
        rows, columns = mask.any(axis=1), mask.any(axis=0)
        assert (mask == rows[:, None] & columns).all(), name
        expected = len(rows) if name == "fc2" else round(0.5 * len(rows))
        assert rows.sum() == expected, name  # the classes stay
        assert mask.mean() == pytest.approx(0.25, abs=0.02), name


def test_groups_are_structured_one_by_one(tmp_path):
    config = read_recipe("published_alexnet_structured")
    masks = lowered(synthetic.make(config, tmp_path, command="c"))["conv2"]
    assert len(masks) == 2
    assert not (masks[0].any(axis=0) == masks[1].any(axis=0)).all()
    for mask in masks:
        assert (mask == mask.any(axis=1)[:, None] & mask.any(axis=0)).all()
        assert mask.mean() == pytest.approx(1 / 4.8, rel=0.02)


@pytest.mark.parametrize(("n", "m"), [(2, 4), (1, 4), (2, 8)])
def test_every_block_of_m_keeps_n(tmp_path, n, m):
    made = synthetic.make(recipe("nm", nm={"n": n, "m": m}), tmp_path, command="c")
    for name, (mask,) in lowered(made).items():
        whole = mask[:, : mask.shape[1] // m * m].reshape(len(mask), -1, m)
        assert (whole.sum(axis=2) == n).all(), name
        assert mask[:, whole[0].size :].sum(axis=1).max(initial=0) <= n, name
        ways = {tuple(row) for row in whole.reshape(-1, m).tolist()}
        if whole.size > 10_000:
            assert len(ways) == len(list(combinations(range(m), n))), name


@pytest.fixture
def three_by_three(tmp_path):
    """A network with a 3x3 layer, and a table with its sizes."""
    network = {
        "name": "small", "input": {"channels": 8, "height": 12, "width": 12},
        "layers": [
            {"name": "conv1", "type": "conv", "M": 40, "R": 3, "padding": 1},
            {"name": "conv2", "type": "conv", "M": 16, "R": 1},
            {"name": "fc", "type": "fc", "M": 10},
        ],
    }  # fmt: skip
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(network))
    total = 40 * 8 * 9 + 40 * 16 + 16 * 144 * 10
    row = {
        "name": "all", "network": str(tmp_path / "small.yaml"),
        "published": {"weights": 1.0, "data_kb": 1.0, "indexed_kb": 1.0},
        "uniform": {"kept_weights": total // 5, "weight_bits": 4},
    }  # fmt: skip
    table = {"name": "sizes", "title": "t", "source": "s", "rows": [row]}
    (tmp_path / "sizes.yaml").write_text(yaml.safe_dump(table))
    return tmp_path


def small(folder, kind, **more):
    section = {
        "sizes": {"table": str(folder / "sizes.yaml"), "row": "all"},
        "note": "a test",
        "act_density": 0.5,
    } | more
    raw = {"name": "made", "kind": kind, "network": str(folder / "small.yaml"), "seed": 1}
    return parse(SyntheticConfig, raw | {"synthetic": section}, "recipe")


def test_kernels_keep_four_taps_in_few_ways_or_go(three_by_three, tmp_path):
    config = small(three_by_three, "pattern", patterns=3)
    made = synthetic.make(config, tmp_path, command="c")
    kernels = made.layers["conv1"].weight.reshape(-1, 9) != 0
    kept = kernels[kernels.any(axis=1)]
    assert (kept.sum(axis=1) == 4).all()
    assert kept[:, 4].all()
    assert len({tuple(kernel) for kernel in kept.tolist()}) == 3
    # as many kernels as give the density: one weight of five
    assert len(kept) == round(0.2 * len(kernels) * 9 / 4)
    for name in ("conv2", "fc"):
        assert made.layers[name].density == pytest.approx(0.2, abs=0.001), name
        assert made.layers[name].weight_code == "int", name


def test_layers_that_are_not_3x3_may_lose_filters_and_columns(three_by_three, tmp_path):
    config = small(three_by_three, "pattern", patterns=3, others="structured")
    made = synthetic.make(config, tmp_path, command="c")
    for name in ("conv2", "fc"):
        weight = made.layers[name].weight
        kept = weight.reshape(len(weight), -1) != 0
        rows, columns = kept.any(axis=1), kept.any(axis=0)
        assert (kept == rows[:, None] & columns).all(), name
        assert kept.mean() == pytest.approx(0.2, abs=0.01), name
    kernels = made.layers["conv1"].weight.reshape(-1, 9) != 0
    assert set(kernels.sum(axis=1)) == {0, 4}


def test_a_density_that_patterns_cannot_have_keeps_every_kernel(three_by_three, tmp_path):
    config = small(three_by_three, "pattern", patterns=8, layers={"conv1": 0.9})
    made = synthetic.make(config, tmp_path, command="c")
    assert made.layers["conv1"].density == pytest.approx(4 / 9)


def test_a_profile_is_scaled_to_the_published_sum(three_by_three):
    config = small(three_by_three, "nonstructured", profile={"conv*": 0.4, "fc": 0.1})
    kept = {shape.layer.name: layer.kept for shape, layer in config.kept_layers()}
    assert kept["conv1"] == kept["conv2"] == pytest.approx(4 * kept["fc"])
    total = sum(layer.kept * shape.weights for shape, layer in config.kept_layers())
    assert total == pytest.approx((40 * 8 * 9 + 40 * 16 + 16 * 144 * 10) // 5)


@pytest.mark.parametrize(
    ("name", "row"),
    [
        ("published_vgg16_nonstructured", "VGG-16"),
        ("published_vgg16_structured", "VGG-16"),
        ("published_resnet50_nonstructured", "ResNet-50"),
        ("published_resnet50_nonstructured_17x", "ResNet-50, 2 % loss"),
        ("published_alexnet_nonstructured", None),
    ],
)
def test_shipped_recipes_keep_the_published_number_of_weights(name, row):
    kept = sum(layer.kept * shape.weights for shape, layer in read_recipe(name).kept_layers())
    published = 2.47e6 if row is None else PUBLISHED[row].published.weights
    assert kept == pytest.approx(published, rel=0.002)


def test_the_same_recipe_gives_the_same_bytes(tmp_path):
    for folder in ("a", "b"):
        synthetic.make(recipe(), tmp_path / folder, command="c")
    synthetic.make(recipe(seed=2), tmp_path / "c", command="c")
    a, b, c = ((tmp_path / f / "made.safetensors").read_bytes() for f in "abc")
    assert a == b
    assert a != c


def test_what_was_made_by_the_same_recipe_is_found(tmp_path):
    assert synthetic.find_made(recipe(), tmp_path) is None
    made = synthetic.make(recipe(), tmp_path, command="c")
    read = synthetic.find_made(recipe(), tmp_path)
    assert read is not None
    assert read.info == made.info
    assert synthetic.find_made(recipe(seed=2), tmp_path) is None


def test_activations_are_random_but_for_the_images(tmp_path):
    made = synthetic.make(recipe(), tmp_path, command="c")
    network = NetworkConfig.read("lenet5")
    operands = on_random_acts(network, made, 3, seed=7)
    assert {name: layer.groups for name, layer in operands.items()} == dict.fromkeys(made.layers, 1)
    assert (operands["conv1"].gemms()[0].act != 0).all()
    (conv2,) = operands["conv2"].gemms()
    assert (conv2.K, conv2.N) == (500, 3 * 64)
    assert np.count_nonzero(conv2.act) / conv2.act.size == pytest.approx(0.4, abs=0.02)
    # one ifmap behind the windows: tap (0, 1) at a pixel is tap (0, 0) at the next
    taps = conv2.act.reshape(5, 5, 20, 3, 8, 8)
    assert (taps[0, 1, :, :, :, :-1] == taps[0, 0, :, :, :, 1:]).all()
    again = on_random_acts(network, made, 3, seed=7, act_density=1.0)
    assert (again["fc1"].gemms()[0].act != 0).all()


def test_a_file_without_a_density_of_activations_is_refused(tmp_path):
    made = synthetic.make(recipe(), tmp_path, command="c")
    network = NetworkConfig.read("lenet5")
    for density in (None, 0.0, 1.5, "half"):
        made.info["act_density"] = density
        with pytest.raises(InputError, match=r"info\.act_density.*must be a fraction above 0"):
            on_random_acts(network, made, 1)


@pytest.mark.parametrize(("kind", "bits"), [("nonstructured", 9), ("pattern", 1)])
def test_widths_that_no_file_holds_are_refused(three_by_three, tmp_path, kind, bits):
    table = (three_by_three / "sizes.yaml").read_text()
    (three_by_three / "sizes.yaml").write_text(
        table.replace("weight_bits: 4", f"weight_bits: {bits}")
    )
    more = {"patterns": 8} if kind == "pattern" else {}
    with pytest.raises(InputError, match=rf"conv1 = {bits}: must have weights of \d\.\.8 bits"):
        synthetic.make(small(three_by_three, kind, **more), tmp_path, command="c")


def test_recipes_are_told_apart_by_their_section():
    assert isinstance(read_recipe("published_vgg16_pattern"), SyntheticConfig)
    assert isinstance(read_recipe("lenet5_dense"), CompressConfig)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: recipe(row="LeNet-6"), "rows = 'LeNet-6': must be one of: LeNet-5, AlexNet"),
        (lambda: recipe(row="AlexNet"), "must be a row of network lenet5, not alexnet"),
        (lambda: recipe(layers={"conv9": 0.5}), "'conv9': must match a layer with weights"),
        (lambda: recipe(layers={"conv1": 1.5}), "conv1 = 1.5"),
        (lambda: recipe(profile={"*": 0.5}), "must be absent: LeNet-5 has a density for each"),
        (lambda: recipe("nm"), "synthetic.nm must be given for kind nm"),
        (lambda: recipe(nm={"n": 2, "m": 4}), "synthetic.nm must be absent for kind nonstr"),
        (lambda: recipe("pattern"), "synthetic.patterns must be given for kind pattern"),
        (lambda: recipe(others="structured"), "synthetic.others must be absent for kind nonstr"),
        (
            lambda: recipe("nm", nm={"n": 2, "m": 4}, layers={"fc1": 0.5}),
            "profile and layers must be absent for kind nm",
        ),
        (
            lambda: recipe(network="vgg16", row="VGG-16", profile={"conv*": 0.5}),
            "synthetic.profile = 'fc6': must match every layer",
        ),
        (
            lambda: recipe(network="vgg16", row="VGG-16", profile={"conv1_1": 1, "*": 0.01}),
            "synthetic.profile.conv1_1 = 1.0: must be at most 0.2",
        ),
    ],
)
def test_bad_recipes_are_one_line(make, message):
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        make().kept_layers()
    assert message in str(caught.value)


@pytest.fixture
def hwsim(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        result = CliRunner().invoke(cli.app, [str(a) for a in arguments])
        if isinstance(result.exception, InputError):
            return 2, str(result.exception)
        assert result.exception is None or isinstance(result.exception, SystemExit), (
            result.exception
        )
        return result.exit_code, result.stdout

    return run


@pytest.fixture
def drawn(hwsim, tmp_path):
    """A synthetic LeNet-5 where ``hwsim compress`` puts it."""
    raw = recipe(name="random_lenet5").model_dump(mode="json", exclude_none=True)
    (tmp_path / "random_lenet5.yaml").write_text(yaml.safe_dump(raw))
    code, out = hwsim("compress", tmp_path / "random_lenet5.yaml")
    assert code == 0
    assert "random_lenet5 (synthetic weights)" in out
    return "random_lenet5"


def test_every_command_marks_them(hwsim, drawn):
    code, out = hwsim("simulate", "csc_4x16", "lenet5", "--checkpoint", drawn)
    assert code == 0
    assert "random_lenet5 (synthetic weights), random activations, seed 0" in " ".join(out.split())
    code, out = hwsim("simulate", "csc_4x16", "lenet5", "--checkpoint", drawn, "--json")
    assert json.loads(out)["operands"] == "random_lenet5 (synthetic weights)"
    code, out = hwsim("storage", drawn, "--arch", "csc_4x16")
    assert code == 0
    assert "random_lenet5 (synthetic weights): bits in total" in " ".join(out.split())
    code, out = hwsim("storage", "lenet5", "--arch", "csc_4x16")
    assert "lenet5 (synthetic weights): bits in total" in " ".join(out.split())
    code, out = hwsim("breakeven", "csc_4x16", "lenet5:fc2", "--checkpoint", drawn, "--json")
    (layer,) = json.loads(out)["layers"]
    assert layer["activations"] == "those of random_lenet5 (synthetic weights)"


def test_they_are_drawn_once(hwsim, drawn, tmp_path):
    code, out = hwsim("compress", tmp_path / "random_lenet5.yaml", "--json")
    (document,) = json.loads(out)["checkpoints"]
    assert (code, document["status"]) == (0, "found")
    code, out = hwsim("compress", tmp_path / "random_lenet5.yaml", "--fresh", "--json")
    assert json.loads(out)["checkpoints"][0]["status"] == "made"


def test_images_are_refused(hwsim, drawn, tmp_path):
    code, error = hwsim(
        "simulate", "csc_4x16", "lenet5", "--checkpoint", drawn, "--inputs", "images.npy"
    )
    assert code == 2
    assert "inputs = 'images.npy': must be absent: synthetic weights" in error
