"""``hwsim sweep`` from the shell: what it prints, writes and returns."""

from __future__ import annotations

import contextlib
import csv
import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from hwsim.arrays.dense.array import count
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.base import parse
from hwsim.workload.gemm import GEMM

YAML = """
name: small
arch: dense_8x8_ws
network: lenet5
grid:
  arch.array.rows, arch.array.cols: [0, 4, [2, 8]]
objectives: {multipliers: min, cycles: min}
"""


def hwsim(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("hwsim"), *map(str, arguments)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip


def test_a_sweep_gives_the_cycles_of_its_designs(tmp_path: Path) -> None:
    plan = tmp_path / "small.yaml"
    plan.write_text(YAML)
    first = hwsim("sweep", plan, "--out", tmp_path / "out", "--jobs", 2, "--json")
    assert first.returncode == 0, first.stderr
    document = json.loads(first.stdout)
    assert document["counts"] == {
        "done": 2, "invalid": 1, "failed": 0, "bounded": 0, "feasible": 2, "points": 3,
        "run_now": 3,
    }  # fmt: skip
    base = ArchConfig.read("dense_8x8_ws").model_dump()
    for result, (rows, cols) in zip(document["results"][1:], ((4, 4), (2, 8)), strict=True):
        arch = parse(
            ArchConfig, base | {"array": base["array"] | {"rows": rows, "cols": cols}}, "test"
        )
        cycles = sum(
            count(arch, GEMM(s.M, s.K, s.pixels)).cycles
            for s in NetworkConfig.read("lenet5").shapes()
            if s.has_weights
        )
        assert result["cycles"] == cycles
        assert result["multipliers"] == 16
        assert result["array.compute"] <= cycles
        assert result["runs"] == 1
    assert [r["pareto"] for r in document["results"]].count(True) == 1
    assert {Path(p).name for p in document["files"]} == {
        "points.sqlite", "results.csv", "front.csv", "pareto.png", "pareto.svg"
    }  # fmt: skip
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["status"] for row in table] == ["invalid", "done", "done"]

    again = hwsim("sweep", plan, "--out", tmp_path / "out", "--json")
    assert json.loads(again.stdout)["counts"]["run_now"] == 0
    assert json.loads(again.stdout)["results"] == document["results"]
    fresh = hwsim("sweep", plan, "--out", tmp_path / "out", "--fresh", "--jobs", 1)
    assert fresh.returncode == 0
    assert "3 points, 3 run now: 2 done, 0 bounded, 1 invalid, 0 failed; 2 feasible" in fresh.stdout


def test_synthetic_densities_can_be_swept(tmp_path: Path) -> None:
    plan = tmp_path / "density.yaml"
    plan.write_text(
        YAML.replace("arch.array.rows, arch.array.cols: [0, 4, [2, 8]]",
                     "network.layers.conv1.weight_density: [1.0, 0.25]")
        .replace("dense_8x8_ws", "csc_16x4")
        .replace("multipliers: min", "bits: min")
    )  # fmt: skip
    done = hwsim("sweep", plan, "--out", tmp_path / "out", "--jobs", 1, "--json")
    assert done.returncode == 0, done.stderr
    full, sparse = json.loads(done.stdout)["results"]
    assert sparse["cycles"] < full["cycles"]
    assert sparse["bits"] < full["bits"]
    assert sparse["nonzeros"] < full["nonzeros"]


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("grid:", "gird:", "gird: unknown key"),
        ("arch.array.rows,", "arch.array.height,", "dense_8x8_ws has no field arch.array.height"),
        ("network: lenet5", "network: lenet6", "must be a file or one of: alexnet"),
        ("[0, 4, [2, 8]]", "[0]", "no point is valid, first: arch dense_8x8_ws: array.rows"),
    ],
)
def test_bad_input_is_one_line_and_exit_2(tmp_path: Path, old: str, new: str, line: str) -> None:
    plan = tmp_path / "small.yaml"
    plan.write_text(YAML.replace(old, new))
    done = hwsim("sweep", plan, "--out", tmp_path / "out", "--jobs", 1)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert line in done.stderr.splitlines()[-1]
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("constraints", "line"),
    [
        (
            "{cycles: {max: 10}}",
            "constraints.cycles: no point meets it; the closest: cycles = ",
        ),
        (
            "{multipliers: {max: 1}}",
            "constraints.multipliers: no point meets it; the closest: multipliers = 16 must be at "
            "most 1: off by 15, 1500.0%",
        ),
        (
            "{weight_port_bits: {max: 20}, act_port_bits: {max: 20}}",
            "constraints: no point meets all of them; the nearest: weight_port_bits = 32 must be "
            "at most 20: off by 12, 60.0%; act_port_bits = 32 must be at most 20: off by 12, 60.0%",
        ),
        (  # of the point that is not simulated, since its port is too wide, no cycles are known
            "{weight_port_bits: {max: 40}, cycles: {max: 10}}",
            "constraints.cycles: no point that was simulated meets it; the closest: cycles = ",
        ),
        ("{cycels: {max: 1}}", "constraints.cycels: must be a metric, such as cycles"),
        ("{area_mm2: {max: 1}}", "technology: must be given for the constraint area_mm2"),
        (
            "{cycles: {max: 1, min: 2}}",
            "constraints.cycles: min must be at most max (1.0), not 2.0",
        ),
        ("{cycles: {}}", "constraints.cycles: must give min or max"),
    ],
)
def test_what_no_point_meets_is_one_line_and_exit_2(
    tmp_path: Path, constraints: str, line: str
) -> None:
    plan = tmp_path / "small.yaml"
    shapes = "arch.array.rows, arch.array.cols: [4, [2, 8], [8, 2]]"
    text = YAML.replace("arch.array.rows, arch.array.cols: [0, 4, [2, 8]]", shapes)
    plan.write_text(f"{text}constraints: {constraints}\n")
    done = hwsim("sweep", plan, "--out", tmp_path / "out", "--jobs", 1)
    assert done.returncode == 2
    assert line in done.stderr.splitlines()[-1], done.stderr
    assert "Traceback" not in done.stderr


