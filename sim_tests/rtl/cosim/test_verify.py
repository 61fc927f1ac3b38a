"""Proof by random cases: the RTL's outputs and cycles by cause equal the simulator's."""

import json

import numpy as np
import pytest
from harness import serial
from typer.testing import CliRunner

from hwsim.arrays.base import array_model
from hwsim.cli import app
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.rtl.cosim import run as cosim
from hwsim.verification.cases import STALLS, layer_cases, random_cases
from hwsim.verification.run import verify
from hwsim.workload.layer import Layer

SHIPPED = ("dense_8x8_ws", "dense_8x8_os", "dbb_2x4_4x8", "csc_16x4")
#: Their random weights keep to a constraint.
CONSTRAINED = (
    "nm_2x4_4x8_ws",
    "nm_2x4_4x8_os",
    "nm_2x4_4x8_ws_binary",
    "pattern_4x4",
    "pattern_4x4_levels4",
)


@pytest.mark.cosim
def test_small_designs_under_icarus(need, small, tmp_path):
    need("icarus")
    results = verify(small, random_cases(small, 33, seed=1), tmp_path, "icarus")
    assert [result.difference for result in results if not result.equal] == []


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize("name", SHIPPED + CONSTRAINED)
def test_shipped_designs_under_verilator(need, name, tmp_path):
    need("verilator")
    arch = ArchConfig.read(name)
    results = verify(arch, random_cases(arch, 60, seed=2), tmp_path)
    assert [result.difference for result in results if not result.equal] == []


@pytest.mark.cosim
@pytest.mark.slow
def test_waves_lie_beside_the_verilog(need, tmp_path):
    need("verilator")
    array = {"family": "dense", "dataflow": "ws", "rows": 2, "cols": 2, "acc_depth": 4}
    design = ArchConfig.model_validate({"name": "tiny", "array": array})
    (result,) = verify(design, random_cases(design, 1, seed=1), tmp_path, waves=True)
    assert result.equal
    assert "$var" in (tmp_path / cosim.WAVES).read_text()
    with pytest.raises(InputError, match="waves = True: must be absent: only verilator"):
        verify(design, random_cases(design, 1, seed=1), tmp_path, "icarus", waves=True)


@pytest.mark.parametrize("name", SHIPPED)
def test_random_cases_cover_the_corners(name):
    arch = ArchConfig.read(name)
    cases = random_cases(arch, 60, seed=4)
    shapes = [(case.gemm.M, case.gemm.K, case.gemm.N) for case in cases]
    array = arch.array
    m, k, n = (
        (array.pes, array.window, array.lanes)
        if array.family == "csc"
        else (array.cols, array.rows, 1)
        if array.dataflow == "ws"
        else (array.rows, 1, array.cols)
    )
    assert (1, 1, 1) in shapes
    assert any(shape[0] > 2 * m for shape in shapes)
    assert any(shape[1] > 2 * k for shape in shapes)
    assert any(shape[2] > 2 * n for shape in shapes)
    weights = [case.gemm.weight for case in cases]
    assert any(not weight.any() for weight in weights)
    assert any(weight.all() and weight.size > 1 for weight in weights)
    assert any((~weight.any(axis=1)).any() and weight.any() for weight in weights)
    assert any((~weight.any(axis=0)).any() and weight.any() for weight in weights)
    assert any(not case.gemm.act.any() for case in cases)
    assert {-128, 127} <= {int(value) for weight in weights for value in np.unique(weight)}
    assert {case.stalls for case in cases} == set(STALLS)
    assert {case.stalls for case in cases if case.cut is not None} == set(STALLS)
    for case in cases:
        assert all(not pattern.all() for pattern in case.pauses.values())
        array_model(arch).compile(arch, case.gemm)


def test_random_cases_are_a_function_of_the_seed():
    arch = ArchConfig.read("dense_8x8_ws")

    def key(cases):
        return [
            (case.name, case.gemm.weight.tobytes(), case.gemm.act.tobytes(), case.cut)
            for case in cases
        ]

    assert key(random_cases(arch, 20, seed=1)) == key(random_cases(arch, 30, seed=1))[:20]
    assert key(random_cases(arch, 20, seed=1)) != key(random_cases(arch, 20, seed=2))


def test_layers_are_picked_by_name():
    operands = {"conv": Layer("conv", 2, 3, 4, groups=2), "fc": Layer("fc", 5, 6, 1)}
    assert [case.name for case in layer_cases(operands)] == ["conv.0", "conv.1", "fc"]
    assert [case.gemm.M for case in layer_cases(operands, ["fc"])] == [5]


@pytest.fixture
def serial_file(tmp_path):
    """Configuration of the serial array, for the command line."""
    path = tmp_path / "serial.yaml"
    with serial.registered():
        path.write_text(json.dumps(serial.design().model_dump(mode="json")))
        yield str(path)


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.mark.cosim
def test_command_lists_every_case(need, serial_file, tmp_path):
    need("icarus")
    out = tmp_path / "out"
    options = ("--random", 12, "--seed", 3, "--simulator", "icarus", "--out", out, "--json")
    done = invoke("verify", serial_file, *options)
    assert done.exit_code == 0, done.output
    document = json.loads(done.stdout)
    assert document["equal"]
    assert document["different"] == 0
    assert len(document["cases"]) == 12
    assert all(case["cycles_rtl"] == case["cycles_simulator"] for case in document["cases"])
    assert json.loads((out / "results.json").read_text()) == document
    assert (out / "serial.v").is_file()


@pytest.mark.cosim
def test_command_exits_1_at_a_difference(need, monkeypatch, serial_file, tmp_path):
    need("icarus")
    monkeypatch.setattr(cosim, "_collect", _corrupted(cosim._collect))
    options = ("--random", 5, "--simulator", "icarus", "--out", tmp_path / "out")
    done = invoke("verify", serial_file, *options)
    assert done.exit_code == 1
    assert "error: 0 one: ofmap[0, 0]: rtl" in done.stderr
    assert not json.loads((tmp_path / "out" / "results.json").read_text())["equal"]


def _corrupted(collect):
    def corrupt(*arguments):
        run = collect(*arguments)
        return cosim.RTLRun(run.ofmap ^ 1, run.counts, run.fault)

    return corrupt


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--layer", "conv2"), "layers: needs a network"),
        (("--checkpoint", "x"), "weights: needs a network"),
        (("--random", 0), "must be at least 1"),
        (("lenet5", "--layer", "pool1"), "must be a layer with weights: conv1, conv2, fc1, fc2"),
        (("--simulator", "vcs"), "must be one of: verilator, icarus"),
    ],
)
def test_bad_input_is_one_line(options, message, tmp_path):
    done = invoke("verify", "dense_8x8_ws", "--out", tmp_path, *options)
    assert isinstance(done.exception, InputError)
    assert message in str(done.exception)
    assert not (tmp_path / "dense_8x8_ws.v").exists()


@pytest.mark.cosim
@pytest.mark.slow
def test_lanes_that_all_leave_in_one_beat(need, tmp_path):
    """A row is wider than a word of the simulator, and none of it is chosen by a beat."""
    need("verilator")
    array = {
        "family": "csc", "pes": 1, "lanes": 7, "drain_lanes": 7, "window": 4, "col_depth": 64,
        "entry_depth": 64, "acc_depth": 4,
    }  # fmt: skip
    design = ArchConfig.model_validate({"name": "all_lanes", "array": array})
    results = verify(design, random_cases(design, 12, seed=3), tmp_path)
    assert [result.difference for result in results if not result.equal] == []
