"""Recipes become checkpoints, the same ones after any number of kills; on 240 images."""

from __future__ import annotations

import csv
from dataclasses import replace

import numpy as np
import pytest
import yaml

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import network_of
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.workload.lowering import lower_weight

pytestmark = pytest.mark.usefixtures("pixels")

TRAIN = {
    "epochs": 3, "learning_rate": 0.02, "batch": 32, "shift": 0, "precision": "float32",
}  # fmt: skip
ADMM = {"iterations": 2, "rho": 0.1, "growth": 2, "train": TRAIN | {"epochs": 1}}


GRADUAL = {
    "gradual": {"train": TRAIN, "regrow": 0.5},
    "retrain": TRAIN | {"epochs": 1},
    "budget": {"unstructured": 0.3},
}


def run(config, out, **options):
    from hwsim.models.compress import pipeline

    return pipeline.run(config, out, command="hwsim compress x", **options)


def read_log(path):
    return list(csv.DictReader(path.read_text().splitlines()))


def test_a_recipe_gives_a_checkpoint_and_a_log(torch, recipe, tmp_path, pixels, tiny):
    made = run(recipe(), tmp_path / "out")
    read = Checkpoint.read(tmp_path / "out" / "tiny_dense.safetensors", tiny)
    assert read.info == made.info
    assert read.info["accuracy"] > 0.95
    assert read.info["accuracy"] == golden.accuracy(tiny, read, *pixels["test"])
    last = [part[-20:] for part in pixels["train"]]
    assert read.info["accuracy_heldout"] == golden.accuracy(tiny, read, *last)
    first = [part[:20] for part in pixels["test"]]
    assert read.info["accuracy_shipped"] == golden.accuracy(tiny, read, *first)
    assert abs(read.info["accuracy_float"] - read.info["accuracy"]) < 0.05
    assert (read.info["kind"], read.info["test_images"]) == ("dense", 60)
    assert read.info["command"] == "hwsim compress x"
    rows = read_log(tmp_path / "out" / "tiny_dense.csv")
    assert [row["epoch"] for row in rows] == list("123456")
    assert float(rows[-1]["train_accuracy"]) > 0.9
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "tiny_dense.safetensors",
        "tiny_dense.csv",
        "tiny.yaml",
    }
    assert network_of(read) == tiny


def test_nothing_is_learnt_from_images_held_out_or_of_the_test(torch, recipe, tmp_path, pixels):
    """The weights stay the same when those labels and images change."""
    first = run(recipe(), tmp_path / "a")
    images, labels = pixels["train"]
    labels = labels.copy()
    labels[-20:] = (labels[-20:] + 1) % 3
    pixels |= {"train": (images, labels), "test": (255 - pixels["test"][0], pixels["test"][1])}
    second = run(recipe(), tmp_path / "b")
    assert second.info["accuracy_heldout"] < 0.1 < 0.9 < first.info["accuracy_heldout"]
    for name, layer in first.layers.items():
        assert (layer.weight == second.layers[name].weight).all()
        assert (layer.bias == second.layers[name].bias).all()
        assert layer.multiplier == second.layers[name].multiplier


class Killed(Exception):
    """Stands for a signal that kills the run."""


def everything(recipe):
    """A recipe with a stage of every kind: 13 epochs."""
    return recipe(
        name="all",
        kind="nonstructured",
        train=TRAIN | {"epochs": 2, "shift": 1},
        prune={
            "rounds": 2,
            "admm": ADMM,
            "retrain": TRAIN | {"epochs": 1},
            "layers": {"conv1": {"filters": 0.75}, "conv2": {"unstructured": 0.6}},
            "budget": {"unstructured": 0.5},
        },
        quantize={
            "weight_bits": 4,
            "weight_code": "levels",
            "layers": {"fc2": {"weight_bits": 2, "weight_code": "ternary"}},
            "admm": ADMM,
            "fix": {"steps": [0.5, 0.8, 1.0], "train": TRAIN | {"epochs": 1}},
            "train": TRAIN | {"epochs": 1, "learning_rate": 0.005},
        },
    )


