"""Equal budgets: every cell by brute force, every seed, and the files that a study leaves."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from harness.study_cases import Case, study

from hwsim.errors import InputError
from hwsim.studies import budgets, compare, effects, report
from hwsim.studies.choices import choices_of
from hwsim.studies.map_report import answer, rules_table, spread, summary_table
from hwsim.studies.verdict_map import MEASURES, cells, lead

CASES = [
    Case("dense", heldout=0.9900),
    Case("quarter", "structured", 0.25, heldout=0.9885),
    Case("tenth", "nonstructured", 0.1, heldout=0.9895),
    # the same recipe with another seed: sparser, so that it is ahead of the first
    Case("tenth_s1", "nonstructured", 0.02, heldout=0.9895),
    Case("poor", "nonstructured", 0.01, heldout=0.9000),
]
AREAS = [1.3, 12, "machine_dense_32x32_ws"]


def section(paths):
    """Budgets of the cases, whose designs all have their parts on record."""
    dense, quarter, tenth, other, poor = paths
    return {
        "areas": AREAS,
        "bandwidths": [0.5, None],
        "batches": [1, 2],
        "runs": [
            {
                "checkpoints": [dense, quarter],
                "archs": ["dense_8x8_ws", "dense_8x8_os"],
                "multipliers": [64],
            },
            {
                "checkpoints": [tenth, other, poor],
                "archs": ["csc_8x8"],
                "multipliers": [64],
            },
        ],
    }


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    cases = [
        Case(c.name, c.kind, c.keep, c.heldout, info={"recipe": {"dataset": "mnist", "seed": seed}})
        for c, seed in zip(CASES, (0, 0, 0, 1, 0), strict=True)
    ]
    for case in cases:
        case.dataset = None
    paths = [str(folder / f"{case.name}.safetensors") for case in cases]
    config, path = study(folder, cases, budgets=section(paths))
    return compare.run(config, str(path))


@pytest.fixture(scope="module")
def found(comparison, tmp_path_factory):
    store = tmp_path_factory.mktemp("store") / "points.sqlite"
    (candidates,) = budgets.search(choices_of(comparison), "study", store)
    return candidates, store


def test_models_that_are_less_accurate_are_no_choice(found):
    candidates, _ = found
    assert {each.model.name for each in candidates.every} == {
        "dense", "quarter", "tenth", "tenth_s1",
    }  # fmt: skip
    # others are of the rules beside the study's: half its bound admits no quarter of the weights
    admitted = {each.model.name: each.admitted_by for each in candidates.every}
    assert "within 0.1 points" in admitted["tenth"] - admitted["quarter"]
    assert {model.name for model in candidates.models} == {case.name for case in CASES}


def test_each_cell_has_the_best_that_fits(found):
    candidates, _ = found
    judged = cells([candidates])
    assert len(judged) == 2 * 2 * len(AREAS) * 2 * len(MEASURES)
    cost = {
        # copies share the bandwidth, and each runs its own images
        "time": lambda s, rate, n: s.microseconds(rate / n) / s.images / n,
        "energy": lambda s, rate, n: s.microjoules(rate / n) / s.images,
        "traffic": lambda s, rate, n: s.traffic_bytes / s.images,
        "storage": lambda s, rate, n: s.bits / 8,
    }
    for cell in judged:
        rate = np.inf if cell.bandwidth is None else cell.bandwidth * 200
        own: dict[tuple[str, int], list[float]] = {}
        for each in candidates.every:
            system = each.system
            copies = each.copies
            fits = copies * system.mm2 <= cell.mm2
            fits = fits and cell.batch % (copies * system.images) == 0
            if fits and (cell.state == "resident" or system.is_cold):
                spent = cost[cell.measure](system, rate, copies)
                # what was not trained with the other seed is the same with both
                seeds = (0, 1) if each.side == "systolic" else (each.model.seed,)
                for seed in seeds:
                    own.setdefault((each.side, seed), []).append(spent)
        for side in ("systolic", "index-decoding"):
            if (side, 0) in own:
                assert cell.best[side].cost == pytest.approx(min(own[side, 0]))
            else:
                assert side not in cell.best
        both = ("systolic", 0) in own and ("index-decoding", 0) in own
        expected = [
            min(own["index-decoding", theirs]) / min(own["systolic", ours])
            for ours, theirs in product((0, 1), (0, 1))
        ] if both else []  # fmt: skip
        assert cell.factors == pytest.approx(tuple(expected))


def test_more_of_a_budget_is_never_worse(found):
    judged = cells([found[0]])
    keys = ("state", "batch", "measure")
    for cell, other in product(judged, judged):
        if any(getattr(cell, key) != getattr(other, key) for key in keys):
            continue
        slower = (cell.bandwidth or np.inf) <= (other.bandwidth or np.inf)
        if slower and cell.mm2 <= other.mm2:
            for side, choice in cell.best.items():
                assert other.best[side].cost <= choice.cost * (1 + 1e-12)


def test_another_rule_is_a_map_without_the_models_that_it_refuses(found, comparison, tmp_path):
    candidates, _ = found
    rule = "within 0.1 points"
    left = [each for each in candidates.every if each.model.name != "quarter"]
    strict, own = cells([candidates], rule), cells([candidates])
    assert [cell.factors for cell in strict] == [
        cell.factors for cell in cells([replace(candidates, every=left)])
    ]
    columns, rows = rules_table({candidates.rules[0]: own, rule: strict})
    turned = sum(a.verdict != b.verdict for a, b in zip(own, strict, strict=True))
    assert turned > 0
    assert [row[:2] for row in rows] == [
        ["within 0.2 points", f"0 of {len(own)}"], [rule, f"{turned} of {len(own)}"],
    ]  # fmt: skip
    factors = [c.factor for c in strict if c.measure == "storage" and c.factor is not None]
    assert rows[1][columns.index("storage: median")] == lead(np.exp(np.median(np.log(factors))))
    # a rule that leaves one side without a model gives no factor
    alone = replace(candidates, every=[e for e in candidates.every if e.side == "systolic"])
    assert rules_table({rule: cells([alone])})[1][0][2:] == ["only systolic"] * len(MEASURES)
    page = report.write_comparison(comparison, "Tiny", "hwsim study", [], tmp_path, [candidates])
    text = page.with_suffix(".md").read_text()
    assert f"| {rule} | {turned} of {len(own)} |" in text
    # a rule that admits the same models says nothing
    assert "8 bits alone" in candidates.rules[1]
    assert "8 bits alone" not in text


def test_ratios_at_equal_area_are_of_weights_of_one_width(found, comparison, tmp_path):
    candidates, _ = found
    measured = effects.measure(comparison)
    alike = candidates.rules[1]
    assert "8 bits alone" in alike
    # as if the smaller model had narrower weights
    every = [
        replace(each, admitted_by=each.admitted_by - {alike})
        if each.model.name == "quarter"
        else each
        for each in candidates.every
    ]
    said = []
    for some in (candidates, replace(candidates, every=every)):
        page = report.write_comparison(comparison, "T", "c", [], tmp_path, [some], measured)
        text = page.with_suffix(".md").read_text()
        said.append(text.partition("At equal area (")[2].partition("Bits per weight")[0])
    assert "all with weights of 8 bits" in said[0]
    # the first area has no room for the other side
    assert ["| quarter on " in each for each in said] == [True, False]


def test_seeds_that_disagree_are_told(found):
    judged = cells([found[0]])
    assert any(len(set(cell.factors)) > 1 for cell in judged)
    told = " ".join(spread(judged))
    turned = [cell for cell in judged if cell.depends_on_seed]
    assert (f"depends on the seed in {len(turned)} cells" in told) == bool(turned)
    for cell in turned:
        assert len({lead(factor).split(",")[0] for factor in cell.factors}) > 1


def test_pairs_with_a_seed_without_an_equal_model_are_counted(found):
    candidates, _ = found
    every = [replace(e, admitted_by=()) if e.model.seed else e for e in candidates.every]
    judged = cells([replace(candidates, every=every)])
    partial = [cell for cell in judged if cell.pairs_left_out]
    assert partial
    assert {len(cell.factors) + cell.pairs_left_out for cell in partial} == {4}
    told = " ".join(spread(judged))
    assert f"In {len(partial)} cells one side has, of some seed, no model that is equal" in told
    assert not any(cell.pairs_left_out for cell in cells([candidates]))


def test_models_of_another_seed_alone_have_a_map(found):
    candidates, _ = found
    every = [
        replace(e, model=replace(e.model, seed=1))
        for e in candidates.every
        if not e.model.name.endswith("_s1")
    ]
    models = list({e.model.name: e.model for e in every}.values())
    judged = cells([replace(candidates, every=every, models=models)])
    assert any(cell.best for cell in judged)


def test_a_point_is_counted_once(comparison, found, monkeypatch):
    candidates, store = found
    assert candidates.ran > 0
    (again,) = budgets.search(choices_of(comparison), "study", store)
    assert again.ran == 0
    assert again.looked == candidates.looked
    assert [each.system.mm2 for each in again.every] == [e.system.mm2 for e in candidates.every]


def test_files_and_page_have_every_cell(comparison, found, tmp_path):
    candidates, _ = found
    judged = cells([candidates])
    page = report.write_comparison(comparison, "Tiny", "hwsim study", [], tmp_path, [candidates])
    with (tmp_path / "map.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == len(judged)
    for row, cell in zip(rows, judged, strict=True):
        assert row["verdict"] == cell.verdict
        assert (float(row["factor"]) if row["factor"] else None) == cell.factor
        for side, choice in cell.best.items():
            assert float(row[f"{side}_cost"]) == choice.cost
    with (tmp_path / "designs.csv").open(newline="") as file:
        designs = list(csv.DictReader(file))
    assert len(designs) == sum(len(cell.kinds) for cell in judged)
    assert sum(row["best_of_side"] == "True" for row in designs) >= len(judged)
    document = json.loads((tmp_path / "results.json").read_text())
    assert len(document["map"]) == len(judged)
    text = page.with_suffix(".md").read_text()
    assert text.index("map_sg13g2.png") < text.index("At equal accuracy")
    assert answer(judged) in text
    columns, rows = summary_table(judged)
    assert len(rows) == 5
    for name, ahead, *factors in rows:
        own = [cell for cell in judged if cell.measure == name.partition(",")[0]]
        budgets_of = len(own) if name in ("energy", "traffic", "storage") else len(own) / 2
        assert sum(map(int, re.findall(r"\d+", ahead))) == budgets_of
        assert len(factors) == len(columns) - 2 == 3
    # a cell says the designs that were chosen, and shows the best of each kind
    html = page.read_text()
    said = json.loads(re.findall(r'id="details">(.*?)</script>', html)[0])["details"]
    for cell in judged:
        own = [each for each in said if each["title"].startswith(f"{cell.measure}, sg13g2: ")]
        chosen = [choice.candidate.name for choice in cell.best.values()]
        assert any(all(name in each["says"] for name in chosen) for each in own)
    assert html.count('<button type="button" data-detail=') >= len(judged)


@pytest.mark.parametrize("width", [1280, 400])
def test_the_page_says_who_was_chosen(found, comparison, tmp_path, chromium, width):
    """In a browser: each cell of the map, by its designs; the curves; nothing beside the window."""
    candidates, _ = found
    judged = cells([candidates])
    page = report.write_comparison(comparison, "Tiny", "hwsim study", [], tmp_path, [candidates])
    chromium.open(page, width)
    assert chromium.value("document.documentElement.scrollWidth") <= width
    marks = chromium.value(
        "[...document.querySelector('.heat').querySelectorAll('button')].map(b => b.textContent)"
    )
    # panels by measure, batch and state, in each the widest bandwidth on top
    panels = {}
    for cell in judged:
        panels.setdefault((cell.measure, cell.batch, cell.state), []).append(cell)
    order = [
        cell
        for measure in MEASURES
        for panel in [each for key, each in panels.items() if key[0] == measure]
        for rate in (None, 0.5)
        for cell in panel
        if cell.bandwidth == rate
    ]
    assert len(marks) == len(order)
    for number in range(0, len(order), 7):
        cell = order[number]
        chromium.move(".heat button", number)
        said = chromium.value("document.getElementById('tip').textContent")
        assert said.startswith(f"{cell.measure}, sg13g2: {cell.mm2:.3g} mm2, ")
        for side, choice in cell.best.items():
            assert f"{side}: {choice.candidate.name}, {choice.cost:,.2f} " in said
    chromium.click(".heat button", number)
    rows = chromium.value("document.querySelectorAll('.shown')[0].querySelectorAll('tr').length")
    assert rows == 1 + len(cell.kinds)
    chromium.move("svg [data-detail]")
    said = chromium.value("document.getElementById('tip').textContent")
    assert said.split("\n")[0] in {variant.name for variant in comparison.variants}
    assert chromium.problems == []


def test_a_budget_that_no_design_fits_has_no_verdict(found):
    candidates, _ = found
    for cell in cells([candidates]):
        if cell.mm2 == 1.3 and cell.measure == "time":
            assert cell.verdict == "only systolic"
            assert cell.factor is None


def test_without_a_model_of_equal_accuracy_nothing_is_searched(tmp_path):
    cases = [Case("dense"), Case("poor", "nonstructured", 0.1, heldout=0.5)]
    paths = [str(tmp_path / f"{case.name}.safetensors") for case in cases]
    asked = {
        "areas": [10], "bandwidths": [None], "batches": [1],
        "runs": [{"checkpoints": [paths[1]], "archs": ["csc_8x8"]}],
    }  # fmt: skip
    config, path = study(tmp_path, cases, budgets=asked)
    comparison = compare.run(config, str(path))
    with pytest.raises(InputError, match=r"study\.budgets\.runs: .*as accurate as the baseline"):
        budgets.search(choices_of(comparison), str(path), tmp_path / "points.sqlite")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"areas": [4, 4]}, "areas must list each one once"),
        ({"bandwidths": [0]}, "greater than 0"),
        ({"areas": [-3]}, r"study\.budgets\.areas\.0 = -3: Input should be greater than 0"),
        ({"batches": []}, "at least 1 item"),
        ({"multipliers": [64, 64]}, "multipliers must list each one once"),
        (
            {"runs": [{"checkpoints": ["dense"], "archs": ["csc_8x8"]}]},
            "multipliers must be absent with runs",
        ),
    ],
)
def test_a_bad_budget_is_refused_in_one_line(tmp_path, change, said):
    cases = [Case("dense")]
    good = {"areas": [4], "bandwidths": [None], "batches": [1], "multipliers": [64]}
    with pytest.raises(InputError, match=said) as error:
        study(tmp_path, cases, budgets=good | change)
    assert "\n" not in str(error.value)
