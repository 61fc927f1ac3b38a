"""The table and the picture of a sweep."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from hwsim.config.base import parse
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.sweeps.export import collect, export
from hwsim.sweeps.grid import expand
from hwsim.sweeps.store import Row


def plan(**changes: Any) -> SweepConfig:
    raw: dict[str, Any] = {
        "name": "test",
        "arch": "dense_8x8_ws",
        "network": ["lenet5", "alexnet"],
        "grid": {"arch.array.rows": [0, 1, 2, 3]},
        "objectives": {"multipliers": "min", "utilization": "max"},
    }
    return parse(SweepConfig, raw | changes, "test.yaml")


def rows_for(sweep: SweepConfig, measure: Any) -> tuple[Any, list[Row]]:
    points = expand(sweep, "t")
    rows = []
    for point in points:
        fields = {"arch": point.base[0], "network": point.base[1], **point.values}
        if point.error:
            rows.append(Row(point.key, "invalid", fields, point.error))
        else:
            rows.append(Row(point.key, "done", fields, "", measure(point)))
    return points, rows


def worth(point: Any) -> dict[str, float]:
    """More multipliers pay up to two rows; on alexnet everything costs ten times as much."""
    rows = point.values["arch.array.rows"]
    scale = 10 if point.base[1] == "alexnet" else 1
    return {"multipliers": scale * rows, "utilization": [0, 0.1, 0.5, 0.4][rows] / scale}


def test_each_network_has_its_own_front() -> None:
    sweep = plan()
    points, rows = rows_for(sweep, worth)
    results = collect(sweep, points, rows[::-1])
    assert [r.point for r in results] == points
    assert [r.best for r in results] == [False, True, True, False] * 2


def test_points_without_a_row_are_left_out() -> None:
    sweep = plan()
    points, rows = rows_for(sweep, worth)
    results = collect(sweep, points, rows[:2])
    assert [r.point for r in results] == points[:2]
    assert [r.best for r in results] == [False, True]


def test_table_holds_what_was_measured_and_nothing_for_invalid_points(tmp_path: Path) -> None:
    sweep = plan()
    points, rows = rows_for(sweep, worth)
    written = export(sweep, collect(sweep, points, rows), tmp_path)
    assert [path.name for path in written] == ["results.csv", "pareto.png", "pareto.svg"]
    assert all(path.stat().st_size for path in written)
    with written[0].open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 8
    assert list(table[0])[:4] == ["arch", "network", "arch.array.rows", "multipliers"]
    assert (table[0]["multipliers"], table[0]["status"]) == ("", "invalid")
    assert "array.rows = 0" in table[0]["error"]
    assert (table[2]["multipliers"], table[2]["utilization"], table[2]["pareto"]) == (
        "2", "0.5", "True",
    )  # fmt: skip


def test_picture_names_axes_with_units_and_networks(tmp_path: Path) -> None:
    sweep = plan()
    points, rows = rows_for(sweep, worth)
    export(sweep, collect(sweep, points, rows), tmp_path)
    svg = (tmp_path / "pareto.svg").read_text()
    for text in (
        "multipliers (count)", "utilization (useful MACs per multiplier and cycle)", "lenet5",
        "alexnet", "dense, on the front",
        "test: multipliers (minimized) against utilization (maximized)",
    ):  # fmt: skip
        assert text in svg


def test_no_picture_where_no_point_is_done(tmp_path: Path) -> None:
    sweep = plan(grid={"arch.array.rows": [0]})
    points, rows = rows_for(sweep, worth)
    assert [p.name for p in export(sweep, collect(sweep, points, rows), tmp_path)] == [
        "results.csv"
    ]


def test_more_than_three_panels_and_objectives(tmp_path: Path) -> None:
    sweep = plan(
        network=["lenet5", "alexnet", "vgg16", "resnet18"],
        objectives={"multipliers": "min", "utilization": "max", "cycles": "min"},
    )
    points, rows = rows_for(sweep, lambda point: worth(point) | {"cycles": 5})
    export(sweep, collect(sweep, points, rows), tmp_path)
    assert "resnet18" in (tmp_path / "pareto.svg").read_text()
