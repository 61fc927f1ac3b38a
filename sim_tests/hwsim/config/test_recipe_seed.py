"""``NAME_s3`` is the recipe ``NAME`` with seed 3, and so are its start and its teacher."""

from __future__ import annotations

import shutil

import pytest

from hwsim.config.catalog import CONFIGS
from hwsim.config.jobs.compress import CompressConfig
from hwsim.config.jobs.synthetic import SyntheticConfig, read_recipe
from hwsim.errors import InputError

RECIPES = sorted(path.stem for path in (CONFIGS / "compress").glob("*.yaml"))


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_has_other_seeds(name):
    first, other = read_recipe(name), read_recipe(f"{name}_s12")
    changed: dict[str, object] = {"name": f"{name}_s12", "seed": 12}
    if isinstance(first, CompressConfig):
        if first.start is not None:
            changed["start"] = f"{first.start}_s12"
        if first.distil is not None:
            teacher = f"{first.distil.teacher}_s12"
            changed["distil"] = first.distil.model_copy(update={"teacher": teacher})
    assert other == first.model_copy(update=changed)


def test_a_start_that_is_no_recipe_stays(tmp_path, monkeypatch):
    """A pretrained file has no seed."""
    catalog = tmp_path / "configs"
    (catalog / "compress").mkdir(parents=True)
    (catalog / "compress" / "mine.yaml").write_text(
        "{name: mine, kind: nonstructured, network: lenet5, dataset: mnist, seed: 0,\n"
        " start: weights.onnx, distil: {teacher: weights.onnx},\n"
        " prune: {budget: {unstructured: 0.5}, retrain: {epochs: 1}}}\n"
    )
    monkeypatch.setattr("hwsim.config.jobs.recipe_seed.CONFIGS", catalog)
    recipe = CompressConfig.read("mine_s2")
    assert (recipe.seed, recipe.start) == (2, "weights.onnx")
    assert recipe.distil is not None
    assert recipe.distil.teacher == "weights.onnx"


def test_a_file_of_that_name_is_read_as_it_stands(tmp_path, monkeypatch):
    catalog = tmp_path / "configs"
    (catalog / "compress").mkdir(parents=True)
    for name in ("published_alexnet_structured", "published_alexnet_structured_s2"):
        shutil.copy(
            CONFIGS / "compress" / "published_alexnet_structured.yaml",
            catalog / "compress" / f"{name}.yaml",
        )
    for module in ("catalog", "jobs.recipe_seed"):
        monkeypatch.setattr(f"hwsim.config.{module}.CONFIGS", catalog)
    read = SyntheticConfig.read
    assert read("published_alexnet_structured_s2") == read("published_alexnet_structured")
    assert read("published_alexnet_structured_s3").seed == 3


@pytest.mark.parametrize(
    "name", ["lenet5_dense_s0", "lenet5_dense_s01", "lenet5_danse_s1", "_s1", "lenet5_dense_s1_s2"]
)
def test_what_is_no_recipe_with_a_seed_is_told(name):
    with pytest.raises(InputError, match=r"configs/compress: name = .*: must be a file or one of"):
        CompressConfig.read(name)
