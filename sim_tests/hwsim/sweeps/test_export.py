"""The table and the picture of a sweep."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

from hwsim.config.base import parse
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.sweeps.bounds import Bounds
from hwsim.sweeps.export import export
from hwsim.sweeps.point import Point
from hwsim.sweeps.results import Results
from hwsim.sweeps.run import Search
from hwsim.sweeps.samplers.exhaustive import Exhaustive
from hwsim.sweeps.space import Space
from hwsim.sweeps.store import Row, Store


def plan(**changes: Any) -> SweepConfig:
    raw: dict[str, Any] = {
        "name": "test",
        "arch": "dense_8x8_ws",
        "network": ["lenet5", "alexnet"],
        "grid": {"arch.array.rows": [0, 1, 2, 3]},
        "objectives": {"multipliers": "min", "utilization": "max"},
    }
    return parse(SweepConfig, raw | changes, "test.yaml")


def results_of(sweep: SweepConfig, measure: Any, folder: Path, parts: int = 1) -> Results:
    """Results of a sweep whose points are measured by a function, or of one shard of it."""
    space = Space(sweep, "t")
    store = folder / "points.sqlite"
    with Store.open(store) as kept:

        def engine(points: Any, keep: Any) -> None:
            for point in points:
                keep(Row(point.key, "done", point.fields, "", measure(point)))

        search = Search(space, kept, sweep.objectives, sweep.constraints, Bounds(None))
        looked = search.run(Exhaustive(len(space), 0, parts), engine)
    return Results(sweep, space, looked, store)


def worth(point: Point) -> dict[str, float]:
    """More multipliers pay up to two rows; on alexnet everything costs ten times as much."""
    rows = point.fields["arch.array.rows"]
    scale = 10 if point.fields["network"] == "alexnet" else 1
    return {"multipliers": scale * rows, "utilization": [0, 0.1, 0.5, 0.4][rows] / scale}


def test_each_network_has_its_own_front(tmp_path: Path) -> None:
    results = results_of(plan(), worth, tmp_path)
    assert [r.best for r in results] == [False, True, True, False] * 2
    assert [r.best_of_run for r in results] == [False, True, True, False] * 2
    assert results.counts == {"invalid": 2, "done": 6, "feasible": 6, "compared": 6}


def test_a_shard_has_its_own_points(tmp_path: Path) -> None:
    results = results_of(plan(), worth, tmp_path, parts=3)
    assert [r.fields["arch.array.rows"] for r in results] == [0, 3, 2]


def test_runs_compete_and_each_has_its_front(tmp_path: Path) -> None:
    few, many = ({"grid": {"arch.array.rows": rows}} for rows in ([1], [2, 3]))
    sweep = plan(network="lenet5", grid={}, runs={"few": few, "many": many})

    def flags(utilization: dict[int, float], folder: Path) -> list[tuple[bool, bool]]:
        def measure(point: Point) -> dict[str, float]:
            rows = point.fields["arch.array.rows"]
            return {"multipliers": rows, "utilization": utilization[rows]}

        return [(r.best, r.best_of_run) for r in results_of(sweep, measure, folder)]

    yes, no = (True, True), (False, False)
    assert flags({1: 0.5, 2: 0.6, 3: 0.6}, tmp_path / "a") == [yes, yes, no]
    assert flags({1: 0.5, 2: 0.4, 3: 0.3}, tmp_path / "b") == [yes, (False, True), no]


def test_infeasible_points_are_kept_and_on_no_front(tmp_path: Path) -> None:
    sweep = plan(network="lenet5", constraints={"utilization": {"min": 0.2}})
    results = results_of(sweep, worth, tmp_path)
    assert [r.best for r in results] == [False, False, True, False]
    missed = results[1].to_dict()
    assert (missed["feasible"], missed["misses"]) == (
        False, "utilization = 0.1 must be at least 0.2: off by 0.1, 50.0%"
    )  # fmt: skip
    assert results.missed == {"utilization": 1}


def test_what_misses_a_bound_before_it_is_simulated_is_not_simulated(tmp_path: Path) -> None:
    measured = []

    def count(point: Point) -> dict[str, float]:
        measured.append(point.fields["arch.array.rows"])
        return worth(point) | {"port_bits": 0}

    sweep = plan(network="lenet5", constraints={"port_bits": {"max": 64 + 16 + 256}})
    results = results_of(sweep, count, tmp_path)
    assert measured == [1, 2]
    assert results[3].row.status == "bounded"
    assert results[3].to_dict()["misses"] == ("port_bits = 344 must be at most 336: off by 8, 2.4%")
    # other constraints, other points: what was simulated stays
    wider = plan(network="lenet5", constraints={"port_bits": {"max": 500}})
    assert [r.row.status for r in results_of(wider, count, tmp_path)] == [
        "invalid", "done", "done", "done"
    ]  # fmt: skip
    assert measured == [1, 2, 3]


def test_table_holds_what_was_measured_and_nothing_for_invalid_points(tmp_path: Path) -> None:
    sweep = plan()
    written = export(sweep, results_of(sweep, worth, tmp_path), tmp_path)
    assert [path.name for path in written] == [
        "results.csv", "front.csv", "pareto.png", "pareto.svg"
    ]  # fmt: skip
    assert all(path.stat().st_size for path in written)
    with written[0].open(newline="") as file:
        table = list(csv.DictReader(file))
    assert len(table) == 8
    assert list(table[0])[:5] == ["arch", "family", "network", "arch.array.rows", "multipliers"]
    assert (table[0]["multipliers"], table[0]["status"]) == ("", "invalid")
    assert "array.rows = 0" in table[0]["error"]
    assert (table[2]["multipliers"], table[2]["utilization"], table[2]["pareto"]) == (
        "2", "0.5", "True",
    )  # fmt: skip
    with written[1].open(newline="") as file:
        assert [row["arch.array.rows"] for row in csv.DictReader(file)] == ["1", "2"] * 2


def test_picture_names_axes_with_units_and_networks(tmp_path: Path) -> None:
    sweep = plan(constraints={"utilization": {"min": 0.05}})
    export(sweep, results_of(sweep, worth, tmp_path), tmp_path)
    svg = (tmp_path / "pareto.svg").read_text()
    for text in (
        "multipliers (count)", "utilization (useful MACs per multiplier and cycle)", "lenet5",
        "alexnet", "dense, on the front", "misses a constraint",
        "test: multipliers (minimized) against utilization (maximized)",
    ):  # fmt: skip
        assert text in svg


def test_no_picture_where_no_point_is_done(tmp_path: Path) -> None:
    sweep = plan(grid={"arch.array.rows": [0]})
    assert [p.name for p in export(sweep, results_of(sweep, worth, tmp_path), tmp_path)] == [
        "results.csv"
    ]


def test_more_than_three_panels_and_objectives(tmp_path: Path) -> None:
    sweep = plan(
        network=["lenet5", "alexnet", "vgg16", "resnet18"],
        objectives={"multipliers": "min", "utilization": "max", "cycles": "min"},
    )
    results = results_of(sweep, lambda point: worth(point) | {"cycles": 5}, tmp_path)
    export(sweep, results, tmp_path)
    assert "resnet18" in (tmp_path / "pareto.svg").read_text()
