"""``hwsim compress``: recipes in, checkpoints out, each made once; on 240 images."""

from __future__ import annotations

import io
import json
import re

import pytest
import typer
import yaml
from rich.console import Console
from typer.testing import CliRunner

from hwsim.api.compress import find_start
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.cli.compress import compress
from hwsim.errors import InputError

pytestmark = pytest.mark.usefixtures("pixels")

app = typer.Typer()
app.command()(compress)

ONE = {"epochs": 1, "learning_rate": 0.02, "batch": 16, "shift": 0, "precision": "float32"}
PRUNE = {
    "admm": {"iterations": 2, "train": ONE},
    "retrain": ONE,
    "budget": {"unstructured": 0.5},
}


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    """Nothing is written into the repository, and pictures cost nothing."""
    from hwsim.models.compress import pictures as plots
    from hwsim.system.files import write_text_atomic

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(
        plots, "draw", lambda log, path, title: write_text_atomic(path.with_suffix(".png"), title)
    )


@pytest.fixture
def write(recipe, tmp_path):
    """Write a recipe to a file, whose name is returned."""

    def make(name, **changes):
        path = tmp_path / f"{name}.yaml"
        dumped = recipe(name=name, **changes).model_dump(mode="json", exclude_none=True)
        path.write_text(yaml.safe_dump(dumped))
        return str(path)

    return make


@pytest.fixture
def family(write):
    """A dense network, one pruned from it, and one quantized from that: given backwards."""
    return [
        write(
            "c", kind="nonstructured", start="b", train=None,
            quantize={"weight_bits": 2, "weight_code": "levels", "train": ONE},
        ),
        write("b", kind="nonstructured", start="a", train=None, prune=PRUNE),
        write("a"),
    ]  # fmt: skip


def invoke(*arguments, exit_code=0):
    """Run the command in this process; gives what it wrote to stdout and to stderr."""
    result = CliRunner().invoke(app, ["--jobs", "1", *arguments])
    assert result.exit_code == exit_code, result.output
    return result.stdout, result.stderr


def statuses(*arguments, exit_code=0):
    stdout, _ = invoke(*arguments, "--json", exit_code=exit_code)
    return {item["name"]: item["status"] for item in json.loads(stdout)["checkpoints"]}


def test_a_family_is_made_in_its_order_once(torch, family, tmp_path, tiny):
    every = ["--out", str(tmp_path / "out")]
    assert statuses(*family, *every) == dict.fromkeys("abc", "made")
    made = {n: Checkpoint.read(tmp_path / "out" / f"{n}.safetensors", tiny) for n in "abc"}
    assert made["b"].density <= 0.5 < made["a"].density
    for name, layer in made["c"].layers.items():
        assert (layer.weight_bits, layer.weight_code) == (2, "levels")
        assert not layer.weight[made["b"].layers[name].weight == 0].any()
    assert made["c"].info["command"] == "hwsim compress c"
    assert {path.name for path in (tmp_path / "build/compress").rglob("*.png")} == {
        "a.png", "b.png", "c.png",
    }  # fmt: skip
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()}
    assert statuses(*family, *every) == dict.fromkeys("abc", "found")
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "out").iterdir()} == before
    (tmp_path / "out" / "b.csv").unlink()
    assert statuses(*family, *every) == {"a": "found", "b": "made", "c": "found"}
    assert statuses(family[2], *every, "--fresh") == {"a": "made"}


def test_what_ships_is_not_made_again_where_no_folder_is_named(
    torch, family, tmp_path, monkeypatch
):
    """It serves as a start, too; with a folder named, or afresh, it is made."""
    from hwsim.checkpoints import find as shipped

    assert statuses(family[2], "--out", "ships") == {"a": "made"}
    monkeypatch.setattr(shipped, "CHECKPOINTS", tmp_path / "ships")
    stdout, _ = invoke(family[1], family[2], "--json")
    found = {item["name"]: item for item in json.loads(stdout)["checkpoints"]}
    assert {name: item["status"] for name, item in found.items()} == {"a": "found", "b": "made"}
    assert found["a"]["file"] == str(tmp_path / "ships" / "a.safetensors")
    assert statuses(family[2], "--out", "mine") == {"a": "made"}
    before = (tmp_path / "ships" / "a.safetensors").stat().st_mtime_ns
    assert statuses(family[2], "--fresh") == {"a": "made"}
    assert (tmp_path / "ships" / "a.safetensors").stat().st_mtime_ns == before


