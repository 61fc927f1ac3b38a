"""Each generated array alone under a Verilog simulator, cycle by cycle, beside its model."""

import json

import numpy as np
import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import get_runner
from harness.small_designs import SMALL

from hwsim.arrays.base import array_model
from hwsim.rtl.cosim import toolchain
from hwsim.rtl.cosim.pack import pack, to_npz
from hwsim.rtl.emit.verilog import generate
from hwsim.verification.cases import random_cases

STREAMS = ("command", "weight", "act", "ofmap")


def contents(arch, sidecar, count, seed):
    """Cases, and what the model says of them, for the testbench."""
    arrays, place = {}, 0
    for case in random_cases(arch, count, seed):
        job = array_model(arch).compile(arch, case.gemm)
        if not job.transfers:
            continue
        run = array_model(arch).simulate(arch, job, case.pauses)
        for name, words in job.inputs.items():
            arrays[f"{place}.{name}"] = pack(words, sidecar["streams"][name])
        for name in STREAMS:
            arrays[f"{place}.pause.{name}"] = np.asarray(case.pauses.get(name, ()), dtype=bool)
        for group, entry in sidecar["status"]["groups"].items():
            counted = run.counts.causes[group]
            arrays[f"{place}.counts.{group}"] = np.array([counted[c] for c in entry["causes"]])
        arrays[f"{place}.used"] = job.ofmap_index >= 0
        arrays[f"{place}.ofmap"] = run.ofmap.ravel()[job.ofmap_index]
        arrays[f"{place}.cycles"] = np.array(run.counts.cycles)
        place += 1
    return to_npz(arrays | {"cases": np.array(place)})


#: Every design under Icarus, which knows unknown bits; one of each core also under Verilator, whose
#: builds take most of the time.
RUNS = [
    *((name, "icarus") for name in SMALL),
    *(
        pytest.param(name, "verilator", marks=pytest.mark.slow)
        for name in ("tiny_ws", "tiny_csc_lanes", "tiny_bitmask_clusters")
    ),
]


@pytest.mark.cosim
@pytest.mark.parametrize(("name", "simulator"), RUNS)
def test_cycle_by_cycle(need, tmp_path, name, simulator):
    need(simulator)
    small = SMALL[name]
    source = generate(small, tmp_path)
    sidecar = json.loads(source.with_suffix(".json").read_text())
    (tmp_path / "cases.npz").write_bytes(contents(small, sidecar, 22, seed=3))
    # no bench whose ports could be named: the testbench sees everything
    visible = ["--public-flat-rw"] if simulator == "verilator" else []
    with toolchain.active(simulator):
        runner = get_runner(simulator)
        runner.build(
            sources=[source],
            hdl_toplevel=small.name,
            build_args=[*toolchain.BUILD_ARGS[simulator], *visible],
            build_dir=tmp_path / "sim",
            timescale=("1ns", "1ps"),
            always=True,
            log_file=tmp_path / "build.log",
        )
        report = runner.test(
            hdl_toplevel=small.name,
            test_module="tb_array",
            build_dir=tmp_path / "sim",
            test_dir=tmp_path,
            seed=1,
            log_file=tmp_path / "run.log",
            extra_env={
                "DUT_SIDECAR": str(source.with_suffix(".json")),
                "DUT_CASES": str(tmp_path),
                "PYTHONWARNINGS": "error::DeprecationWarning",
            },
        )
    assert get_results(report) == (2, 0), (tmp_path / "run.log").read_text()[-3000:]
