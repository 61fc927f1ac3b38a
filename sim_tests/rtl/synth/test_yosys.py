# amaranth: UnusedElaboratable=no
"""Cells from Yosys: what a narrow code saves, what is counted, what is kept."""

import re
import subprocess

import pytest
from amaranth.back import rtlil

import hwsim.rtl.synth.yosys as synth
from hwsim.config import ArchConfig, NumberConfig
from hwsim.config.tech import TechConfig
from hwsim.errors import InputError
from hwsim.rtl.synth.liberty import liberty_text
from hwsim.rtl.synth.survey import CODES, survey

pytest.importorskip("pyosys", reason="cells need pyosys: pip install 'hwsim[synth]'")

TINY = {"family": "dense", "dataflow": "ws", "rows": 2, "cols": 2, "acc_depth": 4}


def tiny(size=2, **numbers):
    array = TINY | {"rows": size, "cols": size}
    fields = {"name": "tiny", "numbers": {"psum_width": 20} | numbers, "array": array}
    return ArchConfig.model_validate(fields)


def logic(cache, code, width, act_width=8):
    numbers = NumberConfig(weight_code=code, weight_width=width, act_width=act_width)
    return synth.synthesize_multiplier(numbers, "generic", cache).count("logic")


def test_multiplier_shrinks_with_its_code(tmp_path):
    assert logic(tmp_path, "int", 4) < 0.5 * logic(tmp_path, "int", 8)
    assert logic(tmp_path, "levels", 4) < 0.5 * logic(tmp_path, "levels", 8)
    # a shifter, a negation, an AND with the sign, an XNOR
    cells = [
        logic(tmp_path, "pow2", 4), logic(tmp_path, "ternary", 2), logic(tmp_path, "levels", 1),
        logic(tmp_path, "levels", 1, act_width=1),
    ]  # fmt: skip
    assert cells == sorted(cells, reverse=True)
    assert cells[0] < logic(tmp_path, "int", 4)


def test_narrow_pe_carries_no_wide_multiplier(tmp_path):
    wide, narrow = (
        synth.synthesize_array(tiny(4, weight_width=width), "generic", tmp_path, whole=False)[1]
        for width in (8, 4)
    )
    saved = logic(tmp_path, "int", 8) - logic(tmp_path, "int", 4)
    assert wide.count("logic") - narrow.count("logic") >= 0.8 * saved
    # two weights of four bits less
    assert wide.count("flip_flops") - narrow.count("flip_flops") == 2 * 4


def test_array_holds_its_pes_and_its_memory(tmp_path):
    array, pe, count = synth.synthesize_array(tiny(), "generic", tmp_path)
    assert count == 4
    assert array.memory_bits == 4 * 2 * 20
    assert array.count("memories") == 1
    assert pe.memory_bits == 0
    # act, two weights, psum, swap, load; edge PEs need not hand everything on
    assert pe.count("flip_flops") <= 8 + 2 * 8 + 20 + 2
    assert array.count("logic") > 3 * pe.count("logic")
    document = array.to_dict()
    # submodules are counted by what is in them
    assert all(cell.startswith("$") for cell in document["by_type"])
    assert sum(document["by_type"].values()) == sum(
        document[kind] for kind in ("logic", "flip_flops", "dsp", "memories")
    )


def test_modules_of_a_pe_are_the_pe(tmp_path):
    array = {"family": "bitmask", "pes": 2, "chunk": 8, "window": 2, "mask_depth": 4,
             "load_pes": 1, "entry_depth": 8, "buffer_depth": 2, "acc_depth": 2}  # fmt: skip
    arch = ArchConfig.model_validate({"name": "twin", "array": array})
    modules = synth.pe_modules(arch, "generic")
    assert {"", "join", "walk", "accumulator"} <= set(modules)
    pe = synth.synthesize_array(arch, "generic", tmp_path, whole=False)[1]
    for kind in ("logic", "flip_flops", "memories"):
        assert sum(cells.count(kind) for cells in modules.values()) == pe.count(kind)
    assert modules["accumulator"].count("memories") == 2
    assert not modules["ahead"].count("memories")


def test_fpga_targets_use_their_multipliers(tmp_path):
    cells = synth.synthesize_multiplier(NumberConfig(), "ecp5", tmp_path)
    assert cells.by_type == {"MULT18X18D": 1}
    assert cells.count("dsp") == 1


def test_same_design_is_synthesized_once(tmp_path, monkeypatch):
    first = synth.synthesize_multiplier(NumberConfig(weight_width=3), "generic", tmp_path)
    assert len(list(tmp_path.iterdir())) == 1

    def refuse(*_, **__):
        raise AssertionError("a second run")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert synth.synthesize_multiplier(NumberConfig(weight_width=3), "generic", tmp_path) == first
    with pytest.raises(AssertionError, match="a second run"):
        synth.synthesize_multiplier(NumberConfig(weight_width=2), "generic", tmp_path)


def test_what_yosys_says_of_a_failure_is_told(tmp_path):
    text = rtlil.convert(synth.Multiplier(NumberConfig()), name="multiplier", emit_src=False)
    with pytest.raises(InputError, match=r"yosys: nothing: cannot be mapped: ERROR: .*nothing"):
        synth._synthesize(text, "\\nothing", "generic", tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_library_without_areas_is_refused(tmp_path):
    text = liberty_text(TechConfig.read("sg13g2").corners["typ"])
    path = tmp_path / "bare.lib"
    path.write_text(re.sub(r"area : [^;]+;", "", text))
    cache, numbers = tmp_path / "cache", NumberConfig(weight_width=2, act_width=2)
    with pytest.raises(InputError, match=r"bare.lib: cell \w+: must have an area"):
        synth.synthesize_multiplier(numbers, f"liberty={path}", cache)
    path = tmp_path / "whole.lib"
    path.write_text(text)
    assert synth.synthesize_multiplier(numbers, f"liberty={path}", cache).area > 0


def test_unknown_target_is_refused(tmp_path):
    rule = "must be one of: generic, ecp5, ice40, xilinx"
    with pytest.raises(InputError, match=rf"--target = 'asic': {rule}"):
        synth.synthesize_multiplier(NumberConfig(), "asic", tmp_path)


def test_survey_has_a_row_a_code_and_unit(tmp_path):
    pes = {"dense": TINY, "csc": {"family": "csc", "pes": 1, "col_depth": 4, "entry_depth": 4,
                                  "acc_depth": 2}}  # fmt: skip
    seen = []
    rows = survey("generic", tmp_path, (CODES[-2], CODES[-1]), pes, lambda *at: seen.append(at))
    assert seen == [(0, 2), (1, 2), (2, 2)]
    names = [(row["weight_code"], row["act_width"], row["unit"]) for row in rows]
    assert names == [
        ("pow2", 8, "multiplier"), ("pow2", 8, "dense"), ("pow2", 8, "csc"),
        ("levels", 1, "multiplier"), ("levels", 1, "dense"),  # csc skips zeros: no binary
    ]  # fmt: skip
    assert all(row["multipliers"] == 1 for row in rows)
    assert all(row["logic"] > 0 for row in rows)
