"""Liberty files: measured into facts, written back, and refused in one line."""

import pytest
from harness.liberty import CELLS, library

from hwsim.config.base import parse
from hwsim.config.tech import SRAMConfig, TechConfig
from hwsim.errors import InputError

pytest.importorskip("liberty", reason="Liberty files need: pip install 'hwsim[synth]'")

from hwsim.rtl.synth.liberty import liberty_text, read_corner


def measured(folder, **parts):
    path = folder / "mini.lib"
    path.write_text(library(**parts))
    return read_corner(path)


def test_planes_areas_and_units_are_found(tmp_path):
    corner = measured(tmp_path)
    assert set(corner.cells) == set(CELLS)
    nand = corner.cells["NAND2"]
    assert (nand.area, nand.leakage, nand.max_load) == (2.5, 4.0, 200.0)
    assert nand.pins == {"A": 2.0, "B": 2.0}
    first, second = nand.arcs
    # of the two states the slower one counts
    assert first.rise == pytest.approx([0.020, 0.003, 0.2, 0.0], abs=1e-6)
    assert second.fall == pytest.approx([0.040, 0.006, 0.4, 0.0], abs=1e-6)
    # a scan flip-flop is smaller, but data does not go straight into it
    assert corner.flip_flop.name == "DFF"
    assert corner.flip_flop.setup == 0.07
    assert corner.flip_flop.pins == {"CK": 1.0, "D": 1.5}


def test_what_is_written_is_measured_alike(tmp_path):
    corner = measured(tmp_path)
    path = tmp_path / "again.lib"
    path.write_text(liberty_text(corner))
    text = path.read_text()
    assert "setup" not in text  # flip-flops carry no timing
    with pytest.raises(InputError, match="cell DFF: cannot be measured"):
        read_corner(path)
    timed = library()
    flip_flop = timed[timed.index("cell (DFF)") : timed.index("cell (SCAN)")]
    path.write_text(text[: text.index("cell (DFF)")] + flip_flop + "}\n")
    again = read_corner(path)
    for name, cell in corner.cells.items():
        assert again.cells[name].area == cell.area
        for arc, other in zip(cell.arcs, again.cells[name].arcs, strict=True):
            assert other.rise == pytest.approx(arc.rise, abs=1e-4)


def test_a_technology_survives_its_file(tmp_path):
    corner = measured(tmp_path)
    tech = TechConfig(
        name="mini", description="d", source="s", licence="l", corners={"typ": corner}
    )
    path = tmp_path / "mini.yaml"
    path.write_text(tech.to_yaml())
    assert TechConfig.read(path) == tech


@pytest.mark.parametrize("shipped", ["sg13g2", "45nm"])
def test_memories_survive_their_file(tmp_path, shipped):
    tech = TechConfig.read(shipped)
    path = tmp_path / "again.yaml"
    path.write_text(tech.to_yaml())
    assert TechConfig.read(path) == tech


def test_macros_without_an_access_time_are_refused(tmp_path):
    raw = TechConfig.read("sg13g2").sram.model_dump(exclude_none=True)
    raw["macros"][1]["access"] = {64: 3.0}
    with pytest.raises(InputError, match=r"macros.1: access must have ns for 512 rows"):
        parse(SRAMConfig, raw, tmp_path / "sram.yaml")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        (library(area=""), "cell INV: must have an area"),
        (library(area="area : 0;"), "cell INV: must have an area"),
        (library(flip_flop=False), "must have logic cells and a flip-flop with a plain data input"),
        ("library (empty) { }", "library: must give time_unit"),
        ("not a library", "must be a Liberty file"),
        ("", "must be a Liberty file"),
        (library().replace('"A"; max', '"!A"; max'), "must have a buffer among its cells"),
        (library().replace("rise_transition (t)", "other (t)"), "cell INV: cannot be measured"),
    ],
    ids=[
        "no area",
        "zero area",
        "no flip-flop",
        "empty",
        "text",
        "nothing",
        "no buffer",
        "no slew",
    ],
)
def test_an_unfit_file_is_one_line(tmp_path, text, rule):
    path = tmp_path / "bad.lib"
    path.write_text(text)
    with pytest.raises(InputError, match=rule) as caught:
        read_corner(path)
    assert "\n" not in str(caught.value)
    assert "bad.lib" in str(caught.value)
