"""What a study leaves: all of it, or what was there before."""

from __future__ import annotations

import csv
import json
import re

import pytest
from harness.study_cases import Case, study

from hwsim.errors import InputError
from hwsim.report.page import Report
from hwsim.studies import compare, curves, report

CASES = [
    Case("dense", heldout=0.99),
    Case("half", "structured", 0.5, heldout=0.989),
    Case("eighth", "structured", 0.125, heldout=0.985),
    Case("broken", "structured", 0.02, heldout=0.3),
    Case("tenth", "nonstructured", 0.1, heldout=0.99),
    Case("ternary", bits=4, heldout=0.99),
]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    config, path = study(tmp_path_factory.mktemp("study"), CASES)
    return compare.run(config, str(path))


@pytest.fixture(scope="module")
def written(comparison, tmp_path_factory):
    """Folder of a report."""
    folder = tmp_path_factory.mktemp("report")
    page = report.write_comparison(comparison, "Tiny", "hwsim study tiny", [], folder)
    assert page == folder / "report.html"
    return folder


def test_tables_and_pictures_agree(comparison, written):
    pictures = {
        "accuracy_by_bits",
        "accuracy_by_cycles",
        "cycles_by_cause",
        "bits_by_kind",
        "speedup_by_layer",
    }
    names = {f"{name}.{kind}" for name in pictures for kind in ("png", "svg")}
    names |= {"report.md", "report.html", "results.json", "results.csv"}
    assert {path.name for path in written.iterdir()} == names
    text = (written / "report.md").read_text()
    assert all(f"{name}.png" in text for name in pictures)
    page = (written / "report.html").read_text()
    assert page.count("<figure>") == len(pictures)
    # what a variant takes of a page: one of two hundred stays below half a megabyte
    assert len(page) < 30_000 + 2_500 * len(comparison.variants)
    # every variant's mark is there, and says which design it is
    said = json.loads(re.findall(r'id="details">(.*?)</script>', page)[0])["details"]
    # but those far below the axis, as in the pictures
    drawn = [each for each in comparison.variants if each.model.name != "broken"]
    assert {each["title"] for each in said} == {each.name for each in drawn}
    for variant in drawn:
        (own,) = (each for each in said if each["title"] == variant.name)
        assert own["says"].startswith(f"{variant.model.name} on {variant.arch.name}\n")
        assert [f"cycles for {comparison.config.images} images", f"{variant.result.cycles:,}"] in (
            own["rows"]
        )
    document = json.loads((written / "results.json").read_text())
    assert len(document["variants"]) == len(comparison.variants)
    assert set(document["chosen"]) == {model.name for model in comparison.chosen.values()}
    with (written / "results.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["layer"] for row in rows[:3]] == ["conv1", "fc1", "total"]
    for variant, total in zip(comparison.variants, rows[2::3], strict=True):
        assert (total["checkpoint"], total["arch"]) == (variant.model.name, variant.arch.name)
        assert int(total["cycles"]) == variant.result.cycles
        assert int(total["bits_total"]) == variant.result.bits.total
        assert f"{variant.result.cycles:,}" in text
    for line in document["supports"] + document["limits"]:
        assert f"- {line}" in text


def test_a_report_that_cannot_be_finished_leaves_the_last_one(comparison, written, monkeypatch):
    before = {path.name: path.read_bytes() for path in written.iterdir()}

    def full(*_):
        raise InputError("x", "", None, "cannot be written: No space left on device")

    monkeypatch.setattr(curves, "accuracy_by_cycles", full)
    with pytest.raises(InputError, match="No space left"):
        report.write_comparison(comparison, "Second", "x", [], written)
    assert {path.name: path.read_bytes() for path in written.iterdir()} == before


def test_the_same_study_gives_the_same_files(comparison, written, tmp_path):
    report.write_comparison(comparison, "Tiny", "hwsim study tiny", [], tmp_path)
    for path in written.iterdir():
        assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name


@pytest.mark.parametrize("cases", [CASES[:1], [CASES[0], CASES[4]]])
def test_curves_of_any_study_can_be_drawn(tmp_path, cases):
    config, path = study(tmp_path, cases)
    comparison = compare.run(config, str(path))
    assert curves.accuracy_by_bits(comparison, tmp_path).is_file()
    assert curves.accuracy_by_cycles(comparison, tmp_path).is_file()


def test_proofs_are_counted(tmp_path):
    proof = {
        "variant": "v", "case": "fc1", "M": 1, "K": 2, "N": 3,
        "cycles_simulator": 4, "cycles_rtl": 4,
    }  # fmt: skip
    proofs = [proof | {"equal": True}, proof | {"equal": False}]
    page = Report("Tiny")
    report._proof(page, proofs)
    assert "1 of 2 runs of real layers" in page.write(tmp_path)[0].read_text()
