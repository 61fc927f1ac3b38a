"""``hwsim compress`` with several recipes: each is made once."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from hwsim.checkpoint import Checkpoint, LayerWeights
from hwsim.cli.compress import compress
from hwsim.config.compress import CompressConfig
from hwsim.errors import InputError

app = typer.Typer()
app.command()(compress)


def checkpoint(recipe: CompressConfig) -> Checkpoint:
    """A checkpoint of the recipe that nobody trained."""
    layer = LayerWeights(np.eye(2, dtype=np.int8), np.zeros(2, np.int32), 2, 1, 0, 1.0, "ternary")
    info = {
        "recipe": recipe.model_dump(mode="json", exclude_none=True),
        "test_images": 10, "accuracy": 0.9, "accuracy_float": 1.0,
    }  # fmt: skip
    return Checkpoint("lenet5", {"fc1": layer}, info)


def test_what_is_done_by_the_same_recipe_is_passed_over(torch, monkeypatch, tmp_path):
    """Two recipes; one is done, then the other, then one is asked for afresh."""
    from models import pipeline

    trained = []

    def run(recipe, out, **options):
        trained.append((recipe.name, options["command"]))
        made = checkpoint(recipe)
        made.write(out / f"{recipe.name}.safetensors")
        (out / f"{recipe.name}.csv").write_text("")
        return made

    monkeypatch.setattr(pipeline, "run", run)

    def names(*arguments):
        trained.clear()
        result = CliRunner().invoke(app, [*arguments, "--out", str(tmp_path), "--json"])
        assert result.exit_code == 0, result.output
        document = json.loads(result.stdout)
        made = [(item["file"], item["trained"]) for item in document["checkpoints"]]
        assert [name for name, _ in trained] == [Path(file).stem for file, new in made if new]
        return [name for name, _ in trained]

    dense, structured = "lenet5_dense", "lenet5_structured"
    assert names(dense) == [dense]
    assert names(dense, structured) == [structured]
    assert names(dense, structured) == []
    assert names(dense, structured, "--fresh") == [dense, structured]
    assert trained[1] == (structured, "hwsim compress lenet5_structured")
    (tmp_path / "lenet5_dense.csv").unlink()
    assert names(dense, structured) == [dense]
    other = checkpoint(CompressConfig.read(dense).model_copy(update={"seed": 99}))
    other.write(tmp_path / f"{dense}.safetensors")
    assert names(dense) == [dense]


def test_a_bad_recipe_stops_before_anything_is_trained(torch, monkeypatch):
    from models import pipeline

    monkeypatch.setattr(pipeline, "run", lambda *_, **__: pytest.fail("trained"))
    result = CliRunner().invoke(app, ["lenet5_dense", "lenet9"])
    assert isinstance(result.exception, InputError)
    assert "'lenet9': must be a file or one of: " in str(result.exception)


def test_a_file_that_is_no_checkpoint_is_not_overwritten(torch, tmp_path):
    for name in ("lenet5_dense.safetensors", "lenet5_dense.csv"):
        (tmp_path / name).write_text("mine")
    result = CliRunner().invoke(app, ["lenet5_dense", "--out", str(tmp_path)])
    assert isinstance(result.exception, InputError)
    assert "no header at its start" in str(result.exception)
