"""Separated effects: each factor from counts of its own, ratios by brute force."""

from __future__ import annotations

import numpy as np
import pytest
from harness.study_cases import SHAPES, Case, study

from hwsim.config import ArchConfig
from hwsim.engine.network import simulate
from hwsim.inference.operands import on_random_acts
from hwsim.studies import compare, effects
from hwsim.studies.effects import ACTS, WORK, Ratio
from hwsim.studies.model import read_checkpoint

CASES = [
    Case("dense", heldout=0.9900),
    Case("quarter", "structured", 0.25, heldout=0.9890),
    Case("tenth", "nonstructured", 0.1, heldout=0.9895),
    Case("narrow", "structured", 0.25, bits=4, heldout=0.9890),
]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    config, path = study(tmp_path_factory.mktemp("study"), CASES)
    return compare.run(config, str(path))


@pytest.fixture(scope="module")
def separated(comparison):
    return effects.measure(comparison)


def test_both_models_run_on_the_best_array_of_each_side(comparison, separated):
    assert {kind: model.name for kind, model in separated.models.items()} == {
        "structured": "quarter", "nonstructured": "tenth",
    }  # fmt: skip
    for kind, side in (("structured", "systolic"), ("nonstructured", "index-decoding")):
        model = separated.models[kind]
        own = {v.arch.name: v for v in comparison.variants if v.model.name == model.name}
        best = min(
            (v for v in own.values() if v.arch.array.decodes_indices == (side != "systolic")),
            key=lambda v: v.result.cycles,
        )
        assert separated.arrays[side] == best.arch.name
        assert separated.cycles[kind, side, ACTS[0]] == best.result.cycles / 2
        assert separated.loaded[kind, side] <= separated.alone[kind, side]


def test_activations_that_are_all_non_zero_are_counted_as_such(comparison, separated):
    """As many as if they were drawn: no other zero is among them."""
    for kind, model in separated.models.items():
        checkpoint = read_checkpoint(model.source, comparison.network)
        full = on_random_acts(comparison.network, checkpoint, 2, seed=3, act_density=1.0)
        assert all(np.all(layer.ifmap) for layer in full.values() if layer.ifmap is not None)
        for side, name in separated.arrays.items():
            arch = ArchConfig.read(name)
            cycles = simulate(arch, comparison.network, full, 2).cycles
            assert separated.cycles[kind, side, ACTS[1]] == cycles / 2
            skipped = separated.cycles[kind, side, ACTS[0]]
            assert skipped < cycles / 2 if arch.array.skips_acts else skipped == cycles / 2


def test_factors_multiply_to_what_the_two_sides_differ_by(separated):
    """Structured on systolic to non-structured on index-decoding, one step after the other."""
    found = list(separated.factors().values())
    weights_full, acts, organisation = found[1], found[2], found[4]
    whole = separated.cycles["structured", "systolic", ACTS[1]]
    whole /= separated.cycles["nonstructured", "index-decoding", ACTS[0]]
    assert organisation * weights_full * acts == pytest.approx(whole)
    assert found[3] == 1


def test_ratios_are_those_of_weights_and_of_multiplications(comparison):
    before, after = {"conv1": 8.0, "fc1": 30.0}, {"conv1": 4.0, "fc1": 3.0}
    model = next(model for model in comparison.models if model.name == "tenth")
    found = {r.layer: r for r in effects.ratios(comparison, model, before, after)}
    layers = read_checkpoint(model.source, comparison.network).layers
    left = {name: np.count_nonzero(layer.weight) for name, layer in layers.items()}
    size = {name: int(np.prod(shape)) for name, shape in SHAPES.items()}
    pixels = {"conv1": 49, "fc1": 1}
    for name in SHAPES:
        assert found[name] == Ratio(name, size[name] / left[name], before[name] / after[name])
    assert found["total"].pruning == sum(size.values()) / sum(left.values())
    assert found["total"].speedup == 38 / 7
    work = sum(size[n] * pixels[n] for n in size) / sum(left[n] * pixels[n] for n in size)
    assert found[WORK].pruning == pytest.approx(work)


def test_a_ratio_breaks_even_where_pruning_buys_its_time():
    assert Ratio("x", 10.0, 4.0).ppr == 2.5
    assert Ratio("x", 10.0, 4.5).break_even == pytest.approx(0.55)
    assert Ratio("x", 2.0, 4.0).break_even == 0


def test_bits_of_indices_are_per_weight_that_is_left(comparison):
    columns, rows = effects.index_table(comparison)
    for variant in comparison.best:
        total = next(r for r in rows if r[0] == variant.name and r[1] == "total")
        shown = dict(zip(columns, total, strict=True))
        bits = variant.result.bits
        assert shown["weights"] == variant.model.nonzeros
        beside = (bits.total - bits.values) / variant.model.nonzeros
        assert float(shown["all but the value"]) == pytest.approx(beside, abs=0.005)


def test_without_both_kinds_nothing_is_separated(tmp_path):
    config, path = study(tmp_path, CASES[:2])
    assert effects.measure(compare.run(config, str(path))) is None
