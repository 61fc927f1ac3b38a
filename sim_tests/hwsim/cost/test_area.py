"""Area composed of parts against the area of the whole, and what it is found by."""

from __future__ import annotations

import pytest

import hwsim
from hwsim import InputError
from hwsim.config import ArchConfig
from hwsim.config.catalog import CONFIGS
from hwsim.config.jobs.study import PublishedConfig, StudyConfig
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.config.parts import PartsConfig, clock_probe, keys_of, probe_of
from hwsim.contract.parts import Part, linear, places
from hwsim.cost.area import area
from hwsim.cost.book import Book
from hwsim.cost.memories import process
from hwsim.studies import budgets
from hwsim.sweeps.space import Space

RECORD = PartsConfig.read("sg13g2")
DESIGNS = sorted(
    path.stem for kind in ("arch", "machine") for path in (CONFIGS / kind).glob("*.yaml")
)

#: Small designs that are no probes of themselves.
SMALL = {
    "ws": {"family": "dense", "dataflow": "ws", "rows": 5, "cols": 7, "acc_depth": 16},
    "os": {"family": "dense", "dataflow": "os", "rows": 7, "cols": 4},
    "bitmask_weights": {
        "family": "dense", "dataflow": "ws", "rows": 5, "cols": 6, "acc_depth": 16,
        "weight_stream": "bitmask",
    },
    "nm": {"family": "nm", "dataflow": "ws", "rows": 4, "cols": 5, "n": 2, "m": 4, "acc_depth": 8},
    "pattern": {"family": "pattern", "rows": 4, "cols": 4, "acc_depth": 8, "line_depth": 8},
    "dbb": {"family": "dbb", "rows": 4, "cols": 5, "n": 2, "m": 4},
    "csc": {
        "family": "csc", "pes": 8, "lanes": 2, "load_pes": 2, "col_depth": 16, "entry_depth": 64,
        "acc_depth": 4,
    },
    "bitmask": {
        "family": "bitmask", "pes": 8, "clusters": 2, "load_pes": 2, "chunk": 16, "window": 4,
        "mask_depth": 8, "entry_depth": 32, "acc_depth": 4,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_composed_logic_is_that_of_the_whole(name, tmp_path):
    pytest.importorskip("pyosys", reason="areas need pyosys: pip install 'hwsim[synth]'")
    from hwsim.rtl.synth.parts import measure
    from hwsim.rtl.synth.yosys import synthesize_array

    arch = ArchConfig.model_validate({"name": f"small_{name}", "array": SMALL[name]})

    def find(arch, part, key):
        return measure(probe_of(arch, part), part, "sg13g2", tmp_path, process("sg13g2"))

    composed = area(arch, "sg13g2", find)
    whole = synthesize_array(arch, "sg13g2", tmp_path)[0]
    assert composed.gates + composed.flip_flops == pytest.approx(whole.area, rel=0.03)
    assert sum(group.count for group in composed.groups) == pytest.approx(
        whole.count("flip_flops"), rel=0.02
    )


def is_small(design):
    """Elaboration of its memories takes seconds, not half a minute."""
    arch = ArchConfig.read(design)
    return sum(memory.bits for memory in arch.array.memories(arch.numbers)) <= 1 << 23


def searched():
    """Designs of the sweeps that ship and measure silicon, and of studies under equal budgets."""
    found = {}
    for path in sorted((CONFIGS / "sweep").glob("*.yaml")):
        sweep = SweepConfig.read(path)
        points = Space(sweep, str(path)) if sweep.technology == "sg13g2" else ()
        found |= {point.arch.digest: point.arch for point in points if point.arch is not None}
    for path in sorted((CONFIGS / "study").glob("*.yaml")):
        study = StudyConfig.read(path).study
        if not isinstance(study, PublishedConfig):
            found |= {arch.digest: arch for arch in budgets.designs(study.network, study.choices)}
    assert found
    return list(found.values())


def test_every_design_that_a_shipped_sweep_or_study_searches_is_on_record():
    corners = process("sg13g2").corners
    for arch in searched():
        for part, key in keys_of(arch):
            assert key in RECORD.parts, f"{arch.name} {part}: python benchmarks/parts.py"
        for corner in corners:
            assert f"{clock_probe(arch).digest} {corner}" in RECORD.clocks, arch.name


@pytest.mark.parametrize("design", [*filter(is_small, DESIGNS)])
def test_the_record_is_of_this_rtl(design):
    """Parts and clocks of the designs that ship; `python benchmarks/parts.py` renews them."""
    pytest.importorskip("amaranth", reason="needs the RTL generator: pip install 'hwsim[rtl]'")
    from hwsim.rtl.emit.rtlil import design_rtlil, rtl_digest
    from hwsim.rtl.synth.parts import part_rtl

    arch = ArchConfig.read(design)
    for part, key in keys_of(arch):
        text, module = part_rtl(probe_of(arch, part), part)
        assert RECORD.parts[key].rtl == rtl_digest(text, module.removeprefix("\\")), part
    probe = clock_probe(arch)
    digest = rtl_digest(design_rtlil(probe)[1], probe.name)
    clocks = [key for key in RECORD.clocks if key.startswith(f"{probe.digest} ")]
    assert clocks
    assert {RECORD.clocks[key].rtl for key in clocks} == {digest}


def test_nothing_else_is_on_record():
    """Designs that ship, and those that sweeps and studies which do search."""
    archs = [*(ArchConfig.read(design) for design in DESIGNS), *searched()]
    assert set(RECORD.parts) <= {key for arch in archs for _, key in keys_of(arch)}
    known = {clock_probe(arch).digest for arch in archs}
    assert {key.split(" ")[0] for key in RECORD.clocks} <= known


def test_keys_are_those_of_the_probes():
    arch = ArchConfig.read("csc_4x16")
    for part, key in keys_of(arch):
        assert key.split(" ")[0] == probe_of(arch, part).digest


def test_an_edited_design_is_not_found_by_its_name():
    arch = ArchConfig.read("dense_8x8_ws")
    edited = arch.model_copy(update={"numbers": arch.numbers.model_copy(update={"psum_width": 24})})
    before, after = ({key for _, key in keys_of(each)} for each in (arch, edited))
    assert not before & after
    # but a larger one of the same kind is made of the same parts
    larger = arch.model_copy(update={"array": arch.array.model_copy(update={"rows": 64})})
    assert {key for _, key in keys_of(larger)} == before


def test_areas_grow_with_what_they_count():
    one = hwsim.area("dense_8x8_ws")[0]
    arch = one.arch
    wide = arch.model_copy(update={"array": arch.array.model_copy(update={"cols": 16})})
    two = hwsim.area(wide)[0]
    assert 1.8 < two.total / one.total < 2.2
    scaled = hwsim.area("dense_8x8_ws", technology="45nm")[0]
    assert scaled.gates == pytest.approx(0.16 * one.gates)
    rows = one.to_rows()
    assert rows[-1]["total"] == pytest.approx(sum(row["total"] for row in rows[:-1]), abs=1e-5)
    assert one.to_dict()["total_um2"] == pytest.approx(1e6 * rows[-1]["total"], abs=1)


def test_an_unknown_technology_is_one_line():
    with pytest.raises(InputError, match="must be a file or one of: 45nm, sg13g2"):
        hwsim.area("dense_8x8_ws", technology="7nm")


@pytest.mark.parametrize(
    ("size", "kinds"), [(1, {0: 1}), (2, {0: 1, 1: 1}), (9, {0: 1, 1: 7, 2: 1})]
)
def test_places_of_a_grid(size, kinds):
    assert places(size) == kinds
    assert sum(places(size).values()) == size


def test_lines_meet_what_they_were_drawn_through():
    cost = {(2, 2): 10.0, (6, 2): 18.0, (2, 6): 34.0}
    for rows, cols in [(2, 2), (6, 2), (2, 6), (8, 8), (1, 3)]:
        parts = linear("x", "x", {"rows": (rows, 2, 6), "cols": (cols, 2, 6)})
        found = sum(p.count * cost[p.probe["rows"], p.probe["cols"]] for p in parts)
        assert found == pytest.approx(10 + 2 * (rows - 2) + 6 * (cols - 2))
        assert all(isinstance(part, Part) and part.count for part in parts)


def test_technologies_of_one_name_are_kept_apart(tmp_path):
    text = (CONFIGS / "tech" / "sg13g2.yaml").read_text()
    files = [tmp_path / folder / "mine.yaml" for folder in ("one", "other")]
    for file, wire in zip(files, ("wire_load: 0.3", "wire_load: 0.6"), strict=True):
        file.parent.mkdir()
        file.write_text(text.replace("wire_load: 0.3", wire))
    first, second = (Book(str(file)).path for file in files)
    assert first != second
    assert first.name.startswith("mine-")