def test_killed_at_every_epoch_it_comes_to_the_same(torch, recipe, tmp_path, monkeypatch):
    """Kills after and before an epoch is saved; a lost epoch is run again."""
    from hwsim.models.compress.stages import State

    config, stages = everything(recipe), []
    run(config, tmp_path / "whole", report=lambda epoch: stages.append(epoch.stage))
    assert list(dict.fromkeys(stages)) == [
        "train", "prune 1/2", "retrain 1/2", "prune 2/2", "retrain 2/2", "quantize", "fix",
        "quantized",
    ]  # fmt: skip

    def killed(epoch):
        raise Killed

    out = tmp_path / "after"
    for _ in stages:
        with pytest.raises(Killed):
            run(config, out, report=killed)
        assert (out / ".all.resume.pt").is_file()
        # left by a kill in the middle of a write
        (out / ".all.resume.pt.x1y2").write_bytes(b"half")
    run(config, out, report=lambda epoch: pytest.fail("nothing was left to train"))
    assert_same(tmp_path / "whole", out)

    save, done = State.save, 0

    def saved_every_other_time(state, path, text):
        nonlocal done
        done += 1
        if done % 2:
            raise Killed
        save(state, path, text)
        raise Killed

    monkeypatch.setattr(State, "save", saved_every_other_time)
    out = tmp_path / "before"
    for _ in range(2 * len(stages)):
        with pytest.raises(Killed):
            run(config, out)
    run(config, out)
    assert_same(tmp_path / "whole", out)


def test_gradual_pruning_with_a_teacher_is_killed_and_comes_to_the_same(torch, recipe, tmp_path):
    teacher = run(recipe(), tmp_path)
    path = teacher.write(tmp_path / "teacher.safetensors")
    changes = {"name": "slow", "kind": "nonstructured", "start": str(path), "train": None}
    distil = {"teacher": str(path), "weight": 0.7, "temperature": 3}
    config = recipe(**changes, prune=GRADUAL, distil=distil)
    made = run(config, tmp_path / "whole")
    assert made.info["accuracy"] > 0.9
    assert made.info["kept"] == pytest.approx(0.3, abs=0.005)
    assert made.info["teacher_sha256"] == made.info["start_sha256"]
    rows = read_log(tmp_path / "whole" / "slow.csv")
    assert [row["stage"] for row in rows] == ["gradual"] * 3 + ["retrain"]
    last = sum(int(rows[-1][f"weights_{name}"]) for name in made.layers)
    assert last / 348 == pytest.approx(float(rows[-1]["kept"]), rel=1e-4)

    def killed(epoch):
        raise Killed

    for _ in rows:
        with pytest.raises(Killed):
            run(config, tmp_path / "parts", report=killed)
    run(config, tmp_path / "parts", report=lambda epoch: pytest.fail("nothing was left to train"))
    assert_same(tmp_path / "whole", tmp_path / "parts")
    alone = run(recipe(**changes, prune=GRADUAL), tmp_path / "alone")
    assert "teacher_sha256" not in alone.info
    assert any(
        (layer.weight != alone.layers[name].weight).any() for name, layer in made.layers.items()
    ), "the teacher makes a difference"


def test_a_residual_network_is_normalized_pruned_and_killed(torch, recipe, tmp_path):
    """Batch normalization is folded before pruning, and is in the state of a run before."""
    config = recipe(
        name="sums", kind="structured", network=str(tmp_path / "residual.yaml"), normalize=True,
        train=TRAIN | {"epochs": 4, "mirror": True},
        prune={"retrain": TRAIN | {"epochs": 2}, "layers": {"a1": {"filters": 0.6}}},
    )  # fmt: skip
    made = run(config, tmp_path / "whole")
    assert made.info["accuracy"] > 0.6
    assert made.rescales.keys() == {"sum1", "sum2", "mean1"}
    assert np.count_nonzero(made.layers["a1"].weight.any(axis=(1, 2, 3))) == 3

    def killed(epoch):
        raise Killed

    for _ in range(6):
        with pytest.raises(Killed):
            run(config, tmp_path / "parts", report=killed)
    run(config, tmp_path / "parts", report=lambda epoch: pytest.fail("nothing was left to train"))
    assert_same(tmp_path / "whole", tmp_path / "parts")
    further = run(
        recipe(
            name="further", network=config.network, start=str(made.write(tmp_path / "made")),
            train=TRAIN | {"epochs": 1},
        ),
        tmp_path,
    )  # fmt: skip
    assert further.info["accuracy"] > 0.6, "what it starts from is what was trained"


