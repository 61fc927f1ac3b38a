"""McNemar's exact test, by brute force and on shipped models."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import pytest
from harness.study_cases import Case, study
from hypothesis import given
from hypothesis import strategies as st

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import CHECKPOINTS
from hwsim.checkpoints.heldout import RECORD, HeldOut, digest, heldout_of, read
from hwsim.errors import InputError
from hwsim.studies import compare, report
from hwsim.studies.choices import rules_of
from hwsim.studies.paired import Paired


@pytest.mark.parametrize("lost", range(5))
@pytest.mark.parametrize("gained", range(5))
def test_the_chance_is_that_of_all_ways_to_differ(lost, gained):
    ways = list(product((0, 1), repeat=lost + gained))
    as_bad = sum(sum(way) >= lost for way in ways)
    assert Paired(lost, gained).p == as_bad / len(ways)


def test_a_model_that_loses_nothing_is_not_worse():
    assert Paired(0, 0).p == 1
    assert Paired(0, 9).p == 1
    assert Paired(9, 0).p == 2**-9


@given(st.integers(0, 40), st.integers(0, 40), st.sampled_from([0.01, 0.05, 0.5]))
def test_images_to_spare_are_those_up_to_the_level(lost, gained, level):
    spare = Paired(lost, gained).margin(level)
    assert Paired(lost + spare, gained).p > level
    assert Paired(lost + spare + 1, gained).p <= level


def test_the_record_has_the_accuracy_that_each_checkpoint_says():
    known = read(RECORD)
    recorded = 0
    for path in sorted(CHECKPOINTS.glob("*.safetensors")):
        heldout = heldout_of(path)
        if heldout is None:
            continue
        recorded += 1
        info = Checkpoint.read(path).info
        assert heldout.accuracy == pytest.approx(info["accuracy_heldout"], abs=1e-12)
        assert max(heldout.wrong, default=0) < heldout.images
        assert known[digest(path)] == heldout
    # rows of files that are no more, or of others of the same name, are of no use
    assert recorded == len(known)


def test_a_file_that_is_not_on_record_has_no_images(tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"other")
    assert heldout_of(path) is None


@pytest.mark.parametrize("text", ["sha256,images\n1,2\n", "sha256,images,wrong\n1,two,3\n"])
def test_a_record_that_is_none_is_refused_with_its_line(tmp_path, text):
    path = tmp_path / "heldout.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"heldout\.csv: line 2"):
        read(path)


@pytest.fixture(scope="module")
def tested(tmp_path_factory):
    """A study with a level: its baseline misses 20 of 5,000, others what the case's name says."""
    wrong = {
        "dense": range(20),
        # 8 more, none of them gained: 2^-8 is less than any level here
        "worse": range(28),
        # 12 more, but it differs in many: the bound refuses it, the test does not
        "other": range(100, 132),
        # no record: the bound decides
        "unknown": None,
    }
    heldout = {"dense": 0.996, "worse": 0.9944, "other": 0.9936, "unknown": 0.995}
    kinds = {"dense": "dense", "worse": "structured", "other": "nonstructured"}
    cases = [
        Case(name, kinds.get(name, "structured"), heldout=heldout[name], test=0.99)
        for name in wrong
    ]
    config, path = study(tmp_path_factory.mktemp("study"), cases, accuracy_level=0.05)
    comparison = compare.run(config, str(path))
    known = {
        name: None if missed is None else HeldOut(5000, frozenset(missed))
        for name, missed in wrong.items()
    }
    variants = [
        replace(v, model=replace(v.model, heldout=known[v.model.name])) for v in comparison.variants
    ]
    return replace(comparison, variants=variants)


def test_the_test_decides_where_it_can_and_the_bound_stands_beside(tested):
    models = {model.name: model for model in tested.models}
    assert {name: tested.is_equal(model) for name, model in models.items()} == {
        "dense": True, "worse": False, "other": True, "unknown": True,
    }  # fmt: skip
    assert {name: tested.is_within(model) for name, model in models.items()} == {
        "dense": True, "worse": True, "other": False, "unknown": True,
    }  # fmt: skip
    assert tested.paired(models["worse"]) == Paired(8, 0)
    assert tested.paired(models["other"]) == Paired(32, 20)
    assert tested.paired(models["unknown"]) is None
    # a bound that is asked for decides alone
    assert not tested.is_equal(models["other"], 0.1)


def test_other_rules_stand_beside_the_studys(tested):
    """Twice and half its level, the bound; where there is no level, twice and half the bound."""
    rules = rules_of(tested)
    assert list(rules) == [
        "level 0.05", "level 0.05, 8 bits alone", "level 0.1", "level 0.025", "within 0.2 points",
    ]  # fmt: skip
    admitted = {
        rule: {model.name for model in tested.models if admits(model)}
        for rule, admits in rules.items()
    }
    assert admitted["level 0.05"] == admitted["level 0.05, 8 bits alone"]
    assert admitted["level 0.05"] == admitted["level 0.025"] == {"dense", "other", "unknown"}
    assert admitted["level 0.1"] == {"dense", "unknown"}
    assert admitted["within 0.2 points"] == {"dense", "worse", "unknown"}
    narrow = [replace(model, weight_width=4) for model in tested.models]
    assert not any(rules["level 0.05, 8 bits alone"](model) for model in narrow)
    plain = replace(tested, config=tested.config.model_copy(update={"accuracy_level": None}))
    rules = rules_of(plain)
    assert list(rules) == [
        "within 0.2 points", "within 0.2 points, 8 bits alone", "within 0.1 points",
        "within 0.4 points",
    ]  # fmt: skip
    (worse,) = (model for model in plain.models if model.name == "worse")
    assert [admits(worse) for admits in rules.values()] == [True, True, False, True]


def test_a_report_shows_both_rules_and_where_they_disagree(tested, tmp_path):
    columns, rows = report.accuracy_table(tested)
    shown = {row[0]: dict(zip(columns, row, strict=True)) for row in rows}
    assert (shown["worse"]["by the test"], shown["worse"]["by the bound"]) == (False, True)
    assert shown["other"]["p"] == f"{Paired(32, 20).p:.4f}"
    assert shown["unknown"]["p"] is None
    assert [shown[name]["images to spare"] for name in shown] == [4, -4, 0, None]
    page = report.write_comparison(tested, "Tiny", "hwsim study", [], tmp_path)
    text = page.with_suffix(".md").read_text()
    assert "disagree on worse, other." in text
    assert "no worse than dense by a paired test at a level of 0.05" in text
