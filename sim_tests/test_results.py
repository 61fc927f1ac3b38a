"""Tables and records that commands of benchmarks/ write are as those commands would write them."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

import pytest

from hwsim.config import ArchConfig, TechConfig
from hwsim.config.base import CONFIGS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def script(monkeypatch):
    """Import a script of benchmarks/ by name."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    yield importlib.import_module
    for name in ("results", "gates", "common"):
        sys.modules.pop(name, None)


def test_the_page_has_the_table_of_the_shipped_checkpoints(script):
    results = script("results")
    page = results.PAGE.read_text()
    assert results.replaced(page, "compression", results.compression()) == page, (
        "renew it: python benchmarks/results.py --write"
    )


def test_each_row_names_a_recipe_that_ships(script):
    results = script("results")
    for row in results.rows():
        assert (CONFIGS / "compress" / f"{row.name}.yaml").is_file()
        assert row.checkpoint.info["command"] == f"hwsim compress {row.name}"


def test_only_what_is_between_the_marks_changes(script):
    replaced = script("results").replaced
    page = "a\n<!-- x: begin -->\nold\n\nold\n<!-- x: end -->\nb\n"
    once = replaced(page, "x", r"new \1 $&")
    assert once == "a\n<!-- x: begin -->\n\nnew \\1 $&\n\n<!-- x: end -->\nb\n"
    assert replaced(once, "x", r"new \1 $&") == once
    assert replaced(page, "y", "new") == page


def test_the_record_of_gates_is_of_designs_and_as_its_command_writes_it(script):
    gates = script("gates")
    designs = dict(TechConfig.read("generic").designs)
    assert gates.written(designs) == gates.PAGE.read_text()
    for name in designs:
        assert ArchConfig.read(name).name == name


def test_the_record_is_what_synthesis_counts(script, tmp_path):
    pytest.importorskip("pyosys", reason="cells need pyosys: pip install 'hwsim[synth]'")
    from rtl.synth import synthesize_array

    # the smallest design stands for all
    record = TechConfig.read("generic").designs["dense_8x8_ws_binary"]
    arch = ArchConfig.read("dense_8x8_ws_binary")
    cells = synthesize_array(arch, "generic", tmp_path)[0]
    assert cells is not None
    found = (cells.count("logic"), cells.count("flip_flops"), cells.memory_bits)
    assert found == (record.logic, record.flip_flops, record.memory_bits)