def test_another_teacher_makes_a_run_anew(torch, recipe, tmp_path):
    """A change of the teacher's weights counts in a finished run, and in one under way."""
    from hwsim.models.compress.pipeline import check, read_finished

    teacher = run(recipe(), tmp_path)
    path = teacher.write(tmp_path / "teacher.safetensors")
    config = recipe(name="pupil", train=TRAIN, distil={"teacher": str(path)})

    def killed(epoch):
        raise Killed

    with pytest.raises(Killed):
        run(config, tmp_path, report=killed)
    other = teacher.layers["fc1"]
    layers = teacher.layers | {"fc1": replace(other, weight=-other.weight)}
    replace(teacher, layers=layers).write(path)
    epochs = []
    run(config, tmp_path, report=lambda epoch: epochs.append(epoch.epoch))
    assert epochs == [1, 2, 3]
    assert read_finished(config, tmp_path) is not None
    teacher.write(path)
    assert read_finished(config, tmp_path) is None
    path.unlink()
    with pytest.raises(InputError, match=r"teacher\.safetensors"):
        check([config])


def assert_same(expected, found):
    """Check that two folders hold the same files, byte for byte."""
    names = sorted(path.name for path in expected.iterdir())
    assert sorted(path.name for path in found.iterdir()) == names
    for name in sorted(names):  # the log first: its first line that differs says where
        a, b = (folder / name for folder in (expected, found))
        if name.endswith(".csv"):
            assert a.read_text().splitlines() == b.read_text().splitlines()
        assert a.read_bytes() == b.read_bytes(), name


def test_what_was_killed_begins_anew_where_it_may_not_go_on(torch, recipe, tmp_path):
    """A state is ignored if the recipe or the start differ, with ``fresh``, or if it is damaged."""
    start = run(recipe(), tmp_path)
    path = start.write(tmp_path / "start.safetensors")
    config = recipe(name="next", start=str(path))
    resume = tmp_path / ".next.resume.pt"

    def first_epochs(config, **options):
        seen = []

        def killed(epoch):
            seen.append(epoch.epoch)
            if len(seen) == 2:
                raise Killed

        with pytest.raises(Killed):
            run(config, tmp_path, report=killed, **options)
        return seen

    assert first_epochs(config) == [1, 2]
    assert first_epochs(config) == [3, 4]
    assert first_epochs(config, fresh=True) == [1, 2]
    assert first_epochs(config.model_copy(update={"seed": 9})) == [1, 2]
    assert first_epochs(config) == [1, 2]
    other = start.layers["fc1"]
    layers = start.layers | {"fc1": replace(other, weight=-other.weight)}
    replace(start, layers=layers).write(path)
    assert first_epochs(config) == [1, 2]
    resume.write_bytes(resume.read_bytes()[:500])
    assert first_epochs(config) == [1, 2]


def test_what_is_made_is_found_while_its_start_is_the_same(torch, recipe, tmp_path):
    from hwsim.models.compress.pipeline import read_finished

    def find(name):
        return tmp_path / f"{name}.safetensors"

    start = run(recipe(), tmp_path)
    config = recipe(name="next", start="tiny_dense", train=TRAIN | {"epochs": 1})
    assert read_finished(config, tmp_path, find) is None
    made = run(config, tmp_path, find=find)
    found = read_finished(config, tmp_path, find)
    assert found is not None
    assert found.info == made.info
    assert read_finished(config.model_copy(update={"seed": 4}), tmp_path, find) is None
    other = start.layers["fc2"]
    changed = replace(start, layers=start.layers | {"fc2": replace(other, bias=other.bias + 1)})
    changed.write(find("tiny_dense"))
    assert read_finished(config, tmp_path, find) is None
    replace(start, info={}).write(find("tiny_dense"))
    assert read_finished(config, tmp_path, find) is not None, "only the weights matter"
    find("tiny_dense").unlink()
    assert read_finished(config, tmp_path, find) is not None
    (tmp_path / "next.csv").unlink()
    assert read_finished(config, tmp_path, find) is None


