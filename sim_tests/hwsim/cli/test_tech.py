"""A user's own library: ``hwsim tech``, and ``liberty=FILE`` wherever a technology is named."""

from __future__ import annotations

import csv
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from harness.liberty import library

import hwsim as api
from hwsim.config.tech import TechConfig
from hwsim.errors import InputError

pytest.importorskip("liberty", reason="Liberty files need: pip install 'hwsim[synth]'")

TINY = """
name: tiny
numbers: {act_width: 4, weight_code: ternary, weight_width: 2, psum_width: 12}
array: {family: dense, dataflow: ws, rows: 1, cols: 2, acc_depth: 256}
"""
#: More words than flip-flops may hold.
DEEP = TINY.replace("tiny", "deep").replace("acc_depth: 256", "acc_depth: 4096")


def hwsim(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [Path(sys.executable).with_name("hwsim"), *map(str, arguments)],
        capture_output=True, text=True, timeout=300, check=False, cwd=folder,
    )  # fmt: skip


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two designs, a library, and its memories: those of 45nm."""
    (tmp_path / "tiny.yaml").write_text(TINY)
    (tmp_path / "deep.yaml").write_text(DEEP)
    (tmp_path / "mini.lib").write_text(library())
    sram = TechConfig.read("45nm").sram
    assert sram is not None
    (tmp_path / "sram.yaml").write_text(yaml.safe_dump(sram.model_dump(exclude_none=True)))
    return tmp_path


def area(folder: Path, design: str, tech: str) -> dict[str, object]:
    """The one design of ``hwsim area --json``, without the technology's name."""
    done = hwsim(folder, "area", design, "--tech", tech, "--json")
    assert done.returncode == 0, done.stderr
    (document,) = json.loads(done.stdout)["designs"]
    document.pop("technology")
    # it has the technology's name, too
    document.pop("warnings")
    return dict(document)


def test_a_library_serves_as_a_technology(folder: Path) -> None:
    pytest.importorskip("pyosys", reason="areas need pyosys: pip install 'hwsim[synth]'")
    with_sram = area(folder, "tiny.yaml", "liberty=mini.lib,sram=sram.yaml")
    assert float(str(with_sram["gates_um2"])) > 0
    # as the file that is measured of it
    done = hwsim(folder, "tech", "mini.lib", "--sram", "sram.yaml", "--out", "own.yaml")
    assert done.returncode == 0, done.stderr
    assert area(folder, "tiny.yaml", "own.yaml") == with_sram
    without = area(folder, "tiny.yaml", "liberty=mini.lib")
    assert without["gates_um2"] == with_sram["gates_um2"]
    kinds = [each["memories"][0]["kind"] for each in (with_sram, without)]  # type: ignore[index]
    assert kinds == ["power law", "flip-flops"]
    assert len(list((folder / "build" / "tech").glob("mini-*.yaml"))) == 2


def test_a_library_that_changes_is_measured_again(folder: Path, monkeypatch) -> None:
    monkeypatch.chdir(folder)
    before = api.fit("dense_8x8_ws", "lenet5", technology="liberty=mini.lib,sram=sram.yaml")
    (folder / "mini.lib").write_text(library(area="area : 5;"))
    after = api.fit("dense_8x8_ws", "lenet5", technology="liberty=mini.lib,sram=sram.yaml")
    assert Path(before.technology).is_file()
    assert Path(after.technology).is_file()
    areas = [
        TechConfig.read(each.technology).corners["typ"].cells["INV"].area
        for each in (before, after)
    ]
    assert areas == [2.5, 5]


def test_synth_warns_by_the_library_s_memories(folder: Path) -> None:
    pytest.importorskip("pyosys", reason="cells need pyosys: pip install 'hwsim[synth]'")
    (folder / "small.yaml").write_text(yaml.safe_dump(_small_macros()))
    units = {}
    for tech in ("liberty=mini.lib", "liberty=mini.lib,sram=small.yaml"):
        done = hwsim(folder, "synth", "tiny.yaml", "--target", tech, "--out", "out")
        assert done.returncode == 0, done.stderr
        with (folder / "out" / "results.csv").open() as file:
            units[tech] = [row["unit"] for row in csv.DictReader(file)]
    assert units["liberty=mini.lib"] == ["array", "pe", "multiplier"]
    (*_, warning) = units["liberty=mini.lib,sram=small.yaml"]
    assert warning.startswith("warning: accumulator: 6,144 bits in flip-flops: build/tech/mini-")


def _small_macros() -> dict[str, object]:
    """Macros of one port: accumulators need two."""
    sram = TechConfig.read("sg13g2").sram
    assert sram is not None
    assert sram.macros is not None
    return {"macros": {1: sram.macros[1].model_dump()}}


@pytest.mark.parametrize(
    ("tech", "message"),
    [
        ("liberty=", "technology = 'liberty=': must be liberty=FILE or liberty=FILE,sram="),
        ("liberty=mini.lib,sram=", "must be liberty=FILE or liberty=FILE,sram=FILE.yaml"),
        ("liberty=none.lib", "none.lib: cannot be read: No such file"),
        ("liberty=mini.lib,sram=none.yaml", "none.yaml: cannot be read: No such file"),
        ("liberty=tiny.yaml", "tiny.yaml: must be a Liberty file"),
        ("liberty=bare.lib", "bare.lib: cell INV: must have an area"),
        ("liberty=mini.lib,sram=tiny.yaml", "tiny.yaml: "),
        ("liberty=mini.lib", "sram = '4096 x 24, 2 port(s)': must have one for accumulator"),
        ("liberty=monotone.lib", "yosys: probe.mesh.pe_0_0: cannot be mapped: ERROR: "),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(folder: Path, tech: str, message: str) -> None:
    pytest.importorskip("pyosys", reason="areas need pyosys: pip install 'hwsim[synth]'")
    (folder / "bare.lib").write_text(library(area=""))
    # without an inverter nothing can be built
    (folder / "monotone.lib").write_text(re.sub(r'"!\(?(A[*+]?B?)\)?"', r'"\1"', library()))
    done = hwsim(folder, "area", "deep.yaml", "--tech", tech)
    assert done.returncode == 2
    (line,) = [row for row in done.stderr.splitlines() if row.startswith("error: ")]
    assert message in line
    assert done.stdout == ""


def test_a_missing_tool_is_one_line(folder: Path, monkeypatch) -> None:
    monkeypatch.setattr("hwsim.system.extras.find_spec", lambda name: None)
    monkeypatch.chdir(folder)
    with pytest.raises(InputError, match=r"is not installed: pip install 'hwsim\[synth\]'"):
        api.area("dense_8x8_ws", technology="liberty=mini.lib")
