"""Figures are filed under what was measured: an edited design never gets another design's."""

from __future__ import annotations

import pytest

from hwsim.config import ArchConfig, TechConfig

RECORD = TechConfig.read("generic")


def edited(name: str, **keys: object) -> ArchConfig:
    raw = ArchConfig.read(name).model_dump()
    return ArchConfig.model_validate(raw | {"array": raw["array"] | keys})


def test_name_description_and_clock_are_no_hardware():
    arch = ArchConfig.read("dense_8x8_ws")
    other = arch.model_copy(
        update={"name": "other", "description": "the same array", "clock_mhz": 1.0}
    )
    assert other.digest == arch.digest
    assert RECORD.cells_of(other) == RECORD.cells_of(arch) is not None


def test_an_edited_design_that_keeps_its_name_has_no_figures():
    arch = ArchConfig.read("dense_8x8_ws")
    assert RECORD.cells_of(arch) is not None
    for other in (
        edited("dense_8x8_ws", rows=16),
        edited("dense_8x8_ws", acc_depth=512),
        arch.model_copy(update={"numbers": arch.numbers.model_copy(update={"psum_width": 24})}),
    ):
        assert other.name == arch.name
        assert other.digest != arch.digest
        assert RECORD.cells_of(other) is None


def test_a_default_that_is_written_out_changes_nothing():
    arch = ArchConfig.read("csc_4x16")
    assert edited("csc_4x16", fifo_depth=arch.array.fifo_depth).digest == arch.digest


def test_designs_that_differ_in_software_share_the_cells_of_their_rtl():
    greedy, plain = ArchConfig.read("bitmask_64_greedy"), ArchConfig.read("bitmask_64_c64")
    assert greedy.digest != plain.digest  # how filters are dealt is the compiler's
    assert RECORD.designs[greedy.digest].rtl == RECORD.designs[plain.digest].rtl
    assert RECORD.cells_of(greedy) == RECORD.cells_of(plain)


@pytest.mark.parametrize("name", ["dense_8x8_ws", "dense_8x8_os", "csc_4x16"])
def test_the_sidecar_has_the_digests_under_which_figures_are_filed(tmp_path, name):
    pytest.importorskip("amaranth", reason="needs the RTL generator: pip install 'hwsim[rtl]'")
    import json

    from hwsim.rtl.emit.verilog import generate

    arch = ArchConfig.read(name)
    sidecar = json.loads(generate(arch, tmp_path).with_suffix(".json").read_text())
    assert sidecar["digest"]["arch"] == arch.digest
    # `python benchmarks/gates.py` measures anew what has changed
    assert sidecar["digest"]["rtl"] == RECORD.designs[arch.digest].rtl