def test_another_start_makes_its_descendants_anew(torch, family, write, tmp_path):
    statuses(*family)
    write("a", seed=4)
    assert statuses(*family) == dict.fromkeys("abc", "made")
    assert statuses(*family) == dict.fromkeys("abc", "found")


def test_what_people_are_shown(torch, family, tmp_path):
    stdout, stderr = invoke(*family)
    for name in "abc":
        assert f"{name} (made: build/compress/{name}/{name}.safetensors)" in stdout
    a, b, c = (line for line in stdout.splitlines()[-5:] if line[:3] in ("│ a", "│ b", "│ c"))
    cells = [[cell.strip() for cell in line.strip("│").split("│")] for line in (a, b, c)]
    assert [row[1] for row in cells] == ["dense", "nonstructured", "nonstructured"]
    assert {row[2] for row in cells} == {"348"}
    assert [row[5] for row in cells] == ["8", "8", "2"]
    for row, name in zip(cells, "abc", strict=True):
        checkpoint = Checkpoint.read(f"build/compress/{name}/{name}.safetensors")
        assert float(row[3]) == pytest.approx(checkpoint.density, abs=1e-3)
        assert float(row[4]) == pytest.approx(1 / checkpoint.density, abs=1e-2)
        assert float(row[6]) == pytest.approx(100 * checkpoint.info["accuracy"], abs=1e-2)
    # 348 weights of a byte, and fewer of two bits
    assert 0.34 < float(cells[0][8]) < 0.36
    assert float(cells[2][8]) < 0.1
    lines = stderr.splitlines()
    assert lines[0].startswith("a 1/6 train, epoch 1: loss ")
    assert "b 3/3 retrain, epoch 1: loss " in stderr
    assert "a: done, in build/compress/a" in lines


def test_one_that_fails_does_not_stop_the_others(torch, family, write, monkeypatch, tmp_path):
    from hwsim.models.compress import pipeline

    make = pipeline.run

    def run(recipe, *arguments, **options):
        if recipe.name == "b":
            raise InputError("tiny", "loss", float("nan"), "must stay finite")
        return make(recipe, *arguments, **options)

    monkeypatch.setattr(pipeline, "run", run)
    other = write("other", seed=5, train=ONE)
    stdout, stderr = invoke(*family, other, exit_code=1)
    errors = [line for line in stderr.splitlines() if line.startswith("error: ")]
    assert errors == [
        "error: b: tiny: loss = nan: must stay finite",
        "error: c: not run: it starts from b",
    ]
    assert stderr.endswith("\n".join(errors) + "\n")
    assert "other (made: " in stdout
    assert statuses(*family, other, exit_code=1) == {
        "a": "found", "b": "failed", "c": "blocked", "other": "found",
    }  # fmt: skip


def test_a_better_checkpoint_stays_and_serves_as_a_start(torch, write, tmp_path):
    out = ["--out", str(tmp_path / "out")]
    statuses(write("a"), *out)
    best = (tmp_path / "out" / "a.safetensors").read_bytes()
    worse = write("a", train=ONE | {"learning_rate": 1e-5})
    child = write("b", start="a", train=ONE)
    _, stderr = invoke(child, worse, *out)
    remark = "must be left alone: accuracy on images held out 1.0000"
    advice = "write to another folder (--out), or delete that file"
    assert [line for line in stderr.splitlines() if remark in line and advice in line]
    assert (tmp_path / "out" / "a.safetensors").read_bytes() == best
    assert statuses(child, worse, *out) == {"a": "better", "b": "found"}


