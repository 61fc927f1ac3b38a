"""From a sweep file to its points, by number."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.errors import InputError
from hwsim.sweeps import point as module
from hwsim.sweeps.point import Point
from hwsim.sweeps.space import Space


def sweep(grid: dict[str, list[Any]], **changes: Any) -> SweepConfig:
    raw: dict[str, Any] = {
        "name": "test",
        "arch": "dense_8x8_ws",
        "network": "lenet5",
        "grid": grid,
        "objectives": {"multipliers": "min", "cycles": "min"},
    }
    return parse(SweepConfig, raw | changes, "test.yaml")


def expand(config: SweepConfig, source: str) -> list[Point]:
    return list(Space(config, source))


def test_points_are_the_product_with_the_last_key_fastest() -> None:
    points = expand(
        sweep({"arch.array.rows": [4, 8], "arch.array.cols": [16, 2, 4]}, network=["lenet5"]), "t"
    )
    assert [(p.fields["arch.array.rows"], p.fields["arch.array.cols"]) for p in points] == list(
        itertools.product([4, 8], [16, 2, 4])
    )
    for point in points:
        assert point.arch is not None
        assert point.arch.array.family == "dense"
        assert point.arch.array.rows == point.fields["arch.array.rows"]
        assert point.arch.array.cols == point.fields["arch.array.cols"]
        assert point.arch.array.acc_depth == 256


def test_linked_fields_share_a_value_or_take_one_each() -> None:
    points = expand(sweep({"arch.array.rows, arch.array.cols": [4, [2, 16]]}), "t")
    shapes = [(p.fields["arch.array.rows"], p.fields["arch.array.cols"]) for p in points]
    assert shapes == [(4, 4), (2, 16)]


def test_every_base_meets_every_value() -> None:
    points = expand(
        sweep(
            {"arch.numbers.weight_width": [4, 8]},
            arch=["dense_8x8_ws", "csc_16x4"],
            network=["lenet5", "alexnet"],
        ),
        "t",
    )
    assert len(points) == 8
    assert {(p.fields["arch"], p.fields["network"]) for p in points} == set(
        itertools.product(["dense_8x8_ws", "csc_16x4"], ["lenet5", "alexnet"])
    )


def test_a_whole_array_can_be_a_value() -> None:
    csc = {"family": "csc", "pes": 4, "col_depth": 64, "entry_depth": 64, "acc_depth": 64}
    points = expand(sweep({"arch.array": [csc]}), "t")
    assert points[0].arch is not None
    assert points[0].arch.array.family == "csc"
    assert points[0].arch.array.multipliers == 4


def test_density_of_one_layer_and_of_all() -> None:
    (one,) = expand(sweep({"network.layers.conv2.weight_density": [0.25]}), "t")
    assert one.network is not None
    assert [layer.weight_density for layer in one.network.layers] == [1, 1, 0.25, 1, 1, 1]
    (all_of_them,) = expand(sweep({"network.act_density": [0.5]}), "t")
    assert all_of_them.network is not None
    assert [layer.act_density for layer in all_of_them.network.layers] == [0.5, 1, 0.5, 1, 0.5, 0.5]


def test_layer_names_may_hold_dots(tmp_path: Any) -> None:
    path = tmp_path / "dotted.yaml"
    path.write_text(
        "name: dotted\ninput: {channels: 1, height: 8, width: 8}\n"
        "layers: [{name: block1.0.conv, type: conv, M: 4, R: 3}]\n"
    )
    (point,) = expand(sweep({"network.layers.block1.0.conv.M": [6]}, network=str(path)), "t")
    assert point.network is not None
    assert point.network.layers[0].M == 6


def test_a_broken_rule_makes_the_point_invalid_not_the_sweep() -> None:
    points = expand(
        sweep({"arch.array.acc_depth": [64, 100, None], "arch.array.rows": [0, 1]}), "t"
    )
    assert [bool(p.error) for p in points] == [True, False, True, True, True, True]
    assert points[0].error == (
        "arch dense_8x8_ws: array.rows = 0: Input should be greater than or equal to 1"
    )
    assert points[3].error == (
        "arch dense_8x8_ws: array: acc_depth must be a power of two, not 100"
    )
    assert points[3].arch is None
    assert len({p.key for p in points}) == 6


def test_a_field_that_a_base_lacks_is_an_error_of_the_file() -> None:
    with pytest.raises(InputError) as caught:
        expand(sweep({"arch.array.rows": [4]}, arch=["dense_8x8_ws", "csc_16x4"]), "s.yaml")
    assert str(caught.value) == (
        "s.yaml: grid.arch.array.rows: csc_16x4 has no field arch.array.rows"
    )


@pytest.mark.parametrize(
    "field",
    [
        "arch.array.row", "arch.rows", "arch.array.rows.x", "network.layers.conv9.M",
        "network.layers.conv2.m", "network.layers", "network.density", "network.layers.conv2",
    ],
)  # fmt: skip
def test_unknown_fields_are_refused(field: str) -> None:
    if field == "network.layers":  # a field like any other: its values replace every layer
        (point,) = expand(sweep({field: [[]]}), "t")
        assert "layers" in point.error
        return
    with pytest.raises(InputError, match="has no field"):
        expand(sweep({field: [1]}), "t")


def test_a_value_inside_a_replaced_parent_without_room_is_invalid() -> None:
    (point,) = expand(sweep({"arch.array": [7], "arch.array.rows": [4]}), "t")
    assert point.error == ("grid: arch.array.rows = 4: is no key of the value of its parent")


def test_the_key_depends_on_what_decides_the_result_only(monkeypatch: pytest.MonkeyPatch) -> None:
    grid = {"arch.array.rows": [4]}
    (point,) = expand(sweep(grid), "t")
    assert expand(sweep(grid, name="other", description="words"), "u")[0].key == point.key
    assert expand(sweep({"arch.array.rows": [5]}), "t")[0].key != point.key
    assert expand(sweep(grid, images=2), "t")[0].key != point.key
    assert expand(sweep(grid, seed=1), "t")[0].key != point.key
    # the same design reached by another way is the same point
    assert expand(sweep({"arch.array.rows, arch.array.cols": [[4, 8]]}), "t")[0].key == point.key
    monkeypatch.setattr(module, "__version__", "0.0.0")
    assert expand(sweep(grid), "t")[0].key != point.key


def test_points_that_resolve_alike_are_one() -> None:
    points = expand(
        sweep({"network.weight_density": [0.5, 0.25], "network.layers.fc1.type": ["fc"]}), "t"
    )
    assert len(points) == 2
    points = expand(
        sweep({"arch.array.rows": [4, 5], "arch.array": [{"family": "dense", "dataflow": "os",
               "rows": 3, "cols": 3, "acc_depth": None}]}),
        "t",
    )  # fmt: skip
    assert len({p.key for p in points}) == 1


@settings(max_examples=40, deadline=None)
@given(
    rows=st.lists(st.integers(-1, 300), min_size=1, max_size=4, unique=True),
    depths=st.lists(st.integers(0, 70), min_size=1, max_size=4, unique=True),
)
def test_points_are_valid_exactly_where_the_rules_hold(rows: list[int], depths: list[int]) -> None:
    points = expand(sweep({"arch.array.rows": rows, "arch.array.acc_depth": depths}), "t")
    assert len(points) == len(rows) * len(depths)
    for point, (row, depth) in zip(points, itertools.product(rows, depths), strict=True):
        valid = 1 <= row <= 256 and depth >= 1 and depth & (depth - 1) == 0
        assert (point.error == "") == valid
        assert (point.arch is not None) == valid
        assert isinstance(point.network, NetworkConfig) == valid


def test_designs_by_rule_have_every_shape_of_so_many_multipliers() -> None:
    points = Space(sweep({}, arch=["dense_8x8_ws", "csc_8x8"], multipliers=[12, 16]), "t")
    shapes = [(p.fields["arch"], p.fields["shape"]) for p in points]
    assert [shape for arch, shape in shapes if arch == "dense_8x8_ws"] == [
        "1 x 12", "2 x 6", "3 x 4", "4 x 3", "6 x 2", "12 x 1",
        "1 x 16", "2 x 8", "4 x 4", "8 x 2", "16 x 1",
    ]  # fmt: skip
    assert [shape for arch, shape in shapes if arch == "csc_8x8"] == [
        "1 x 12", "2 x 6", "4 x 3", "1 x 16", "2 x 8", "4 x 4", "8 x 2", "16 x 1"
    ]  # fmt: skip
    for point in points:
        assert point.arch is not None, point.error
        assert point.arch.array.multipliers in (12, 16)
    assert points.shown == ["arch", "shape", "family", "network"]


def test_a_shape_beyond_a_limit_is_invalid_and_says_so() -> None:
    (tall, *_), (*_, wide) = (list(Space(sweep({}, multipliers=512), "t")) for _ in range(2))
    assert "array.cols = 512: Input should be less than or equal to 256" in tall.error
    assert "array.rows = 512: Input should be less than or equal to 256" in wide.error


def test_a_number_without_a_shape_is_an_error_of_the_file() -> None:
    with pytest.raises(InputError) as caught:
        Space(sweep({}, arch=["nm_2x4_4x8_ws"], multipliers=7), "s.yaml")
    assert str(caught.value) == (
        "s.yaml: multipliers = [7]: nm_2x4_4x8_ws has no shape of so many: its PEs have 64"
    )


def test_keys_of_a_run_replace_those_of_the_sweep_and_its_grid_is_added() -> None:
    runs = {
        "one": {"grid": {"arch.array.cols": [2, 4]}},
        "two": {"arch": "csc_8x8", "images": 3, "weights": "lenet5_nonstructured_85x", "grid": {}},
    }
    made = Space(sweep({"arch.numbers.psum_width": [24, 32]}, runs=runs), "t")
    said = [[p.fields["run"], p.fields["arch"], p.images] for p in made]
    assert said == [["one", "dense_8x8_ws", 1]] * 4 + [["two", "csc_8x8", 3]] * 2
    assert [p.arch.numbers.psum_width for p in made if p.arch] == [24, 24, 32, 32, 24, 32]
    assert [p.weights is None for p in made] == [True] * 4 + [False] * 2


def test_each_file_that_a_run_names_is_looked_at_once() -> None:
    for key, name in (("weights", "lenet5_none"), ("memory", "none"), ("weights", "vgg6_fashion")):
        with pytest.raises(InputError):
            Space(sweep({}, **{key: [name]}), "t")
