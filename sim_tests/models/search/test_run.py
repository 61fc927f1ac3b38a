"""Hardware-aware recipes end to end: training, simulator and search, on 240 images."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
import yaml

from hwsim.arrays.base import array_model
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import ArchConfig
from hwsim.config.base import parse
from hwsim.config.jobs.compress import CompressConfig
from hwsim.cost.breakeven import dense_rival
from hwsim.cost.layer_costs import LayerCosts
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.inference.operands import on_images

pytestmark = pytest.mark.usefixtures("pixels")

LAYERS = ("conv1", "conv2", "fc1", "fc2")
ONE = {"epochs": 1, "learning_rate": 0.01, "batch": 16, "shift": 0}


@pytest.fixture
def recipe(tmp_path, tiny):
    """Recipe for the tiny network, hardware-aware, with some keys of that section replaced."""
    network = tmp_path / "tiny.yaml"
    network.write_text(yaml.safe_dump(tiny.model_dump(mode="json", exclude_unset=True)))
    base = {"network": str(network), "dataset": "mnist", "seed": 3}

    def make(**changes):
        aware = {"arch": "csc_4x16", "objective": "cycles", "bound": 10.0, "step": 1.0, "images": 4}
        prune = {"retrain": ONE, "layers": {name: {"unstructured": 0.5} for name in LAYERS[1:]}}
        raw = base | {
            "name": "tiny_aware", "kind": "nonstructured", "start": "tiny_dense",
            "prune": prune, "hardware_aware": aware | changes,
        }  # fmt: skip
        return parse(CompressConfig, raw, "recipe")

    dense = base | {"name": "tiny_dense", "kind": "dense", "train": ONE | {"epochs": 6}}
    make.dense = parse(CompressConfig, dense, "recipe")
    return make


@pytest.fixture
def run(torch, recipe, tmp_path):
    from hwsim.models.compress import pipeline
    from hwsim.models.search import run as hardware_aware_run

    pipeline.run(recipe.dense, tmp_path / "start", command="hwsim compress tiny_dense")

    def go(config, out, **options):
        return hardware_aware_run.run(
            config,
            tmp_path / out,
            make_costs=LayerCosts,
            command="hwsim compress tiny_aware",
            find=lambda name: tmp_path / "start" / f"{name}.safetensors",
            **options,
        )

    return go


def test_cycles_are_lowered_as_far_as_the_images_held_out_allow(
    run, recipe, tmp_path, pixels, tiny
):
    made = run(recipe(), "out")
    found = made.info["hardware_aware"]
    images, labels = (part[-20:] for part in pixels["train"])
    start = Checkpoint.read(tmp_path / "start" / "tiny_dense.safetensors")
    assert found["floor"] == pytest.approx(golden.accuracy(tiny, start, images, labels) - 0.1)
    assert golden.accuracy(tiny, made, images, labels) >= found["floor"]
    assert found["finished"]
    # conv1 was not to be pruned; what is restored is whole, what is not has passed its break-even
    assert "conv1" in found["restored"]
    for name, layer in made.layers.items():
        kept, even = found["kept"][name], found["break_even"][name]
        if name in found["restored"]:
            assert kept == layer.weight.size
        else:
            assert np.count_nonzero(layer.weight) <= kept
            assert 1 - kept / layer.weight.size >= even
    # the costs are the simulator's, restored layers on the dense design
    arch = ArchConfig.read("csc_4x16")
    for name, layer in on_images(tiny, made, images[:4]).items():
        design = dense_rival(arch) if name in found["restored"] else arch
        cycles = sum(array_model(design).count(design, gemm).cycles for gemm in layer.gemms())
        assert found["costs"][name] == cycles, name
    assert found["cost"] == sum(found["costs"].values())


def test_what_is_left_behind_is_a_checkpoint_its_log_and_the_points(run, recipe, tmp_path):
    from hwsim.models.compress import pipeline

    config = recipe(evaluations=3)
    made = run(config, "out")
    names = sorted(path.name for path in (tmp_path / "out").iterdir())
    files = [f"tiny_aware.{suffix}" for suffix in ("csv", "points.json", "safetensors")]
    assert names == ["tiny.yaml", *files]
    points = json.loads((tmp_path / "out" / "tiny_aware.points.json").read_text())["points"]
    assert [point["number"] for point in points] == list(range(len(points)))
    assert len(points) <= 3
    assert made.info["recipe"] == config.model_dump(mode="json", exclude_none=True)
    again = pipeline.read_finished(config, tmp_path / "out", lambda name: tmp_path / "nowhere")
    assert again is not None


def test_a_killed_search_comes_to_the_same_checkpoint(run, recipe, tmp_path):
    expected = run(recipe(), "whole")

    class Killed(Exception):
        pass

    seen = []

    def kill(epoch):
        seen.append(epoch)
        if len(seen) in (2, 3, 5):
            raise Killed

    for _ in range(3):
        with pytest.raises(Killed):
            run(recipe(), "killed", report=kill)
    assert run(recipe(), "killed", report=kill).info == expected.info
    files = [tmp_path / out / "tiny_aware.safetensors" for out in ("whole", "killed")]
    assert files[0].read_bytes() == files[1].read_bytes()


def test_a_search_goes_on_with_more_evaluations(run, recipe, tmp_path):
    def points(out):
        return json.loads((tmp_path / out / "tiny_aware.points.json").read_text())["points"]

    expected = run(recipe(), "whole").info
    assert not run(recipe(evaluations=2), "more").info["hardware_aware"]["finished"]
    assert points("more") == points("whole")[:2]
    epochs = []
    assert run(recipe(), "more", report=epochs.append).info == expected
    assert points("more") == points("whole")
    # one epoch a point; the chosen one may have to be made again
    assert len(epochs) <= len(points("whole")) - 2 + 1


def test_a_better_checkpoint_of_the_name_is_left(run, recipe, tmp_path):
    from hwsim.models.compress.pipeline import Better

    config = recipe(evaluations=1)
    made = run(config, "out")
    found = made.info["hardware_aware"] | {"cost": 1.0}
    better = replace(made, info=made.info | {"accuracy_heldout": 2.0, "hardware_aware": found})
    path = better.write(tmp_path / "out" / "tiny_aware.safetensors")
    before = path.read_bytes()
    with pytest.raises(Better, match=r"2\.0000 at a cost of 1; this search came to"):
        run(config, "out")
    assert path.read_bytes() == before


@pytest.mark.parametrize("objective", ["weights", "bits", "macs"])
def test_every_objective_has_costs_of_its_own(run, recipe, tmp_path, objective, tiny):
    made = run(recipe(objective=objective, evaluations=2), "out")
    costs, kept = (made.info["hardware_aware"][key] for key in ("costs", "kept"))
    pixels = {shape.layer.name: shape.pixels for shape in tiny.shapes()}
    for name, layer in made.layers.items():
        left = int(np.count_nonzero(layer.weight))
        assert left <= kept[name]
        if objective == "bits":
            assert costs[name] >= 8 * left
        else:
            assert costs[name] == left * (pixels[name] if objective == "macs" else 1)


def test_designs_of_different_size_are_refused(run, recipe):
    with pytest.raises(InputError, match="dense_16x16_ws: array = 256: must have 64 multipliers"):
        run(recipe(dense="dense_16x16_ws"), "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": None, "train": ONE}, "start and prune.layers must be given"),
        (
            {"prune": {"retrain": ONE, "budget": {"unstructured": 0.5}}},
            "prune.layers must be given",
        ),
        (
            {"prune": {"retrain": ONE, "layers": {"fc1": {"filters": 0.5}}}},
            "prune.layers.fc1 must give unstructured",
        ),
        ({"hardware_aware": {"arch": "csc_4x16", "objective": "joules", "bound": 1}}, "objective"),
    ],
)
def test_a_recipe_that_breaks_a_rule_is_refused(recipe, changes, message):
    raw = recipe().model_dump(mode="json", exclude_none=True) | changes
    with pytest.raises(InputError, match=message):
        parse(CompressConfig, {k: v for k, v in raw.items() if v is not None}, "recipe")