def test_an_interrupt_is_no_failure_and_the_next_goes_on(torch, write, monkeypatch):
    """The lines say where in the whole recipe it goes on."""
    from hwsim.cli import compress_watch

    class Interrupted(compress_watch.Lines):
        def report(self, run, epoch):
            super().report(run, epoch)
            if epoch.epoch == 2:
                raise KeyboardInterrupt

    path = write("a", kind="nonstructured", train=ONE | {"epochs": 4}, prune=PRUNE)
    with monkeypatch.context() as patch:
        patch.setattr(compress_watch, "Lines", Interrupted)
        invoke(path, exit_code=130)
    _, stderr = invoke(path)
    seen = [line.split(":")[0] for line in stderr.splitlines() if "epoch" in line]
    assert seen == [
        "a 3/7 train, epoch 3", "a 4/7 train, epoch 4",
        "a 5/7 prune, epoch 1", "a 6/7 prune, epoch 2", "a 7/7 retrain, epoch 1",
    ]  # fmt: skip


def test_on_a_terminal_each_run_has_a_bar(torch, recipe, tmp_path, monkeypatch):
    from hwsim.cli import compress_watch, output
    from hwsim.models.compress.log import Epoch
    from hwsim.models.compress.runs import End, Run

    text = io.StringIO()
    terminal = Console(file=text, force_terminal=True, width=140, highlight=False)
    monkeypatch.setattr(output, "log", lambda: terminal)
    runs = [Run(recipe(name=name), tmp_path) for name in ("one", "two", "three")]
    with compress_watch.watching(runs) as watch:
        for run in runs[:2]:
            watch.begin(run)
        watch.report(runs[0], Epoch("train", 3, 0.1, 0.25, 0.9, 0.8, 1.0))
        watch.end(runs[0], End("made"))
        watch.end(runs[2], End("blocked", "three: not run: it starts from one"))
        watch.report(runs[1], Epoch("train", 5, 0.1, 0.125, 0.9, 0.8, 1.0))
    shown = re.sub(r"\x1b\[[\d;?]*\w", "", text.getvalue())
    assert f"one: done, in {tmp_path}" in shown
    assert "three: not run" in shown
    last = shown.split("\n")[-2]
    assert "two" in last
    assert "5/6" in last
    assert "loss 0.1250, held out 0.8000" in last
    assert all(f"one {stage}" not in last for stage in ("train", "starting"))


def test_starts_are_looked_for_nearest_first(torch, tmp_path, monkeypatch):
    from hwsim.checkpoints import find as shipped

    places = [tmp_path / "out" / "x.safetensors", shipped.built("x"), tmp_path / "x.safetensors"]
    monkeypatch.setattr(shipped, "CHECKPOINTS", tmp_path)
    for place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(b"")
    for place in places:
        assert find_start("x", tmp_path / "out") == place
        assert find_start(str(place), tmp_path / "out") == place
        place.unlink()
    with pytest.raises(InputError, match="'x': must be a file or one of"):
        find_start("x", tmp_path / "out")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"start": "nobody"}, "'nobody': must be a file or one of"),
        ({"start": "b"}, r"b: start: must not come back to itself: b <- b"),
        ({"quantize": {"layers": {"fc9": {}}}}, r"quantize\.layers\.fc9: must be a layer"),
    ],
    ids=["start", "circle", "layer"],
)
def test_a_bad_recipe_stops_before_anything_is_trained(torch, write, monkeypatch, changes, message):
    from hwsim.models.compress import pipeline

    monkeypatch.setattr(pipeline, "run", lambda *_, **__: pytest.fail("trained"))
    result = CliRunner().invoke(app, ["--jobs", "1", write("a"), write("b", **changes)])
    assert isinstance(result.exception, InputError)
    with pytest.raises(InputError, match=message):
        raise result.exception


def test_an_unknown_recipe_is_named(torch, write):
    result = CliRunner().invoke(app, [write("a"), "lenet9"])
    assert isinstance(result.exception, InputError)
    assert "'lenet9': must be a file or one of: " in str(result.exception)


def test_a_file_that_is_no_checkpoint_is_not_overwritten(torch, write, tmp_path):
    for name in ("a.safetensors", "a.csv"):
        (tmp_path / name).write_text("mine")
    result = CliRunner().invoke(app, [write("a"), "--out", str(tmp_path)])
    assert isinstance(result.exception, InputError)
    assert "no header at its start" in str(result.exception)
    assert (tmp_path / "a.safetensors").read_text() == "mine"
