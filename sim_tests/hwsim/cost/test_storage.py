"""A network in every format: sizes add up, misfits are named, the command writes what it shows."""

from __future__ import annotations

import csv
import json
from dataclasses import replace

import numpy as np
import pytest
import typer
from typer.testing import CliRunner

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import find_checkpoint
from hwsim.cli.storage import storage
from hwsim.config import ArchConfig, NetworkConfig, NumberConfig
from hwsim.cost.storage import GENERIC, designs_of, run
from hwsim.errors import InputError
from hwsim.formats import measure
from hwsim.formats.base import Bits
from hwsim.formats.generic import relative
from hwsim.workload import lowering

DESIGNS = [ArchConfig.read(name) for name in ("dense_8x8_ws", "dense_8x8_os", "csc_16x4")]

app = typer.Typer()
app.command()(storage)


@pytest.fixture(scope="module")
def pruned():
    """LeNet-5, non-structured, in every format."""
    return run("lenet5_nonstructured_12x", DESIGNS)


@pytest.fixture
def tiny(tmp_path):
    """Write a network of two layers, the second of two groups."""
    path = tmp_path / "tiny.yaml"
    path.write_text(
        "name: tiny\ninput: {channels: 4, height: 4, width: 4}\nlayers:\n"
        "  - {name: a, type: conv, M: 6, R: 3, weight_density: 0.3}\n"
        "  - {name: b, type: conv, M: 4, R: 2, G: 2, weight_density: 0.3}\n"
    )
    return str(path)


def test_every_format_holds_every_layer(pruned):
    assert [name for name, *_ in pruned.layers] == ["conv1", "conv2", "fc1", "fc2"]
    assert pruned.plain == Bits(values=430_500 * 8)
    assert {size.name for size in pruned.formats} == {*GENERIC, *(d.name for d in DESIGNS)}
    for size in pruned.formats:
        assert size.fits
        assert len(size.layers) == 4
        assert size.total == sum((layer.bits for layer in size.layers), Bits())


def test_sizes_are_those_of_the_formats(pruned):
    checkpoint = Checkpoint.read(find_checkpoint("lenet5_nonstructured_12x"))
    shape = next(s for s in NetworkConfig.read("lenet5").shapes() if s.layer.name == "conv2")
    (weight,) = lowering.lower_weight(shape, checkpoint.layers["conv2"].weight)
    sizes = {size.name: size.layers[1] for size in pruned.formats}
    assert sizes["csc_16x4"].bits == measure(DESIGNS[2], weight, weight.shape)
    assert sizes["relative"].bits == relative.size([weight], NumberConfig())[0]
    assert sizes["relative"].searched == relative.size([weight], NumberConfig())[1]
    assert pruned.layers[1] == ("conv2", 25_000, int(np.count_nonzero(weight)), 8)


def test_the_smallest_comes_first_and_equal_designs_once(pruned):
    totals = [size.total.total for size in pruned.fitting]
    assert totals == sorted(totals)
    assert [s.name for s in pruned.fitting if s.family == "dense"] == ["dense_8x8_ws"]
    assert {s.family or s.name for s in pruned.representatives} == {*GENERIC, "dense", "csc"}


def test_groups_are_measured_together(tiny):
    measured = run(tiny, DESIGNS[2:])
    assert [(name, weights) for name, weights, *_ in measured.layers] == [("a", 216), ("b", 48)]
    assert measured.layers == run(tiny, DESIGNS[2:]).layers
    assert measured.layers != run(tiny, DESIGNS[2:], seed=1).layers


def test_a_misfit_says_layer_place_and_rule():
    narrow = DESIGNS[0].model_copy(
        update={"numbers": DESIGNS[0].numbers.model_copy(update={"weight_width": 4})}
    )
    size = run("lenet5_nonstructured_12x", [narrow]).formats[-1]
    assert not size.fits
    assert size.violation.startswith("conv1: weight[0, 1] = ")
    assert size.violation.endswith("must be within -8..7 (4 bits)")
    assert size.to_dict()["total"] is None
    assert run("lenet5_nonstructured_12x", [narrow, DESIGNS[2]]).families == {
        "csc": True,
        "dense": False,
    }
    assert size.layers == []


