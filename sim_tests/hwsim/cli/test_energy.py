"""``hwsim energy`` from the shell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path


def hwsim(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("hwsim"), *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False, cwd=folder,
    )  # fmt: skip


def test_it_writes_a_table_a_file_and_a_picture(tmp_path: Path) -> None:
    done = hwsim(tmp_path, "energy", "dense_8x8_ws", "lenet5", "--json", "--out", "out")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == json.loads((tmp_path / "out" / "results.json").read_text())
    assert document["parts_pj"].keys() >= {"pe", "clock", "accumulator memory", "buffer", "dram"}
    assert (tmp_path / "out" / "results.csv").read_text().startswith("layer,pe,")
    assert (tmp_path / "out" / "energy.png").stat().st_size > 5000
    shown = hwsim(tmp_path, "energy", "dense_8x8_ws", "lenet5", "--tech", "45nm")
    assert "uJ per image in the array" in shown.stdout
    assert (tmp_path / "build" / "energy" / "dense_8x8_ws-lenet5_45nm" / "energy.svg").is_file()


def test_a_wrong_memory_is_one_line(tmp_path: Path) -> None:
    done = hwsim(tmp_path, "energy", "dense_8x8_ws", "lenet5", "--dram", "sram")
    assert done.returncode == 2
    assert done.stderr == (
        "error: arguments: dram = 'sram': must be one of: lpddr4, ddr3, hbm2, hbm3\n"
    )
