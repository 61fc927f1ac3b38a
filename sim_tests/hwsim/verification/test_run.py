"""Which model a case runs on: the cycle model, or the fast form above a number of cycles."""

from __future__ import annotations

import pytest

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig
from hwsim.rtl.cosim import run as cosim
from hwsim.verification import run
from hwsim.verification.cases import random_cases
from hwsim.verification.result import Verification


@pytest.fixture
def without_verilog(monkeypatch):
    """Simulator in the place of the RTL: no build."""

    def simulate(arch, jobs, pauses, **options):
        runs = [array_model(arch).simulate(arch, *pair) for pair in zip(jobs, pauses, strict=True)]
        return [cosim.RTLRun(each.ofmap, each.counts) for each in runs]

    monkeypatch.setattr(cosim, "simulate_rtl", simulate)
    monkeypatch.setattr("hwsim.rtl.cosim.toolchain.require", lambda simulator: None)


@pytest.fixture
def verification(without_verilog, monkeypatch, tmp_path):
    """Eight random cases with a limit that some of them exceed."""
    monkeypatch.setattr(run, "STEP_LIMIT", 40)
    arch = ArchConfig.read("dense_8x8_ws")
    comparisons = run.verify(arch, random_cases(arch, 8, seed=0), tmp_path)
    return Verification(arch, "verilator", comparisons, tmp_path / "x.v", 0.5)


def test_the_fast_form_stands_in_above_the_limit_without_pauses(verification):
    expected = [
        "fast form" if not each.case.pauses and each.simulator.cycles > 40 else "cycle model"
        for each in verification.comparisons
    ]
    assert [each.model for each in verification.comparisons] == expected
    assert set(expected) == {"cycle model", "fast form"}
    assert any(each.simulator.cycles > 40 for each in verification.comparisons if each.case.pauses)


def test_rows_and_summary_say_which(verification):
    document = verification.to_dict()
    fast = verification.models["fast form"]
    assert document["models"] == {"cycle model": 8 - fast, "fast form": fast}
    assert [row["model"] for row in document["cases"]].count("fast form") == fast
    assert [row["model"] for row in verification.to_rows()].count("fast form") == fast
    assert f"{8 - fast} of 8 cases on the cycle model, {fast} on the fast form" in (
        verification.summary()
    )
    assert "fast form" in verification._repr_html_()


def test_both_models_give_the_same_counts(without_verilog, monkeypatch, tmp_path):
    arch = ArchConfig.read("nm_2x4_4x8_ws")
    counts = []
    for limit in (0, run.STEP_LIMIT):
        monkeypatch.setattr(run, "STEP_LIMIT", limit)
        comparisons = run.verify(arch, random_cases(arch, 12, seed=1), tmp_path)
        assert all(each.equal for each in comparisons)
        counts.append([each.simulator for each in comparisons])
    assert counts[0] == counts[1]