def test_shards_are_merged_and_nothing_is_counted_twice(tmp_path: Path) -> None:
    plan = tmp_path / "small.yaml"
    plan.write_text(YAML.replace("[0, 4, [2, 8]]", "[1, 2, 3, 4, 5]"))
    options = ("--jobs", 1, "--json")
    counts = []
    for part in (1, 2):
        out = ("--out", tmp_path / f"out{part}", "--shard", f"{part}/2")
        done = hwsim("sweep", plan, *out, *options)
        counts.append(json.loads(done.stdout)["counts"])
    assert [count["points"] for count in counts] == [3, 2]
    stores = ("--store", tmp_path / "all.sqlite")
    for part in (1, 2):
        stores += ("--merge", tmp_path / f"out{part}" / "points.sqlite")
    merged = hwsim("sweep", plan, "--out", tmp_path / "all", *stores, *options)
    found = json.loads(merged.stdout)
    assert found["counts"]["run_now"] == 0
    assert found["counts"]["done"] == 5
    whole = hwsim("sweep", plan, "--out", tmp_path / "whole", *options)
    same = [
        {key: value for key, value in row.items() if key != "seconds"} for row in found["results"]
    ]
    assert same == [
        {key: value for key, value in row.items() if key != "seconds"}
        for row in json.loads(whole.stdout)["results"]
    ]
    for wrong in ("0/2", "3/2", "1", "a/b"):
        done = hwsim("sweep", plan, "--shard", wrong)
        assert done.returncode == 2
        assert "must be i/n, with i from 1 to n" in done.stderr


def test_sweeps_share_a_store(tmp_path: Path) -> None:
    plan, other = tmp_path / "small.yaml", tmp_path / "other.yaml"
    plan.write_text(YAML)
    other.write_text(YAML.replace("name: small", "name: other").replace("[0, 4, ", "[5, 4, "))
    options = ("--store", tmp_path / "points.sqlite", "--jobs", 1, "--json")
    hwsim("sweep", plan, "--out", tmp_path / "a", *options)
    done = hwsim("sweep", other, "--out", tmp_path / "b", *options)
    assert json.loads(done.stdout)["counts"]["run_now"] == 1


def test_a_store_of_another_version_is_left_as_it_is(tmp_path: Path) -> None:
    plan, store = tmp_path / "small.yaml", tmp_path / "old.sqlite"
    plan.write_text(YAML)
    with contextlib.closing(sqlite3.connect(store)) as old:
        old.execute("CREATE TABLE point (key TEXT)")
        old.execute("INSERT INTO point VALUES ('kept')")
        old.execute("PRAGMA user_version = 1")
        old.commit()
    for option in ("--store", "--merge"):
        done = hwsim("sweep", plan, "--out", tmp_path / "out", option, store)
        assert done.returncode == 2
        assert "must be a store of layout 2, not 1: it is left as it is" in done.stderr
    with contextlib.closing(sqlite3.connect(store)) as old:
        assert old.execute("SELECT key FROM point").fetchall() == [("kept",)]


def test_help_shows_an_example() -> None:
    done = hwsim("sweep", "--help")
    assert done.returncode == 0
    assert "hwsim sweep configs/sweep/array_size.yaml" in done.stdout
