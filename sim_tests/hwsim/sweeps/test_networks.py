"""Networks of a sweep and of a study: names, files, folders of imports, ONNX files."""

from __future__ import annotations

import csv
import json
from pathlib import Path

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


def study_of(network):
    """Study of a network on two arrays."""
    raw = {
        "name": "shapes", "title": "Shapes",
        "study": {
            "kind": "synthetic", "network": network, "images": 1, "baseline": "ws",
            "technology": None, "act_densities": [0.5],
            "variants": [{"name": name, "arch": f"dense_8x8_{name}"} for name in ("ws", "os")],
        },
    }  # fmt: skip
    return parse(StudyConfig, raw, "t")


def test_a_study_reads_an_onnx_file(folder):
    assert hwsim.study(study_of("net.onnx"), folder / "out", rtl=False).passed
    results = json.loads((folder / "out" / "results.json").read_text())
    counted = hwsim.simulate("dense_8x8_ws", hwsim.read_network("net.onnx"))
    assert f'"cycles": {counted.cycles}' in json.dumps(results)


@pytest.fixture
def attention(folder):
    """An import of which a product and a Softmax run in floating point: 2 x 6 x 6 x 8 MACs."""
    model = Model((6, 8), opset=20)
    x = model.node("MatMul", "x", model.random(8, 8))
    turned = model.node("Transpose", x, perm=[0, 2, 1])
    scores = model.node("Softmax", model.node("MatMul", x, turned), axis=-1)
    mixed = model.node("MatMul", model.node("MatMul", scores, x), model.random(8, 3))
    made = hwsim.import_network(model.save(folder, mixed), outside="float", compare=False)
    made.write("rows")
    return made.network


def test_what_runs_outside_is_in_the_files_of_a_sweep(attention):
    found = hwsim.sweep(sweep("rows", "lenet5"), Path("out"))
    macs, inside = 2 * 6 * 6 * 8, 6 * 8 * (8 + 3)
    for row in found.to_rows():
        is_own = row["network"] == "rows"
        assert row["outside_macs"] == (macs if is_own else "")
        assert row["outside_share"] == (macs / (macs + inside) if is_own else "")
    (layer,) = found.to_dict()["outside"]["rows"]
    assert set(found.to_dict()["outside"]) == {"rows"}
    assert layer["operations"] == ["Transpose", "MatMul", "Softmax", "MatMul"]
    (row,) = csv.DictReader(Path("out/outside.csv").read_text().splitlines())
    assert row["operations"] == "Transpose MatMul Softmax MatMul"
    assert (row["network"], row["macs"]) == ("rows", str(macs))
    columns = Path("out/results.csv").read_text().splitlines()[0].split(",")
    assert {"outside_macs", "outside_share"} <= set(columns)


def test_a_sweep_of_what_runs_on_the_array_has_no_such_columns(folder):
    found = hwsim.sweep(sweep("net.onnx"), Path("out"))
    assert "outside_share" not in found.to_rows()[0]
    assert found.to_dict()["outside"] == {}
    assert not Path("out/outside.csv").exists()


def test_what_runs_outside_is_in_the_report_of_a_study(attention):
    result = hwsim.study(study_of("rows"), "out", rtl=False)
    title, columns, rows = result.tables()[-1]
    assert title.endswith(": outside the array, in floating point")
    assert columns[-1] == "of the network's"
    assert rows[-1] == ["total", "", 576, "52.17%"]
    text = Path("out/report.md").read_text()
    assert "## Outside the array" in text
    assert "Softmax" in text
    assert json.loads(Path("out/results.json").read_text())["outside"][0]["macs"] == 576
    assert "Softmax" in Path("out/outside.csv").read_text()
