"""Networks of a sweep and of a study: names, files, folders of imports, ONNX files."""

from __future__ import annotations

import json

import numpy as np
import pytest
from harness.onnx_cases import Model

import hwsim
from hwsim.config.base import parse
from hwsim.config.jobs.study import StudyConfig
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.errors import InputError
from hwsim.sweeps.space import Space

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

TOPOLOGY = "Layer, M, N, K,\nfirst, 8, 16, 12,\nsecond, 4, 16, 8,\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An ONNX file in an empty folder."""
    monkeypatch.chdir(tmp_path)
    model = Model((3, 8, 8))
    x = model.node("Relu", model.conv("x", 4, 3, name="first"))
    x = model.gemm(model.node("Flatten", model.node("GlobalAveragePool", x)), 5, 4)
    model.save(tmp_path, x)
    return tmp_path


def sweep(*networks, **keys) -> SweepConfig:
    raw = {"name": "own", "arch": ["csc_8x8", "dense_8x8_ws"], "network": list(networks)}
    return parse(SweepConfig, raw | {"objectives": {"cycles": "min", "bits": "min"}} | keys, "t")


def test_a_sweep_counts_what_simulate_counts(folder):
    (folder / "mine.csv").write_text(TOPOLOGY)
    made = hwsim.import_network("net.onnx", inputs=np.zeros((1, 3, 8, 8), np.float32))
    made.write(folder / "imported")
    found = hwsim.sweep(sweep("net.onnx", "imported", "mine.csv"), folder / "out")
    rows = found.to_rows()
    assert [row["status"] for row in rows] == ["done"] * 6
    counted = {(row["network"], row["arch"]): row["cycles"] for row in rows}
    for given, named in (
        ("net.onnx", "build/networks/net/net.safetensors"), ("imported", "imported"),
        ("mine.csv", "mine.csv"),
    ):  # fmt: skip
        for arch in ("csc_8x8", "dense_8x8_ws"):
            assert counted[named, arch] == hwsim.simulate(arch, given).cycles


def test_weights_of_a_space_come_before_those_of_its_network(folder):
    made = hwsim.import_network("net.onnx", compare=False)
    made.write("imported")
    other, _ = made.write("others")
    (own,) = Space(sweep("imported", arch="csc_8x8"), "t")
    (named,) = Space(sweep("imported", arch="csc_8x8", weights=str(other)), "t")
    assert own.key == named.key
    assert own.weights != named.weights


def test_a_folder_without_one_checkpoint_is_refused(folder):
    (folder / "empty").mkdir()
    with pytest.raises(InputError, match="empty: must hold one checkpoint, as hwsim import"):
        hwsim.sweep(sweep("empty"), folder / "out")


def test_two_files_of_one_name_are_two_networks(folder):
    made = hwsim.import_network("net.onnx", compare=False)
    model = Model((3, 6, 6), seed=3)
    x = model.node("Flatten", model.node("GlobalAveragePool", model.conv("x", 4, 3)))
    (folder / "more").mkdir()
    other = hwsim.import_network(model.save(folder / "more", model.gemm(x, 5, 4)), compare=False)
    first, second = made.write("both"), other.write("both")
    assert first[0] != second[0]
    for (path, _), network in ((first, made.network), (second, other.network)):
        assert hwsim.read_network(path) == network


def test_a_study_reads_an_onnx_file(folder):
    raw = {
        "name": "shapes", "title": "Shapes",
        "study": {
            "kind": "synthetic", "network": "net.onnx", "images": 1, "baseline": "ws",
            "technology": None, "act_densities": [0.5],
            "variants": [{"name": name, "arch": f"dense_8x8_{name}"} for name in ("ws", "os")],
        },
    }  # fmt: skip
    assert hwsim.study(parse(StudyConfig, raw, "t"), folder / "out", rtl=False).passed
    results = json.loads((folder / "out" / "results.json").read_text())
    counted = hwsim.simulate("dense_8x8_ws", hwsim.read_network("net.onnx"))
    assert f'"cycles": {counted.cycles}' in json.dumps(results)