def test_a_better_checkpoint_is_left_alone(torch, recipe, tmp_path):
    """A checkpoint is better if it is at most as large and more accurate."""
    from hwsim.models.compress.pipeline import Better

    run(recipe(), tmp_path)
    files = {path: path.read_bytes() for path in tmp_path.glob("tiny_dense.*")}
    assert len(files) == 2
    worse = recipe(train=TRAIN | {"epochs": 1, "learning_rate": 1e-5})
    for _ in range(2):
        with pytest.raises(Better, match=r"accuracy on images held out 1\.0000 at \d+ w") as caught:
            run(worse, tmp_path)
        assert "\n" not in str(caught.value)
        assert {path: path.read_bytes() for path in tmp_path.glob("tiny_dense.*")} == files
    smaller = recipe(
        train=TRAIN | {"epochs": 1, "learning_rate": 1e-5}, quantize={"weight_bits": 4}
    )
    run(smaller, tmp_path)
    assert all(path.read_bytes() != files[path] for path in files)
    run(recipe(), tmp_path)
    assert {path: path.read_bytes() for path in tmp_path.glob("tiny_dense.*")} == files


def test_structured_pruning_starts_from_a_checkpoint(torch, recipe, tmp_path):
    run(recipe(), tmp_path)
    config = recipe(
        name="tiny_structured",
        kind="structured",
        start="tiny_dense",
        train=None,
        prune={
            "rounds": 2,
            "admm": ADMM,
            "retrain": TRAIN,
            "layers": {
                "conv1": {"filters": 0.5},
                "fc1": {"filters": 0.5, "columns": 0.5},
            },
        },
    )
    found = []

    def find(name):
        found.append(name)
        return tmp_path / f"{name}.safetensors"

    made = run(config, tmp_path, find=find)
    assert found == ["tiny_dense"]
    weight = {name: layer.weight for name, layer in made.layers.items()}
    live_filters = weight["conv1"].reshape(4, -1).any(axis=1)
    assert 0 < live_filters.sum() <= 2
    assert not weight["conv2"][:, ~live_filters].any()
    live_neurons = weight["fc1"].any(axis=1)
    assert 0 < live_neurons.sum() <= 4
    assert weight["fc1"].any(axis=0).sum() <= 12
    assert not weight["fc2"][:, ~live_neurons].any()
    assert not made.layers["fc1"].bias[~live_neurons].any()
    assert made.info["accuracy"] > 0.9
    rows = read_log(tmp_path / "tiny_structured.csv")
    residuals = [row for row in rows if row["primal_fc1"]]
    assert [row["stage"] for row in residuals] == ["prune 1/2"] * 2 + ["prune 2/2"] * 2
    assert float(residuals[-1]["rho"]) == 0.2
    assert "primal_fc2" not in rows[0], "it has no constraint"


def test_rounds_tighten_and_retrain_as_they_are_told(torch, recipe, tmp_path):
    """In three rounds to a quarter the cubic schedule keeps 0.47, 0.28 and 0.25."""
    prune = {
        "rounds": 3,
        "between": TRAIN | {"epochs": 1},
        "retrain": TRAIN | {"epochs": 2, "learning_rate": 0.01},
        "layers": {"conv2": {"unstructured": 0.25}},
    }
    config = recipe(name="rounds", kind="nonstructured", train=TRAIN, prune=prune)
    run(config, tmp_path)
    rows = [row for row in read_log(tmp_path / "rounds.csv") if row["stage"] != "train"]
    assert [row["stage"] for row in rows] == [
        "retrain 1/3", "retrain 2/3", "retrain 3/3", "retrain 3/3",
    ]  # fmt: skip
    assert [float(row["learning_rate"]) for row in rows[:3]] == [0.02, 0.02, 0.01]
    left = [348 - 96 + round(96 * (1 - 0.75 * (1 - (1 - n / 3) ** 3))) for n in (1, 2, 3, 3)]
    assert [float(row["kept"]) for row in rows] == pytest.approx([n / 348 for n in left], abs=3e-3)


def test_a_budget_is_met_over_the_whole_network(torch, recipe, tmp_path):
    prune = {"admm": ADMM, "retrain": TRAIN, "budget": {"unstructured": 0.3}}
    made = run(recipe(name="tiny_ns", kind="nonstructured", prune=prune), tmp_path)
    assert 0.25 < made.info["kept"] == made.density <= 0.3
    assert len({round(layer.density, 3) for layer in made.layers.values()}) > 1
    assert made.info["accuracy"] > 0.9


