"""Tables and records that commands of benchmarks/ write are as those commands would write them."""

from __future__ import annotations

import csv
import importlib
import json
import sys
from pathlib import Path

import pytest
from harness.study_cases import Case, study

from hwsim.config import ArchConfig
from hwsim.config.arrays.registry import FAMILIES
from hwsim.config.catalog import CONFIGS
from hwsim.config.jobs.synthetic import read_recipe
from hwsim.config.parts import PartsConfig
from hwsim.cost.book import Book
from hwsim.report.page import table_lines
from hwsim.studies import compare, verdict
from hwsim.studies.report import write_comparison

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch):
    """Import a script of benchmarks/ by name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield importlib.import_module
    for name in ("seeds", "results", "silicon", "ecp5", "cells", "parts", "common"):
        sys.modules.pop(name, None)


def test_the_page_has_the_table_of_the_shipped_checkpoints(script):
    results = script("results")
    page = results.PAGE.read_text()
    assert results.replaced(page, "compression", results.compression()) == page, (
        "renew it: python benchmarks/results.py --write"
    )


def test_the_pages_have_the_tables_of_the_seeds(script):
    seeds, common = script("seeds"), script("common")
    for block, (page, text) in seeds.blocks().items():
        written = page.read_text()
        assert common.replaced(written, block, text) == written, (
            "renew them: python benchmarks/seeds.py"
        )


def test_a_run_comes_back_from_the_record(script):
    seeds = script("seeds")
    for run in seeds.recorded():
        row = {key: str(value) for key, value in run.row().items()}
        assert seeds.Run.parse(row) == run
        assert read_recipe(run.checkpoint).name == run.checkpoint
        assert run.heldout == pytest.approx(1 - len(run.wrong) / run.images)
        assert seeds.shipped(run.checkpoint) is None


def test_each_row_names_a_recipe_that_ships(script):
    results = script("results")
    for row in results.rows():
        assert read_recipe(row.name).name == row.name
        assert row.checkpoint.info["command"] == f"hwsim compress {row.name}"


@pytest.mark.parametrize(("table", "column"), [("parts", "composed_um2"), ("liberty", "facts_um2")])
def test_what_holds_the_parts_to_something_is_of_these_parts(script, table, column):
    """Renew it: python benchmarks/parts.py --check, or --liberty FILE."""
    parts = script("parts")
    book = PartsConfig.read(parts.PAGE)
    with (ROOT / "benchmarks" / "results" / f"{table}.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["design"] for row in rows] == list(parts.CHECKED)
    for row in rows:
        gates, flip_flops = parts.composed(ArchConfig.read(row["design"]), book)
        assert int(row[column]) == round(gates), row["design"]
        assert int(row.get("composed_flip_flops", flip_flops)) == flip_flops, row["design"]


def test_every_design_that_ships_has_area_clock_and_energy_on_record(script):
    """Renew it: python benchmarks/silicon.py."""
    silicon, common = script("silicon"), script("common")
    with (ROOT / "benchmarks" / "results" / "silicon.csv").open() as file:
        rows = list(csv.DictReader(file))
    designs = sorted(path.stem for path in (CONFIGS / "arch").glob("*.yaml"))
    for technology in silicon.TECHNOLOGIES:
        own = {row["design"]: row for row in rows if row["technology"] == technology}
        assert sorted(own) == designs
        book = Book(technology)
        for name, row in own.items():
            arch = ArchConfig.read(name)
            area = book.area(arch)
            found = (area.gates, area.flip_flops, area.memory)
            columns = ("gates_mm2", "flip_flops_mm2", "memories_mm2")
            assert [float(row[each]) for each in columns] == [round(x / 1e6, 4) for x in found]
            assert float(row["mhz"]) == book.clock(arch).to_rows()[0]["mhz"], name
            assert float(row["us_per_image"]) > 0
            assert float(row["array_uj_per_image"]) < float(row["uj_per_image"])
    page = common._SILICON.read_text()
    for row in rows:
        assert f"| `{row['design']}` | {row['weights']} |" in page


def test_designs_that_are_placed_are_of_every_family_and_valid(script):
    designs = script("ecp5").designs()
    assert {arch.array.family for arch in designs} == set(FAMILIES)
    for arch in designs:
        # a changed key is checked as that of a file is
        assert ArchConfig.model_validate(arch.model_dump(exclude_none=True)) == arch


def test_the_page_of_cells_has_a_row_of_every_kind_of_design_that_ships(script):
    """Renew it: python benchmarks/cells.py --arrays."""
    cells = script("cells")
    with (ROOT / "benchmarks" / "results" / "cells_arrays.csv").open() as file:
        rows = {row["design"]: row for row in csv.DictReader(file)}
    assert tuple(rows) == cells.DESIGNS
    archs = [ArchConfig.read(name) for name in cells.DESIGNS]
    shipped = [ArchConfig.read(path) for path in (CONFIGS / "arch").glob("*.yaml")]
    assert {arch.array.kind for arch in archs} == {arch.array.kind for arch in shipped}
    page = cells.PAGE.read_text()
    assert f"`hwsim synth {' '.join(cells.DESIGNS)}`" in page
    for arch in archs:
        assert arch.array.multipliers == 64
        row = rows[arch.name]
        bits = sum(memory.bits for memory in arch.array.memories(arch.numbers))
        assert int(row["memory bits"]) == bits, arch.name
        shown = " | ".join(f"{int(row[key]):,}" for key in list(row)[1:])
        assert f"| `{arch.name}` | {shown} |" in page


def test_only_what_is_between_the_marks_changes(script):
    replaced = script("results").replaced
    page = "a\n<!-- x: begin -->\nold\n\nold\n<!-- x: end -->\nb\n"
    once = replaced(page, "x", r"new \1 $&")
    assert once == "a\n<!-- x: begin -->\n\nnew \\1 $&\n\n<!-- x: end -->\nb\n"
    assert replaced(once, "x", r"new \1 $&") == once
    assert replaced(page, "y", "new") == page


def test_what_a_study_found_is_copied(script, tmp_path):
    results = script("results")
    cases = [
        Case("dense", test=0.9931),
        Case("half", "structured", 0.5, test=0.9922),
        Case("tenth", "nonstructured", 0.1, test=0.9913),
    ]
    config, path = study(tmp_path, cases)
    comparison = compare.run(config, str(path))
    proofs = [
        {"variant": "v", "case": "fc1", "M": 1, "K": 2, "N": 3, "cycles_simulator": 4,
         "cycles_rtl": 4, "equal": True},
    ]  # fmt: skip
    write_comparison(comparison, "Tiny", "hwsim study tiny", proofs, tmp_path / "out")
    text = (tmp_path / "out" / "report.md").read_text()
    findings = results._findings(text)
    answer = verdict.answer(comparison)
    winners = table_lines(*verdict.winners(verdict.verdicts(comparison)))
    assert findings.startswith(f"**{answer}**\n\n{winners}\n\n1 of 1 runs of real layers")
    assert not [line for line in findings.splitlines() if line.startswith(("# ", "## ", "### "))]
    assert "![" not in findings
    document = json.loads((tmp_path / "out" / "results.json").read_text())
    short = results._short(text, document)
    assert short.startswith(f"{winners}\n\nIn RTL 1 of 1")
    assert "\n\nIn RTL 1 of 1 runs of real layers gave the same outputs and cycles. " in short
    for ruling in verdict.verdicts(comparison):
        (row,) = (line for line in short.splitlines() if line.startswith(f"| {ruling.measure} |"))
        times, _, side = verdict.times(ruling.factor).partition(" for ")
        assert f"{side}, {times}" in row
    for variant in comparison.variants:
        shown = f"`{variant.arch.name}` | {variant.model.accuracy:.2f} | {variant.model.nonzeros:,}"
        assert (shown in short) == (variant in comparison.best)
