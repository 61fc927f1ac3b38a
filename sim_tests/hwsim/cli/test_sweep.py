"""``hwsim sweep`` from the shell: what it prints, writes and returns."""

from __future__ import annotations

import csv
import json
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
        "done": 2, "invalid": 1, "failed": 0, "points": 3, "run_now": 3
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
        "sweep.sqlite", "results.csv", "pareto.png", "pareto.svg"
    }  # fmt: skip
    with (tmp_path / "out" / "results.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["status"] for row in table] == ["invalid", "done", "done"]

    again = hwsim("sweep", plan, "--out", tmp_path / "out", "--json")
    assert json.loads(again.stdout)["counts"]["run_now"] == 0
    assert json.loads(again.stdout)["results"] == document["results"]
    fresh = hwsim("sweep", plan, "--out", tmp_path / "out", "--fresh", "--jobs", 1)
    assert fresh.returncode == 0
    assert "3 points, 3 run now: 2 done, 1 invalid, 0 failed" in fresh.stdout


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
        ("grid:", "gird:", "grid: Field required"),
        ("arch.array.rows,", "arch.array.height,", "dense_8x8_ws has no field arch.array.height"),
        ("network: lenet5", "network: lenet6", "must be a file or one of: alexnet"),
        ("[0, 4, [2, 8]]", "[0]", "grid: no point is valid, first: arch dense_8x8_ws: array.rows"),
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


def test_help_shows_an_example() -> None:
    done = hwsim("sweep", "--help")
    assert done.returncode == 0
    assert "hwsim sweep configs/sweep/array_size.yaml" in done.stdout