def test_what_does_not_fit_is_refused_before_training(torch, recipe, tmp_path):
    """Both the check of all recipes and an unchecked run refuse it."""
    from hwsim.models.compress.pipeline import check

    prune = {"retrain": TRAIN, "layers": {"conv9": {"unstructured": 0.5}}}
    config = recipe(kind="structured", prune=prune)
    message = r"prune\.layers\.conv9: must be a layer with weights"
    with pytest.raises(InputError, match=message):
        run(config, tmp_path / "out")
    with pytest.raises(InputError, match=message):
        check([recipe(), config])
    layers = {"fc9": {"weight_bits": 4}}
    with pytest.raises(InputError, match=r"quantize\.layers\.fc9: must be a layer with weights of"):
        run(recipe(quantize={"layers": layers}), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_start_of_another_network_is_refused_in_one_line(torch, recipe, tmp_path, tiny):
    from hwsim.models.compress.pipeline import check

    run(recipe(), tmp_path)
    other = tmp_path / "other.yaml"
    raw = tiny.model_dump(mode="json", exclude_unset=True) | {"name": "other"}
    other.write_text(yaml.safe_dump(raw))
    start = str(tmp_path / "tiny_dense.safetensors")
    config = recipe(name="next", network=str(other), start=start)
    for refused in (lambda: run(config, tmp_path / "out"), lambda: check([config])):
        with pytest.raises(InputError, match="must be the checkpoint of network other") as caught:
            refused()
        assert "\n" not in str(caught.value)
    assert not (tmp_path / "out").exists()
    check([config.model_copy(update={"start": "next2"}), recipe(name="next2")])


def test_every_constraint_is_kept_to_the_end(torch, recipe, tmp_path, tiny):
    prune = {
        "admm": ADMM,
        "retrain": TRAIN,
        "layers": {
            "conv1": {"pattern": {"patterns": 2, "kernels": 0.75}},
            "conv2": {"columns": 0.5, "banks": 2},
            "fc1": {"nm": {"n": 1, "m": 4}},
        },
    }
    made = run(recipe(name="tiny_mixed", kind="pattern", prune=prune), tmp_path)
    kernels = made.layers["conv1"].weight.reshape(-1, 9) != 0
    assert kernels.any(axis=1).sum() <= 3
    assert len({tuple(kernel) for kernel in kernels if kernel.any()}) <= 2
    assert (kernels.sum(axis=1) <= 4).all()
    shapes = {shape.layer.name: shape for shape in tiny.shapes()}
    columns = lower_weight(shapes["conv2"], made.layers["conv2"].weight)[0].any(axis=0)
    assert columns[::2].sum() == columns[1::2].sum() > 0
    blocks = lower_weight(shapes["fc1"], made.layers["fc1"].weight)[0].reshape(8, -1, 4)
    assert (np.count_nonzero(blocks, axis=2) <= 1).all()


@pytest.mark.parametrize("how", ["train", "fix", "admm"])
@pytest.mark.parametrize(
    ("code", "bits"), [("levels", 1), ("ternary", 2), ("pow2", 3), ("levels", 3)]
)
def test_low_bit_weights_are_retrained(torch, recipe, tmp_path, tiny, code, bits, how):
    """The zeros of a pruned start stay; the accuracy is nearly that of eight bits."""
    prune = {"retrain": TRAIN, "budget": {"unstructured": 0.6}}
    start = run(recipe(name="tiny_ns", kind="nonstructured", prune=prune), tmp_path)
    fix = {"steps": [0.5, 0.75, 1.0], "train": TRAIN}
    ways = {"train": {"train": TRAIN | {"epochs": 6}}, "fix": {"fix": fix}}
    config = recipe(
        name="tiny_low",
        kind="nonstructured",
        start=str(tmp_path / "tiny_ns.safetensors"),
        train=None,
        quantize={"weight_bits": bits, "weight_code": code}
        | ways.get(how, {"admm": ADMM | {"iterations": 4}, "fix": fix}),
    )
    run(config, tmp_path)
    made = Checkpoint.read(tmp_path / "tiny_low.safetensors", tiny)
    for name, layer in made.layers.items():
        assert (layer.weight_code, layer.weight_bits) == (code, bits)
        zeros = start.layers[name].weight == 0
        assert not layer.weight[zeros].any()
        if code == "levels":
            assert layer.weight[~zeros].mean() != 0
    assert made.info["accuracy"] >= 0.9
    # the weights that are stored are those that were trained
    assert abs(made.info["accuracy_float"] - made.info["accuracy"]) < 0.06


@pytest.mark.parametrize(
    ("images", "labels"),
    [(np.zeros((9, 28, 28), np.uint8), np.zeros(9, np.uint8)),
     (np.zeros((9, 8, 8), np.uint8), np.full(9, 3, np.uint8))],
    ids=["size", "classes"],
)  # fmt: skip
def test_a_network_for_other_images_is_refused(torch, recipe, tmp_path, pixels, images, labels):
    pixels["train"] = (images, labels)
    with pytest.raises(InputError, match=r"network = .*: must take images of \(1, .* classes for"):
        run(recipe(), tmp_path / "out")
    assert not (tmp_path / "out").exists()


LAYERS = {"fc1": {"unstructured": 0.5}}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"kind": "structured"}, "prune must be given for every kind but dense, or a start"),
        ({"prune": {"retrain": TRAIN, "layers": LAYERS}}, "prune must be absent for kind dense"),
        ({"train": None}, "train must be given without start: random weights are no network"),
        ({"dataset": "cifar"}, "dataset = 'cifar'"),
        ({"rate": 1}, "rate = 1: unknown key"),
        ({"train": TRAIN | {"epochs": -1}}, r"train\.epochs = -1"),
        ({"train": TRAIN | {"learning_rate": 0}}, r"train\.learning_rate = 0"),
        ({"train": TRAIN | {"precision": "float16"}}, r"train\.precision = 'float16'"),
        ({"normalize": True, "start": "a"}, "normalize must be absent without train, and with"),
        ({"kind": "nm", "prune": {"layers": LAYERS}}, r"prune\.retrain: Field required"),
        ({"kind": "nm", "prune": {"retrain": TRAIN}}, "must give layers, budget or both"),
        (
            {"kind": "structured", "prune": GRADUAL | {"rounds": 2}},
            "prune: admm, between and rounds must be absent with gradual",
        ),
        (
            {"kind": "structured", "prune": GRADUAL | {"admm": ADMM}},
            "prune: admm, between and rounds must be absent with gradual",
        ),
        (
            {"kind": "structured", "prune": GRADUAL | {"fill": "dense_8x8_ws"}},
            "prune: fill must be absent without filters or columns in layers",
        ),
        (
            {
                "kind": "structured",
                "prune": GRADUAL | {"fill": "a", "layers": {"fc1": {"filters": 0.5}}},
            },
            "prune: fill must be absent with budget, which breaks the multiples",
        ),
        (
            {
                "kind": "structured",
                "prune": {
                    "retrain": TRAIN,
                    "fill": "a",
                    "layers": {"fc1": {"columns": 0.5, "banks": 4}},
                },
            },
            "prune: fill must be absent with layers.fc1.banks, which fill rows",
        ),
        (
            {"kind": "nm", "prune": {"rounds": 0, "retrain": TRAIN, "layers": LAYERS}},
            r"prune\.rounds = 0",
        ),
        (
            {"kind": "nm", "prune": {"admm": ADMM | {"growth": 0.9}, "retrain": TRAIN}},
            r"prune\.admm\.growth = 0\.9",
        ),
        (
            {"kind": "nm", "prune": {"retrain": TRAIN, "budget": {"unstructured": 0}}},
            r"prune\.budget\.unstructured = 0",
        ),
        ({"quantize": {"weight_bits": 7}}, "weight_bits = 7"),
        (
            {"quantize": {"weight_bits": 3, "weight_code": "ternary"}},
            "weight_bits must be 2 for weight_code ternary, not 3",
        ),
        (
            {"quantize": {"layers": {"fc1": {"weight_bits": 8, "weight_code": "levels"}}}},
            r"weight_bits must be below 8 for weight_code levels: \+128 is no int8",
        ),
        ({"quantize": {"admm": ADMM}}, "fix or train must be given with admm: it ends near"),
        (
            {"quantize": {"fix": {"steps": [0.5, 0.9], "train": TRAIN}}},
            r"steps must rise to 1, not \[0\.5, 0\.9\]",
        ),
        (
            {"quantize": {"fix": {"steps": [0.9, 0.5, 1], "train": TRAIN}}},
            r"steps must rise to 1, not \[0\.9, 0\.5, 1\.0\]",
        ),
    ],
    ids=lambda value: None if isinstance(value, dict) else value.split("=")[0].split(",")[0][:40],
)
def test_a_recipe_that_breaks_a_rule_is_refused(recipe, changes, message):
    with pytest.raises(InputError, match=message) as caught:
        recipe(**changes)
    assert "\n" not in str(caught.value)
