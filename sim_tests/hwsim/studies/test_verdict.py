"""Verdicts: each factor by brute force, and sentences that follow the numbers."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from harness.study_cases import Case, study

from hwsim.studies import compare, verdict
from hwsim.studies.factors import middle

CASES = [
    Case("dense", test=0.9920, heldout=0.9900),
    Case("half", "structured", 0.5, heldout=0.9890),
    Case("quarter", "structured", 0.25, heldout=0.9885),
    Case("tenth", "nonstructured", 0.1, heldout=0.9895),
    Case("fortieth", "nonstructured", 0.025, heldout=0.9860),
    Case("narrow", "structured", 0.25, bits=4, heldout=0.9885),
    Case("sparse", "nonstructured", 0.1, bits=4, heldout=0.9885),
]
SCALE = {"KB": 8e3, "": 1, "us": 1, "us mm2": 1, "uJ": 1}


def compared(folder, cases):
    config, path = study(folder, cases)
    return compare.run(config, str(path))


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    return compared(tmp_path_factory.mktemp("study"), CASES)


@pytest.mark.parametrize("bound", [None, 0.06, 0.5])
def test_each_side_has_its_best_variant_of_equal_accuracy(comparison, bound):
    rulings = {(v.measure, v.weight_width): v for v in verdict.verdicts(comparison, bound)}
    points = 0.2 if bound is None else bound
    equal = [v for v in comparison.variants if 99 - v.model.accuracy_heldout <= points + 1e-9]
    costs = {
        "storage": lambda v: v.result.bits.total,
        "storage, best format": lambda v: min(v.result.bits.total, v.model.own[1].total),
        "cycles": lambda v: v.result.cycles,
        "time": lambda v: v.result.cycles / v.silicon.mhz,
        "time x area": lambda v: v.result.cycles / v.silicon.mhz * v.silicon.area.total / 1e6,
        "energy": lambda v: v.silicon.energy.total / 1e6,
    }
    for measure, cost in costs.items():
        for width in (8, 4, None):
            sides = [
                [
                    cost(v)
                    for v in equal
                    if cost(v) is not None
                    and width in (None, v.arch.numbers.weight_width)
                    and (v.arch.array.family in ("csc", "bitmask")) == decodes
                ]
                for decodes in (True, False)
            ]
            several = len({v.model.weight_width for v in equal}) > 1
            if all(sides) and (width or several):
                best = (min(sides[0]), min(sides[1]))
                assert rulings[measure, width].costs == pytest.approx(best, rel=1e-12)
            else:
                assert (measure, width) not in rulings
    assert ("cycles", 8) in rulings
    assert (("cycles", 4) in rulings) == (bound != 0.06)


def test_structured_weights_on_an_index_decoding_array_are_on_neither_side(tmp_path):
    runs = [
        {"checkpoints": [str(tmp_path / "dense.safetensors")], "archs": ["dense_8x8_ws"]},
        {"checkpoints": [str(tmp_path / "s.safetensors")], "archs": ["bitmask_64_greedy"]},
    ]
    cases = [Case("dense"), Case("s", "structured", 0.1)]
    config, path = study(tmp_path, cases, runs=runs)
    comparison = compare.run(config, str(path))
    assert verdict.verdicts(comparison) == []
    assert "not judged" in verdict.answer(comparison)


@pytest.mark.parametrize(
    ("costs", "outcome", "words"),
    [
        ((200, 100), "supported", "2.00x for systolic"),
        ((100, 200), "not supported", "2.00x for non-structured"),
        ((100, 104), "a tie", "1.04x for non-structured"),
        ((104, 100), "a tie", "1.04x for systolic"),
        ((106, 100), "supported", "1.06x for systolic"),
    ],
)
def test_the_thesis_follows_the_factor(comparison, monkeypatch, costs, outcome, words):
    first, second = comparison.variants[0], comparison.variants[1]
    known = {first.name: costs[0], second.name: costs[1]}
    monkeypatch.setitem(verdict.MEASURES, "made up", ("", lambda v: known[v.name]))
    ruling = verdict.Verdict("made up", 8, first, second)
    assert ruling.thesis == outcome
    assert verdict.times(ruling.factor) == words
    assert ruling.to_dict()["factor"] == costs[0] / costs[1]


def test_the_answer_has_every_outcome(comparison):
    said = {}
    for part in verdict.answer(comparison).partition('" is ')[2].removesuffix(".").split("; "):
        outcome, _, measures = part.partition(" in ")
        said |= dict.fromkeys(measures.split(" and in "), outcome)
    outcomes = {}
    for each in verdict.verdicts(comparison):
        name, _, qualifier = each.measure.partition(", ")
        key = f"{name} ({qualifier})" if qualifier else name
        outcomes.setdefault(key, set()).add(each.thesis)
    assert said == {
        measure: min(theses) if len(theses) == 1 else "dependent on the width of weights"
        for measure, theses in outcomes.items()
    }


def test_the_table_of_winners_names_side_and_factor(comparison, monkeypatch):
    first, second, third = comparison.variants[:3]
    known = {first.name: 1651, second.name: 1000, third.name: 1010}
    monkeypatch.setitem(verdict.MEASURES, "a", ("", lambda v: known[v.name]))
    monkeypatch.setitem(verdict.MEASURES, "b", ("", lambda v: known[v.name]))
    rulings = [
        verdict.Verdict("a", 8, first, second),
        verdict.Verdict("a", None, second, first),
        verdict.Verdict("b", 8, second, third),
    ]
    assert verdict.winners(rulings) == (
        ["measure", "8 bits", "any width"],
        [
            ["a", "systolic, 1.65x", "non-structured, 1.65x"],
            ["b", "a tie (non-structured, 1.01x)", None],
        ],
    )


def test_the_table_of_winners_has_every_factor(comparison):
    rulings = verdict.verdicts(comparison)
    columns, rows = verdict.winners(rulings)
    assert columns == ["measure", "8 bits", "4 bits", "any width"]
    cells = {(row[0], at): cell for row in rows for at, cell in zip(columns, row, strict=True)}
    for ruling in rulings:
        factor, _, side = verdict.times(ruling.factor).partition(" for ")
        shown = cells.pop((ruling.measure, ruling.at))
        assert f"{side}, {factor}" in shown
        assert shown.startswith("a tie") == (ruling.thesis == "a tie")
    assert all(at == "measure" or cell is None for (_, at), cell in cells.items())


def test_sentences_carry_the_numbers(comparison):
    said = " ".join(verdict.supports(comparison))
    for width in (8, 4):
        equal = [v for v in comparison.variants if v.model.weight_width == width]
        equal = [v for v in equal if comparison.is_equal(v.model)]
        small = min(v.result.bits.total for v in equal)
        fast = min(v.result.cycles for v in equal)
        assert f"{small / 8000:,.2f} KB with indices" in said
        assert f"{fast:,}, " in said
    for ruling in verdict.verdicts(comparison):
        first, second = ruling.shown()
        assert f"non-structured {first}" in said
        assert f"systolic {second}" in said
        unit = verdict.MEASURES[ruling.measure][0]
        value = float(first.removesuffix(unit).strip().replace(",", ""))
        assert value == pytest.approx(ruling.costs[0] / SCALE[unit], abs=0.5 if not unit else 0.005)


def test_limits_name_what_is_open(comparison):
    said = " ".join(verdict.limits(comparison))
    names = re.search(r"smaller one may be, too: (.*?)\. ", said)
    assert names is not None
    # of the non-structured ones of 8 bits a smaller one was tried; one alone is no series
    assert names[1].endswith("quarter")
    assert "tenth" not in names[1]
    assert "standard error of an accuracy of 99.20 % on 10,000 images is 0.09 points" in said
    assert "Not every checkpoint" not in said


def test_limits_name_a_kind_that_is_never_equal(tmp_path):
    cases = [Case("dense"), Case("bad", "structured", 0.5, heldout=0.95)]
    said = " ".join(verdict.limits(compared(tmp_path, cases)))
    assert "No structured model of 8 bits is of equal accuracy" in said
    assert "4.00 points below" in said


def test_limits_name_near_misses(tmp_path):
    cases = [
        Case("dense", test=0.99, heldout=0.99),
        Case("half", "structured", 0.5, heldout=0.989),
        Case("quarter", "structured", 0.25, heldout=0.9876),
        Case("eighth", "structured", 0.125, heldout=0.985),
        Case("worse", "structured", 0.8, heldout=0.9876),
    ]
    said = " ".join(verdict.limits(compared(tmp_path, cases)))
    assert "by less than that error, in points: quarter (0.04)." in said


def test_limits_name_luck(tmp_path):
    lucky = Case("lucky", "structured", 0.5, heldout=0.99, test=0.98)
    said = " ".join(verdict.limits(compared(tmp_path, [Case("dense"), lucky])))
    assert re.search(r"more than 0.2 points below the baseline: lucky \(1\.00\)", said)
    unknown = Case("unknown", "structured", 0.5, heldout=None)
    said = " ".join(verdict.limits(compared(tmp_path, [Case("dense"), unknown])))
    assert "favours the lucky" in said


def test_limits_name_verdicts_that_another_bound_turns_round(tmp_path):
    cases = [
        Case("dense", heldout=0.99),
        Case("half", "structured", 0.5, heldout=0.99),
        Case("tenth", "nonstructured", 0.02, heldout=0.985),
        Case("most", "nonstructured", 0.9, heldout=0.99),
    ]
    comparison = compared(tmp_path, cases)
    # at equal accuracy the non-structured model is hardly pruned, at half a point it is the smaller
    cycles = {
        bound: next(
            v for v in verdict.verdicts(comparison, bound) if v.measure == "storage, best format"
        )
        for bound in (0.2, 0.5)
    }
    assert cycles[0.2].thesis == "supported"
    assert cycles[0.5].thesis == "not supported"
    said = " ".join(verdict.limits(comparison))
    assert "Storage, best format, 8 bits: the verdict holds at this bound; at 0.5, 1, 2" in said


def test_a_study_without_a_technology_is_about_cycles_and_bits(comparison):
    blind = replace(comparison, variants=[replace(v, silicon=None) for v in comparison.variants])
    measures = {v.measure for v in verdict.verdicts(blind)}
    assert measures == {"storage", "storage, best format", "cycles"}
    assert "energy" not in verdict.answer(blind)


#: Seeds that budgets name; the second structured one is not equal, the dense network is of one.
RERUNS = [
    Case("dense", heldout=0.9900),
    Case("quarter", "structured", 0.25, heldout=0.9890),
    Case("tenth", "nonstructured", 0.2, heldout=0.9890),
    Case("quarter_s1", "structured", 0.5, heldout=0.9890),
    Case("quarter_s2", "structured", 0.5, heldout=0.9000),
    Case("tenth_s1", "nonstructured", 0.02, heldout=0.9890),
    # of a base that is not among the runs: its seed is none of the verdicts
    Case("other_s3", "nonstructured", 0.02, heldout=0.9890),
]


@pytest.fixture(scope="module")
def seeded(tmp_path_factory):
    folder = tmp_path_factory.mktemp("seeds")
    for case in RERUNS:
        seed = int(case.name[-1]) if "_s" in case.name else 0
        case.info, case.dataset = {"recipe": {"dataset": "mnist", "seed": seed}}, None
    files = [str(folder / f"{case.name}.safetensors") for case in RERUNS]
    runs = [
        {"checkpoints": [files[0], files[1]], "archs": ["dense_8x8_ws", "dense_8x8_os"]},
        {"checkpoints": [files[2]], "archs": ["csc_4x16", "bitmask_64_greedy"]},
    ]
    chosen = [
        {"checkpoints": [files[k] for k in (0, 1, 3, 4)], "archs": ["dense_8x8_ws"]},
        {"checkpoints": [files[k] for k in (2, 5, 6)], "archs": ["csc_8x8"]},
    ]
    section = {"areas": [12], "bandwidths": [None], "batches": [1], "runs": chosen}
    config, path = study(folder, RERUNS, runs=runs, budgets=section)
    return compare.run(config, str(path))


def test_each_seed_has_its_own_models_of_equal_accuracy(seeded):
    named = {seed: {v.model.name for v in group} for seed, group in seeded.reruns.items()}
    assert named == {1: {"dense", "quarter_s1", "tenth_s1"}, 2: {"dense", "tenth"}}
    assert {v.model.name for v in seeded.variants} == {"dense", "quarter", "tenth"}


def test_a_verdict_is_the_median_over_every_pair_of_seeds(seeded):
    rulings = {(v.measure, v.weight_width): v for v in verdict.verdicts(seeded)}
    for (measure, _), ruling in rulings.items():
        cost = verdict.MEASURES[measure][1]
        best = {True: [], False: []}
        for group in (seeded.variants, seeded.reruns[1], seeded.reruns[2]):
            for decodes, costs in best.items():
                costs.append(min(cost(v) for v in group if v.arch.array.decodes_indices == decodes))
        factors = [ours / theirs for ours in best[True] for theirs in best[False]]
        assert ruling.factors == pytest.approx(factors, rel=1e-12)
        assert ruling.factor == pytest.approx(np.exp(np.median(np.log(factors))), rel=1e-12)
        assert ruling.first_factor == pytest.approx(best[True][0] / best[False][0], rel=1e-12)
    # the sparse seed turns a verdict round, and the table says so
    turned = [v for v in rulings.values() if v.depends_on_seed]
    assert turned
    told = " ".join(cell for row in verdict.winners(list(rulings.values()))[1] for cell in row[1:])
    assert told.count("*") == len(turned)
    columns, rows = verdict.spread(seeded)
    assert columns[2:] == ["least", "median", "most", "pairs of seeds"]
    for ruling, row in zip(rulings.values(), rows, strict=True):
        assert row[:2] == [ruling.measure, ruling.at]
        for of, shown in zip((min, middle, max), row[2:5], strict=True):
            factor = of(ruling.factors)
            assert f"{max(factor, 1 / factor):.2f}x" in shown
            assert ("systolic" if factor >= 1 else "non-structured") in shown
        assert row[5] == "9 of 9"


def test_pairs_without_an_equal_model_are_left_out_and_told(seeded):
    alone = [v for v in seeded.reruns[2] if not v.arch.array.decodes_indices]
    partial = replace(seeded, reruns=seeded.reruns | {2: alone})
    rulings = verdict.verdicts(partial)
    assert {len(ruling.factors) for ruling in rulings} == {6}
    assert {row[-1] for row in verdict.spread(partial)[1]} == {"6 of 9"}


def test_one_seed_has_no_spread(comparison):
    assert not comparison.reruns
    assert verdict.spread(comparison)[1] == []
    assert all(ruling.factor == ruling.first_factor for ruling in verdict.verdicts(comparison))
    assert any("of one seed" in line for line in verdict.limits(comparison))
