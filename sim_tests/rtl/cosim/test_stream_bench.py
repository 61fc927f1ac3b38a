"""The instrument itself: it agrees with a model that is right, and finds every defect built in."""

import numpy as np
import pytest
from harness import serial

from hwsim.arrays.base import Run
from hwsim.errors import SimulationError
from hwsim.rtl.cosim import run as cosim
from hwsim.rtl.cosim.run import simulate_rtl
from hwsim.verification.cases import Case, random_cases
from hwsim.verification.run import verify
from hwsim.workload.gemm import GEMM

pytestmark = pytest.mark.cosim


@pytest.fixture(autouse=True)
def _family():
    with serial.registered():
        yield


def cases(count=3, stalls=("ofmap",)):
    rng = np.random.default_rng(7)
    return [
        Case(
            f"{place}",
            GEMM.of(rng.integers(-128, 128, (2, 3)) | 1, rng.integers(-128, 128, (3, 2))),
            pauses={stream: np.array([True, True, True, False, False]) for stream in stalls},
        )
        for place in range(count)
    ]


@pytest.mark.parametrize("simulator", ["icarus", pytest.param("verilator", marks=pytest.mark.slow)])
def test_serial_array_equals_its_model(need, tmp_path, simulator):
    need(simulator)
    arch = serial.design()
    drawn = random_cases(arch, 44, seed=5)
    results = verify(arch, drawn, tmp_path, simulator)
    assert [result.difference for result in results] == [""] * len(drawn)
    assert any(result.rtl.cycles == 0 for result in results)
    assert any(case.cut is not None for case in drawn)


@pytest.mark.parametrize(
    ("fault", "stalls", "difference"),
    [
        ("value", (), "ofmap[1, 1]: rtl"),
        ("cause", (), "array.idle: rtl"),
        ("event", (), "events.macs: rtl 8, simulator 12"),
        ("change", ("ofmap",), "rtl: ofmap changed an offer"),
        ("hang", (), "rtl: hung: 0 of 4 transfers"),
        ("deaf", (), "rtl: the array takes no command"),
    ],
)
def test_a_defect_is_found(need, tmp_path, fault, stalls, difference):
    need("icarus")
    arch = serial.design(fault)
    results = verify(arch, cases(1, stalls), tmp_path, "icarus")
    assert results[0].difference.startswith(difference)


def test_an_array_left_busy_spoils_the_next_case(need, tmp_path):
    need("icarus")
    arch = serial.design("extra")
    first, second = verify(arch, cases(2, ()), tmp_path, "icarus")
    assert "array.weight: rtl 1" in first.difference
    assert second.difference == "rtl: the array takes no command before the run"


@pytest.mark.parametrize("what", ["ofmap", "cycles", "cause", "event"])
def test_a_corrupted_result_is_a_difference(need, monkeypatch, tmp_path, what):
    need("icarus")
    arch = serial.design()
    collect = cosim._collect

    def corrupt(*arguments):
        run = collect(*arguments)
        if arguments[-1] != 1:
            return run
        ofmap, cycles, causes = run.ofmap.copy(), run.counts.cycles, run.counts.causes
        events = run.counts.events
        if what == "ofmap":
            ofmap[0, 1] ^= 1
        elif what == "cycles":
            cycles += 1
        elif what == "cause":
            causes = {"array": causes["array"] | {"ofmap": 1}}
        else:
            events = events | {"weight_beats": 13}
        return cosim.RTLRun(ofmap, type(run.counts)(cycles, causes, events))

    monkeypatch.setattr(cosim, "_collect", corrupt)
    results = verify(arch, cases(3, ()), tmp_path, "icarus")
    assert [result.equal for result in results] == [True, False, True]
    assert results[1].difference.startswith(
        {
            "ofmap": "ofmap[0, 1]: rtl",
            "cycles": "cycles: rtl",
            "cause": "array.ofmap: rtl 1",
            "event": "events.weight_beats: rtl 13",
        }[what]
    )


def test_a_wrong_model_is_a_difference(need, monkeypatch, tmp_path):
    need("icarus")
    arch = serial.design()
    right = serial.simulate

    def wrong(*arguments):
        run = right(*arguments)
        return Run(run.ofmap ^ 1, run.counts)

    monkeypatch.setattr(serial, "simulate", wrong)
    (result,) = verify(arch, cases(1, ()), tmp_path, "icarus")
    assert result.difference.startswith("ofmap[0, 0]: simulator")


def test_a_build_is_used_again_until_something_changes(need, monkeypatch, tmp_path):
    need("icarus")
    stages = []
    arch = serial.design()
    jobs = [serial.compile(arch, case.gemm) for case in cases(1)]
    for depth in (1, 1, 5000):
        monkeypatch.setitem(cosim.MIN_DEPTH, "icarus", max(depth, 64))
        simulate_rtl(arch, jobs, build_dir=tmp_path, simulator="icarus", notify=stages.append)
    assert stages == ["generate", "build", "run", "generate", "run", "generate", "build", "run"]


def test_a_failed_build_shows_the_log(need, monkeypatch, tmp_path):
    need("icarus")
    arch = serial.design()
    monkeypatch.setattr("hwsim.rtl.cosim.stream_bench.MEMORIES", "nonsense")
    with pytest.raises(SimulationError, match=r"build failed(.|\n)*bench\.v:\d+"):
        cosim.build(arch, tmp_path, simulator="icarus")


def test_pauses_are_checked(need, tmp_path):
    need("icarus")
    arch = serial.design()
    job = serial.compile(arch, cases(1)[0].gemm)
    for pauses, message in (
        ({"weights": np.array([True])}, "must name streams"),
        ({"act": np.zeros(257, dtype=bool)}, "at most 256 cycles"),
    ):
        with pytest.raises(ValueError, match=message):
            simulate_rtl(arch, [job], [pauses], build_dir=tmp_path, simulator="icarus")
