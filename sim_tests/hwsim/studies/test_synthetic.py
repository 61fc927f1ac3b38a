"""A study of synthetic weights, on a network small enough to count in a moment."""

from __future__ import annotations

import csv
import json

import pytest
import yaml
from typer.testing import CliRunner

from hwsim import cli
from hwsim.arrays.base import array_model
from hwsim.checkpoints import synthetic
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.base import parse
from hwsim.config.jobs.study import StudyConfig
from hwsim.config.jobs.synthetic import SyntheticConfig
from hwsim.errors import InputError
from hwsim.inference.operands import on_random_acts
from hwsim.studies import budgets, synthetic_report
from hwsim.studies.synthetic import run
from hwsim.studies.synthetic_choices import synthetic_choices
from hwsim.studies.verdict_map import cells

NETWORK = {
    "name": "small",
    "input": {"channels": 8, "height": 8, "width": 8},
    "layers": [
        {"name": "conv1", "type": "conv", "M": 16, "R": 3, "padding": 1, "relu": True},
        {"name": "conv2", "type": "conv", "M": 16, "R": 3, "padding": 1, "G": 2, "relu": True},
        {"name": "fc", "type": "fc", "M": 10},
    ],
}


@pytest.fixture
def files(tmp_path, monkeypatch):
    """A network, a table of sizes and a recipe of each kind, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(yaml.safe_dump(NETWORK))
    row = {
        "name": "all", "network": "small.yaml",
        "published": {"weights": 1.0, "data_kb": 1.0, "indexed_kb": 1.0},
        "uniform": {"kept_weights": 3000, "weight_bits": 4},
    }  # fmt: skip
    table = {"name": "sizes", "title": "t", "source": "s", "rows": [row]}
    (tmp_path / "sizes.yaml").write_text(yaml.safe_dump(table))
    kinds = {
        "structured": {}, "nonstructured": {}, "nm": {"nm": {"n": 2, "m": 4}},
        "pattern": {"patterns": 8},
    }  # fmt: skip
    for kind, more in kinds.items():
        section = {"sizes": {"table": "sizes.yaml", "row": "all"}, "note": f"note of {kind}"}
        section |= {"act_density": 0.5} | more
        raw = {"name": kind, "kind": kind, "network": "small.yaml", "seed": 1}
        (tmp_path / f"{kind}.yaml").write_text(yaml.safe_dump(raw | {"synthetic": section}))
    return tmp_path


def study(**changes):
    section = {
        "kind": "synthetic", "network": "small.yaml", "images": 2, "baseline": "dense",
        "act_densities": [0.25, 1.0],
        "variants": [
            {"name": "dense", "arch": "dense_8x8_ws"},
            {"name": "structured", "arch": "dense_8x8_ws", "recipe": "structured.yaml"},
            {"name": "nm", "arch": "nm_2x4_4x8_ws", "recipe": "nm.yaml"},
            {"name": "pattern", "arch": "pattern_4x4", "recipe": "pattern.yaml"},
            {"name": "csc", "arch": "csc_4x16", "recipe": "nonstructured.yaml"},
            {"name": "bitmask", "arch": "bitmask_64_greedy", "recipe": "nonstructured.yaml"},
        ],
    } | changes  # fmt: skip
    raw = {"name": "random", "title": "A study", "study": section}
    return parse(StudyConfig, raw, "study.yaml").study


def test_every_family_is_counted_at_every_density(files):
    counted = run(study())
    by_name = {v.name: v for v in counted.variants}
    assert set(by_name) == {"dense", "structured", "nm", "pattern", "csc", "bitmask"}
    for variant in counted.variants:
        assert set(variant.results) == {0.25, 1.0}
    assert by_name["dense"].nonzeros == 16 * 72 + 16 * 72 + 10 * 1024
    assert by_name["csc"].nonzeros == pytest.approx(3000, abs=2)
    # systolic arrays do not look at activations, the bitmask join skips their zeros
    for name in ("dense", "structured", "nm", "pattern"):
        assert by_name[name].results[0.25].cycles == by_name[name].results[1.0].cycles
    assert by_name["bitmask"].results[0.25].cycles < by_name["bitmask"].results[1.0].cycles


def test_cycles_are_those_of_the_checkpoint_and_its_activations(files):
    counted = run(study())
    (csc,) = (v for v in counted.variants if v.name == "csc")
    arch, network = ArchConfig.read("csc_4x16"), NetworkConfig.read("small.yaml")
    made = synthetic.find_or_make(SyntheticConfig.read("nonstructured.yaml"))
    for density in (0.25, 1.0):
        operands = on_random_acts(network, made, 2, 0, density)
        cycles = sum(
            array_model(arch).count(arch, g).cycles
            for layer in operands.values()
            for g in layer.gemms()
        )
        assert csc.results[density].cycles == cycles


def test_stored_bits_are_the_layers_own(files):
    by_name = {v.name: v for v in run(study()).variants}
    assert by_name["dense"].bits.values == 8 * by_name["dense"].nonzeros
    for name in ("csc", "bitmask", "structured", "nm"):
        assert by_name[name].bits.values == 4 * by_name[name].nonzeros, name


def test_the_report_says_that_they_are_synthetic(files):
    (files / "study.yaml").write_text(
        yaml.safe_dump(
            {"name": "random", "title": "A study", "study": study().model_dump(exclude_none=True)}
        )
    )
    result = CliRunner().invoke(cli.app, ["study", "study.yaml"])
    assert result.exit_code == 0, result.output
    assert "A study (synthetic weights)" in result.output
    folder = files / "build/study/random"
    report = (folder / "report.md").read_text()
    assert report.startswith("# A study (synthetic weights)")
    assert "note of pattern" in report
    assert "not run in RTL" in report
    rows = list(csv.DictReader((folder / "results.csv").read_text().splitlines()))
    assert len(rows) == 6 * 2 * 3
    assert all(row["weights"].endswith("(synthetic weights)") for row in rows)
    document = json.loads((folder / "results.json").read_text())
    assert "synthetic weights" in document["title"]
    assert "synthetic weights" in document["answer"]
    for picture in ("cycles_by_density", "stored_by_kind"):
        assert "(synthetic weights)" in (folder / f"{picture}.svg").read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"baseline": "csr"}, "baseline must name a variant"),
        ({"act_densities": [0.5, 0.5]}, "act_densities must be different"),
        (
            {"variants": [{"name": "dense", "arch": "dense_8x8_ws"}] * 2},
            "variants must have different names",
        ),
        (
            {
                "variants": [
                    {"name": "dense", "arch": "dense_8x8_ws"},
                    {"name": "large", "arch": "dense_16x16_ws"},
                ]
            },
            "must have the same number of multipliers",
        ),
        ({"network": "lenet5"}, "must be a recipe for lenet5, not small"),
        (
            {
                "variants": [
                    {"name": "dense", "arch": "nm_1x4_8x8_ws", "recipe": "nonstructured.yaml"}
                ]
            },
            "must be at most 1 of 4",
        ),
    ],
)
def test_bad_studies_are_one_line(files, changes, message):
    with pytest.raises(InputError, match=r"^[^\n]*$") as caught:
        run(study(**changes), "study.yaml")
    assert message in str(caught.value)


BUDGETS = {
    "areas": [2, 20], "bandwidths": [1, None], "batches": [1], "technologies": ["45nm"],
    "runs": [
        {"checkpoints": ["dense", "structured.yaml"], "archs": ["dense_8x8_ws", "dense_8x8_os"]},
        {"checkpoints": ["nonstructured.yaml"], "archs": ["csc_4x16_index7", "bitmask_64_greedy"]},
    ],
}  # fmt: skip


def test_sides_choose_under_equal_budgets(files):
    config = study(budgets=BUDGETS)
    choices = synthetic_choices(config, "study.yaml")
    kinds = {name: (model.kind, model.weight_width) for name, model in choices.models.items()}
    assert kinds == {
        "dense": ("dense", 8), "structured.yaml": ("structured", 8),
        "nonstructured.yaml": ("nonstructured", 8),
    }  # fmt: skip
    # all weights, and those of the recipes, in the width of the designs
    assert choices.models["dense"].nonzeros == 16 * 72 + 16 * 72 + 10 * 1024
    assert choices.models["nonstructured.yaml"].nonzeros == pytest.approx(3000, abs=2)
    found = budgets.search(choices, "study.yaml", files / "points.sqlite")
    judged = cells(found)
    assert len(judged) == 2 * 2 * 2 * 4
    assert {cell.technology for cell in judged} == {"45nm"}
    for cell in judged:
        assert set(cell.kinds) <= {
            ("dense", "systolic"), ("structured", "systolic"), ("nonstructured", "index-decoding")
        }  # fmt: skip
        assert set(cell.best) == {"systolic", "index-decoding"}
    page = synthetic_report.write(run(config), "A study", "hwsim study x", files / "out", found)
    text = page.with_suffix(".md").read_text()
    assert text.index("map_45nm.png") < text.index("fewest cycles") < text.index("Every budget")
    with (files / "out" / "map.csv").open(newline="") as file:
        assert len(list(csv.DictReader(file))) == len(judged)
    assert json.loads((files / "out" / "results.json").read_text())["map"][0]["batch"] == 1


@pytest.mark.parametrize(
    ("runs", "said"),
    [
        (None, "runs must be given: recipes and designs"),
        (
            [{"checkpoints": ["nm.yaml"], "archs": ["dense_8x8_ws", "dense_8x8_ws_w4"]}],
            "must be designs of one weight width",
        ),
        ([{"checkpoints": ["dense"], "archs": ["dense_8x8_ws"]}], "must name a recipe"),
        ([{"checkpoints": ["absent"], "archs": ["dense_8x8_ws"]}], "absent"),
    ],
)
def test_budgets_that_cannot_be_searched_are_refused(files, runs, said):
    asked = {key: value for key, value in BUDGETS.items() if key != "runs"}
    if runs is not None:
        asked["runs"] = runs
    with pytest.raises(InputError, match=said):
        synthetic_choices(study(budgets=asked), "study.yaml")