def test_gathers_of_dense_designs_are_packed_by_bank():
    measured = run("lenet5_structured_10x", DESIGNS)
    conv2 = next(size for size in measured.gathers if size.layer == "conv2")
    assert [size.layer for size in measured.gathers] == ["conv1", "conv2", "fc1", "fc2"]
    assert (conv2.rows, conv2.columns) == (8, 500)
    assert conv2.ideal == -(-conv2.kept // 8) < conv2.folds < -(-500 // 8)
    # one channel: all taps of the first layer lie in one bank
    conv1 = measured.gathers[0]
    assert conv1.channel_folds == conv1.kept
    assert run("lenet5_structured_10x", DESIGNS[1:]).gathers == []


def test_designs_of_a_size_are_the_shipped_ones():
    names = [design.name for design in designs_of(64)]
    assert {"dense_8x8_ws", "csc_16x4"} <= set(names)
    assert "dense_32x32_ws" not in names


def test_command_writes_results_rows_and_picture(tiny, tmp_path):
    folder = tmp_path / "out"
    result = CliRunner().invoke(app, [tiny, "--arch", "csc_16x4", "--out", str(folder)])
    assert result.exit_code == 0, result.output
    assert "relative" in result.stdout
    document = json.loads((folder / "results.json").read_text())
    with (folder / "results.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * (len(GENERIC) + 1)
    for size in document["formats"]:
        listed = sum(int(row["total"]) for row in rows if row["format"] == size["format"])
        assert listed == size["total"]["total"]
    assert (folder / "bits_by_format.png").read_bytes().startswith(b"\x89PNG")


def test_command_prints_one_json_document(tiny, tmp_path):
    result = CliRunner().invoke(app, [tiny, "--json", "--out", str(tmp_path / "out")])
    assert json.loads(result.stdout)["name"] == "tiny"


def test_command_rebuilds_a_published_table_and_fails_where_it_is_missed(tmp_path):
    raw = (
        "name: small\ntitle: t\nsource: s\nrows:\n"
        "  - name: LeNet-5\n    network: lenet5\n    tolerance: 0.02\n"
        "    published: {weights: 2575, data_kb: %s, indexed_kb: 2.6}\n"
        "    uniform: {kept_weights: 2575, weight_bits: 3, index_bits: 5}\n"
    )
    table = tmp_path / "small.yaml"
    for data_kb, code in ((0.966, 0), (0.90, 1)):
        table.write_text(raw % data_kb)
        out = tmp_path / str(code)
        result = CliRunner().invoke(app, [str(table), "--out", str(out)])
        assert result.exit_code == code, result.output
        assert ("NOT within" in result.stdout) == bool(code)
        document = json.loads((out / "results.json").read_text())
        assert document["passed"] == (code == 0)
        with (out / "results.csv").open() as file:
            assert [row["layer"] for row in csv.DictReader(file)] == [
                "conv1", "conv2", "fc1", "fc2"
            ]  # fmt: skip
        assert (out / "published_sizes.svg").is_file()


def test_unknown_weights_are_refused():
    with pytest.raises(InputError, match="must be a file or one of"):
        run("nowhere", [])


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"network": "alexnet"}, "must name exactly the layers with weights of alexnet"),
        ({"layers": "conv1"}, "must name exactly the layers with weights of lenet5"),
        ({"shape": "fc1"}, r"fc1.weight = \(500, 10\): must have shape \(500, 800\) in lenet5"),
    ],
)
def test_a_checkpoint_that_its_network_does_not_fit_is_refused(tmp_path, changes, rule):
    shipped = Checkpoint.read(find_checkpoint("lenet5_nonstructured_12x"))
    layers = dict(shipped.layers)
    if "layers" in changes:
        del layers[changes["layers"]]
    if "shape" in changes:
        name = changes["shape"]
        layers[name] = replace(layers[name], weight=layers[name].weight[:, :10].copy())
    network = changes.get("network", shipped.network)
    path = replace(shipped, network=network, layers=layers).write(tmp_path / "foreign.safetensors")
    with pytest.raises(InputError, match=rule):
        run(str(path), [])


def test_zeros_that_fill_up_blocks_are_counted():
    measured = run("lenet5_nm_2x4", [ArchConfig.read("nm_2x4_4x8_ws"), DESIGNS[2]])
    sizes = {size.name: size for size in measured.formats}
    checkpoint = Checkpoint.read(find_checkpoint("lenet5_nm_2x4"))
    zeros = 0
    for shape in NetworkConfig.read("lenet5").shapes():
        if shape.has_weights:
            (weight,) = lowering.lower_weight(shape, checkpoint.layers[shape.layer.name].weight)
            wide = np.pad(weight, ((0, 0), (0, -weight.shape[1] % 4)))
            block = wide.reshape(len(wide), -1, 4) != 0
            slots = 2 * block.any((1, 2)).sum() * block.any((0, 2)).sum()
            zeros += int(slots) - int(np.count_nonzero(weight))
    assert sizes["nm_2x4_4x8_ws"].explicit_zeros == zeros > 0
    assert sizes["csc_16x4"].explicit_zeros is None
