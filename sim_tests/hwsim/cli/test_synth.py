"""``hwsim synth`` from the shell: what it prints, writes and refuses."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import pytest

TINY = """
name: tiny
numbers: {act_width: 4, weight_code: ternary, weight_width: 2, psum_width: 12}
array: {family: dense, dataflow: os, rows: 1, cols: 2}
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


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "ARCH: name a design, or give --multipliers"),
        (("dense_8x8_ws", "--target", "asic"), "target = 'asic': must be one of: generic"),
        (("dense_9x9",), "dense_9x9"),
    ],
)
def test_bad_input_is_one_line(tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    done = hwsim(tmp_path, "synth", *arguments)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
