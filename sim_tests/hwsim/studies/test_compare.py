"""Comparisons: what is equal, what is chosen, and by which accuracy."""

from __future__ import annotations

import numpy as np
import pytest
from harness.study_cases import ARCHS, Case, study, write

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config.catalog import CONFIGS
from hwsim.cost import storage
from hwsim.errors import InputError
from hwsim.studies import compare, prove
from hwsim.studies.comparison import Curve
from hwsim.sweeps import known

CASES = [
    Case("dense", test=0.9920, heldout=0.9900),
    Case("half", "structured", 0.5, test=0.9915, heldout=0.9890),
    # the smallest structured one at equal accuracy, exactly on the bound
    Case("quarter", "structured", 0.25, test=0.9800, heldout=0.9880),
    # good on the test images alone
    Case("eighth", "structured", 0.125, test=0.9930, heldout=0.9879),
    Case("tenth", "nonstructured", 0.1, test=0.9910, heldout=0.9895),
    Case("fortieth", "nonstructured", 0.025, test=0.9000, heldout=0.9000),
    Case("narrow", "structured", 0.25, bits=4, test=0.9900, heldout=0.9885),
    Case("poor", "nonstructured", 0.1, bits=4, test=0.9990, heldout=0.9000),
]


@pytest.fixture(scope="module")
def comparison(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study")
    config, path = study(folder, CASES)
    return compare.run(config, str(path))


def test_every_checkpoint_runs_on_every_design_of_its_runs(comparison):
    expected = [(case.name, arch) for case in CASES for arch in ARCHS[case.kind, case.bits]]
    assert [(v.model.name, v.arch.name) for v in comparison.variants] == expected
    assert comparison.dataset == "mnist"
    assert comparison.baseline is comparison.variants[0]
    assert comparison.speedup(comparison.baseline) == 1


def test_the_smallest_of_equal_accuracy_is_chosen_on_images_held_out(comparison):
    chosen = {key: model.name for key, model in comparison.chosen.items()}
    assert chosen == {
        ("dense", 8): "dense",
        ("structured", 8): "quarter",
        ("nonstructured", 8): "tenth",
        ("structured", 4): "narrow",
    }
    assert comparison.unequalled == [("nonstructured", 4)]
    assert {v.model.name for v in comparison.short} == set(chosen.values())


@pytest.mark.parametrize("bound", [0.05, 0.1, 0.11, 9, 10])
def test_a_bound_in_points_includes_its_end(comparison, bound):
    equal = {model.name for model in comparison.models if comparison.is_equal(model, bound)}
    assert equal == {case.name for case in CASES if round(99 - 100 * case.heldout, 6) <= bound}


def test_without_images_held_out_the_test_images_decide(tmp_path):
    cases = [*CASES[:4], Case("old", "nonstructured", 0.1, test=0.985, heldout=None)]
    config, path = study(tmp_path, cases)
    comparison = compare.run(config, str(path))
    assert not comparison.is_held_out
    assert comparison.chosen["structured", 8].name == "eighth"
    assert ("nonstructured", 8) in comparison.unequalled


def test_storage_is_that_of_the_design_and_of_the_best_format_without(comparison):
    for variant in comparison.variants:
        sizes = storage.run(variant.model.source, [], network=str(comparison.config.network))
        smallest = min(size.total.total for size in sizes.formats)
        # all layers have as many bits as the design: one that stores dense weights is the smallest
        if variant.arch.array.family == "dense":
            smallest = min(smallest, variant.result.bits.total)
        assert variant.model.own[1].total == smallest
        assert variant.smallest == min(smallest, variant.result.bits.total)
        assert variant.result.bits.total == sum(r.bits.total for r in variant.result.layers)


def test_curves_part_kinds_arrays_and_widths(comparison):
    points = {curve: len(variants) for curve, variants in comparison.curves.items()}
    assert points == {
        Curve("dense", "dense", 8): 2,
        Curve("structured", "dense", 8): 6,
        Curve("nonstructured", "csc", 8): 2,
        Curve("nonstructured", "bitmask", 8): 2,
        Curve("structured", "dense", 4): 1,
        Curve("nonstructured", "csc", 4): 1,
    }
    assert [curve.label for curve in points][:4] == [
        "dense",
        "structured",
        "non-structured on csc",
        "non-structured on bitmask",
    ]
    assert Curve("structured", "bitmask", 8).label == "structured on bitmask"


def test_the_rtl_runs_the_models_that_were_chosen_for_a_design(comparison):
    wanted: dict[str, list[str]] = {}
    for (name, digest), variants in prove._wanted(comparison).items():
        # one build for all that need the same memories
        assert {v.hardware.digest for v in variants} == {digest}
        wanted.setdefault(name, []).extend(v.model.name for v in variants)
    assert wanted == {"dense_8x8_ws": ["dense", "quarter"]}


def test_the_rtl_runs_something_where_nothing_was_chosen(tmp_path):
    verify = {"archs": ["csc_4x16_w4"], "layers": ["fc1"]}
    config, path = study(tmp_path, [CASES[0], CASES[-1]], verify=verify)
    comparison = compare.run(config, str(path))
    (((name, _), (variant,)),) = prove._wanted(comparison).items()
    assert (name, variant.model.name) == ("csc_4x16_w4", "poor")


def test_layers_of_fewer_bits_run_on_the_design_of_the_widest(tmp_path):
    """The array stores its own width everywhere; a format without an array each layer's."""
    mixed = Case("mixed", "nonstructured", 0.1, bits=5, fc1_bits=3)
    config, path = study(tmp_path, [Case("dense"), mixed])
    variant = compare.run(config, str(path)).variants[-1]
    assert variant.model.weight_width == 5
    layers = Checkpoint.read(variant.model.source).layers
    kept = {name: int(np.count_nonzero(layer.weight)) for name, layer in layers.items()}
    assert variant.result.bits.values == 5 * sum(kept.values())
    assert variant.model.own[1].values == 5 * kept["conv1"] + 3 * kept["fc1"]
    assert variant.model.own[0] != "dense"  # which has no code for a zero
    # on a design of another width it does not run
    runs = [{"checkpoints": [variant.model.source], "archs": ["csc_4x16_w4"]}]
    pair = {"checkpoint": variant.model.source, "arch": "csc_4x16_w4"}
    verify = {"archs": ["csc_4x16_w4"], "layers": ["fc1"]}
    config, path = study(tmp_path, [Case("dense"), mixed], runs=runs, baseline=pair, verify=verify)
    with pytest.raises(InputError, match="must have weights of 4 bits for csc_4x16_w4, not 5"):
        compare.run(config, str(path))


def test_structured_layers_are_counted_in_their_own_bits(tmp_path):
    mixed = Case("mixed", "structured", 0.2, fc1_bits=5)
    config, path = study(tmp_path, [Case("dense"), mixed])
    model = compare.run(config, str(path)).variants[-1].model
    values = 0
    for layer in Checkpoint.read(model.source).layers.values():
        matrix = layer.weight.reshape(len(layer.weight), -1) != 0
        values += int(matrix.any(0).sum() * matrix.any(1).sum()) * layer.weight_bits
    assert model.own[0] == "dense"
    assert model.own[1].values == values


@pytest.mark.parametrize(
    ("case", "line"),
    [
        (Case("x", dataset="fashion"), "must be of the baseline's data set, not fashion"),
        (Case("x", dataset=None), "must be of the baseline's data set, not None"),
        (Case("x", network="other"), "must be the checkpoint of network tiny"),
        (Case("x", info={"accuracy": None}), r"info\.accuracy: must be a fraction"),
        (Case("x", heldout="much"), r"info\.accuracy_heldout = 'much': must be a fraction"),
        (Case("x", test=99.1), r"info\.accuracy = 99\.1: must be a fraction"),
    ],
    ids=["data set", "no recipe", "network", "no accuracy", "words", "per cent"],
)
def test_an_unfit_checkpoint_is_one_line(tmp_path, case, line):
    config, path = study(tmp_path, [Case("dense"), case])
    with pytest.raises(InputError, match=line) as caught:
        compare.run(config, str(path))
    assert "\n" not in str(caught.value)


def test_a_baseline_without_a_recipe_is_one_line(tmp_path):
    config, path = study(tmp_path, [Case("dense", dataset=None)])
    with pytest.raises(InputError, match="must name its data set: by a recipe"):
        compare.run(config, str(path))


def test_weights_are_as_wide_as_their_design(tmp_path):
    config, path = study(tmp_path, [Case("dense")])
    write(Case("dense", bits=4), tmp_path)
    with pytest.raises(InputError, match="must have weights of 8 bits for dense_8x8_ws, not 4"):
        compare.run(config, str(path))


@pytest.mark.parametrize(
    ("keys", "line"),
    [
        ({"baseline": {"checkpoint": "dense", "arch": "csc_4x16"}}, "baseline must be one of"),
        ({"verify": {"archs": ["csc_64x1"], "layers": ["fc1"]}}, "csc_64x1 is none"),
        ({"verify": {"archs": ["dense_8x8_ws"], "layers": ["fc9"]}}, "must be one of: conv1, fc1"),
        ({"accuracy_bound": 0}, "accuracy_bound"),
    ],
)
def test_a_study_that_contradicts_itself_is_one_line(tmp_path, keys, line):
    with pytest.raises(InputError, match=line) as caught:
        compare.load(study(tmp_path, [Case("dense")], **keys)[0])
    assert "\n" not in str(caught.value)


def test_a_pair_is_named_once(tmp_path):
    path = str(tmp_path / "dense.safetensors")
    runs = [{"checkpoints": [path, path], "archs": ["dense_8x8_ws"]}]
    with pytest.raises(InputError, match=r"runs must name a pair once, not .* again"):
        study(tmp_path, [Case("dense")], runs=runs)


def test_checkpoints_are_told_apart_by_their_names(tmp_path):
    paths = [str(tmp_path / folder / "dense.safetensors") for folder in ("", "other")]
    runs = [{"checkpoints": paths, "archs": ["dense_8x8_ws"]}]
    with pytest.raises(InputError, match="must be of checkpoints of different names"):
        study(tmp_path, [Case("dense")], runs=runs)


def test_designs_differ_in_nothing_but_their_kind(tmp_path):
    path = str(tmp_path / "dense.safetensors")
    runs = [{"checkpoints": [path], "archs": ["dense_8x8_ws", "dense_16x16_ws"]}]
    config, _ = study(tmp_path, [Case("dense")], runs=runs)
    with pytest.raises(InputError, match="must have the same number of multipliers"):
        compare.load(config)


def test_two_designs_of_one_name_are_refused(tmp_path):
    """Figures, the baseline and the proof are found by a design's name."""
    edited = tmp_path / "dense_8x8_ws.yaml"
    text = (CONFIGS / "arch" / "dense_8x8_ws.yaml").read_text()
    edited.write_text(text.replace("rows: 8, cols: 8", "rows: 16, cols: 4"))
    assert edited.read_text() != text
    checkpoint = str(tmp_path / "dense.safetensors")
    runs = [{"checkpoints": [checkpoint], "archs": ["dense_8x8_ws", str(edited)]}]
    config, path = study(tmp_path, [Case("dense")], runs=runs)
    with pytest.raises(InputError, match="must not be another design of the name dense_8x8_ws"):
        compare.run(config, str(path))


def test_a_study_counts_nothing_that_is_known(tmp_path, monkeypatch):
    config, path = study(tmp_path, CASES[:2])
    store = tmp_path / "points.sqlite"
    first = compare.run(config, str(path), store=store)
    monkeypatch.setattr(known, "evaluate", None)
    again = compare.run(config, str(path), store=store)
    assert again.to_dict() == first.to_dict()


def test_weights_that_are_written_again_are_counted_again(tmp_path):
    store = tmp_path / "points.sqlite"
    found = []
    for keep in (0.5, 0.1):
        config, path = study(tmp_path, [Case("dense"), Case("some", "nonstructured", keep)])
        found.append(compare.run(config, str(path), store=store).variants[-1].result.useful_macs)
    assert found[1] < found[0]


def test_a_model_is_held_to_the_baseline_of_its_seed(tmp_path):
    """Where that lies beside the study's, and the model's name says the seed; seed 2 has none."""
    heldout = {
        "dense": 0.9900, "dense_s1": 0.9860, "half_s1": 0.9845, "half_s2": 0.9875, "half": 0.9875,
        "mine": 0.9875,
    }  # fmt: skip
    cases = [
        Case(
            name,
            "dense" if name.startswith("dense") else "structured",
            heldout=accuracy,
            info={
                "recipe": {
                    "dataset": "mnist",
                    "seed": int(name[-1]) if "_s" in name else int(name == "mine"),
                }
            },
        )
        for name, accuracy in heldout.items()
    ]
    for case in cases:
        case.dataset = None
    config, path = study(tmp_path, cases)
    comparison = compare.run(config, str(path))
    models = {model.name: model for model in comparison.models}
    held_to = {name: comparison.held_to(model).name for name, model in models.items()}
    assert held_to == {
        "dense": "dense", "half": "dense", "dense_s1": "dense_s1", "half_s1": "dense_s1",
        "half_s2": "dense", "mine": "dense",
    }  # fmt: skip
    assert {name for name, model in models.items() if comparison.is_equal(model)} == {
        "dense", "dense_s1", "half_s1",
    }  # fmt: skip
