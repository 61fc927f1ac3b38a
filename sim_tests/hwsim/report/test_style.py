"""The shared style: reproducible files, written whole, nothing global."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest

from hwsim.errors import InputError
from hwsim.report.style import colours, family_colour, figure, panels, save


def draw(path: Path) -> Path:
    made, axes = figure()
    axes.plot([1, 2], [3, 4], label="a")
    axes.set_xlabel("cycles")
    axes.legend()
    return save(made, path)


def test_the_same_picture_is_the_same_file(tmp_path: Path) -> None:
    png = draw(tmp_path / "one")
    assert png == tmp_path / "one.png"
    draw(tmp_path / "two")
    for suffix in ("png", "svg"):
        assert (tmp_path / f"one.{suffix}").read_bytes() == (
            tmp_path / f"two.{suffix}"
        ).read_bytes()
    assert png.read_bytes().startswith(b"\x89PNG")
    assert "cycles" in (tmp_path / "one.svg").read_text()
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "one.png", "one.svg", "two.png", "two.svg"
    ]  # fmt: skip


def test_drawing_leaves_the_global_style_alone(tmp_path: Path) -> None:
    before = dict(mpl.rcParams)
    draw(tmp_path / "x")
    assert dict(mpl.rcParams) == before


def test_importing_brings_neither_pyplot_nor_a_backend() -> None:
    code = "import sys, hwsim.sweeps.pictures; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)


def test_panels_are_listed_row_by_row() -> None:
    made, grid = panels(2, 3, (9, 6))
    assert len(grid) == 6
    assert tuple(made.get_size_inches()) == (9, 6)


def test_families_keep_their_colours_apart() -> None:
    names = ["dense", "csc", "nm", "pattern", "bitmask", "unknown"]
    assert len({family_colour(name) for name in names}) == len(names)
    assert len(set(colours(8))) == 8
    assert len(colours(11)) == 11


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"):
        draw(tmp_path / "file" / "x")
