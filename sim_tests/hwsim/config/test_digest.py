"""Digests: of the sections that determine the hardware, and of the RTL."""

from __future__ import annotations

import pytest

from hwsim.config import ArchConfig


def edited(name: str, **keys: object) -> ArchConfig:
    raw = ArchConfig.read(name).model_dump()
    return ArchConfig.model_validate(raw | {"array": raw["array"] | keys})


def test_name_and_description_are_no_hardware():
    arch = ArchConfig.read("dense_8x8_ws")
    other = arch.model_copy(update={"name": "other", "description": "the same array"})
    assert other.digest == arch.digest


def test_an_edited_design_that_keeps_its_name_is_another_one():
    arch = ArchConfig.read("dense_8x8_ws")
    for other in (
        edited("dense_8x8_ws", rows=16),
        edited("dense_8x8_ws", acc_depth=512),
        arch.model_copy(update={"numbers": arch.numbers.model_copy(update={"psum_width": 24})}),
    ):
        assert other.name == arch.name
        assert other.digest != arch.digest


def test_a_default_that_is_written_out_changes_nothing():
    arch = ArchConfig.read("csc_4x16")
    assert edited("csc_4x16", fifo_depth=arch.array.fifo_depth).digest == arch.digest


def test_designs_that_differ_in_software_share_their_rtl():
    pytest.importorskip("amaranth", reason="needs the RTL generator: pip install 'hwsim[rtl]'")
    from hwsim.rtl.emit.rtlil import design_rtlil, rtl_digest

    small = {"pes": 2, "clusters": 1, "load_pes": 1, "drain_pes": 1, "mask_depth": 4}
    dealt = [edited("bitmask_64_greedy", **small, balance=how) for how in ("greedy", "none")]
    first, second = (arch.digest for arch in dealt)
    assert first != second  # how filters are dealt is the compiler's
    rtl, again = (rtl_digest(design_rtlil(arch)[1], arch.name) for arch in dealt)
    assert rtl == again


@pytest.mark.parametrize("name", ["dense_8x8_ws", "dense_8x8_os", "csc_4x16"])
def test_the_sidecar_has_the_digests_under_which_figures_are_filed(tmp_path, name):
    pytest.importorskip("amaranth", reason="needs the RTL generator: pip install 'hwsim[rtl]'")
    import json

    from hwsim.rtl.emit.rtlil import design_rtlil, rtl_digest
    from hwsim.rtl.emit.verilog import generate

    arch = ArchConfig.read(name)
    sidecar = json.loads(generate(arch, tmp_path).with_suffix(".json").read_text())
    assert sidecar["digest"]["arch"] == arch.digest
    assert sidecar["digest"]["rtl"] == rtl_digest(design_rtlil(arch)[1], arch.name)
