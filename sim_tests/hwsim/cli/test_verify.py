"""``hwsim verify``: the table and the summary say which model each case ran on; no Verilog here."""

import json

import pytest
from typer.testing import CliRunner

import hwsim
from hwsim.arrays.base import array_model
from hwsim.cli import app
from hwsim.rtl.cosim import run as cosim
from hwsim.verification import machine, run


@pytest.fixture(autouse=True)
def without_verilog(monkeypatch):
    """Simulator in place of the RTL."""

    def simulate(arch, jobs, pauses, **options):
        runs = [array_model(arch).simulate(arch, *pair) for pair in zip(jobs, pauses, strict=True)]
        return [cosim.RTLRun(each.ofmap, each.counts) for each in runs]

    monkeypatch.setattr(cosim, "simulate_rtl", simulate)
    monkeypatch.setattr("hwsim.rtl.cosim.toolchain.require", lambda simulator: None)


def invoke(*arguments):
    done = CliRunner().invoke(app, ["verify", *map(str, arguments)])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_results_table_and_summary_name_the_model(monkeypatch, tmp_path):
    monkeypatch.setattr(run, "STEP_LIMIT", 40)
    out = invoke("dense_8x8_ws", "--random", 8, "--out", tmp_path)
    document = json.loads((tmp_path / "results.json").read_text())
    models = [case["model"] for case in document["cases"]]
    fast = models.count("fast form")
    assert 0 < fast < 8
    words = " ".join(out.split())
    assert f"8 of 8 cases equal; {8 - fast} of 8 cases on the cycle model, {fast} on the" in words
    assert out.count(" fast form │") == fast
    assert out.count(" cycle model │") == 8 - fast


def test_a_large_layer_runs_on_the_fast_form(tmp_path):
    options = ("--layer", "fc1", "--layer", "fc2", "--out", tmp_path, "--json")
    document = json.loads(invoke("dense_8x8_ws", "lenet5", *options))
    assert {case["case"]: case["model"] for case in document["cases"]} == {
        case["case"]: "fast form" if case["cycles_rtl"] > run.STEP_LIMIT else "cycle model"
        for case in document["cases"]
    }
    assert document["models"] == {"cycle model": 1, "fast form": 1}
    assert document["weights"] == "lenet5_dense"


def test_the_api_gives_the_same(tmp_path):
    document = json.loads(invoke("nm_2x4_4x8_ws", "--random", 5, "--out", tmp_path, "--json"))
    result = hwsim.verify("nm_2x4_4x8_ws", random=5, out=tmp_path)
    assert result.to_dict()["cases"] == document["cases"]
    assert result.equal
    assert len(result.to_rows()) == 5
    named = hwsim.verify(hwsim.read_arch("nm_2x4_4x8_ws"), "lenet5", layers=["fc2"], out=tmp_path)
    assert named.weights == "lenet5_nm_2x4"
    assert [comparison.case.name for comparison in named.comparisons] == ["fc2"]


def test_a_machine_runs_a_network_without_a_checkpoint_on_random_weights(monkeypatch, tmp_path):
    def equal(design, cases, folder, **options):
        counters = [{"cycles": index + 1} for index in range(len(cases))]
        pairs = zip(cases, counters, strict=True)
        comparisons = [machine.MachineComparison(case, count, count, "") for case, count in pairs]
        return comparisons, folder / "machine.v"

    monkeypatch.setattr(machine, "verify_machine", equal)
    source = tmp_path / "small.yaml"
    source.write_text(
        "name: small\ninput: {channels: 2, height: 6, width: 6}\n"
        "layers:\n  - {name: conv, type: conv, M: 4, R: 3}\n  - {name: fc, type: fc, M: 3}\n"
    )
    out = " ".join(invoke("machine_dense_8x8_ws", source, "--out", tmp_path).split())
    assert "weights: synthetic weights, seed 0: there is no checkpoint small_dense" in out
