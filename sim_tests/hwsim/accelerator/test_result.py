"""A network on a machine, as a user gets it: rows that add up to the run, files, refusals."""

import json

import pytest
from typer.testing import CliRunner

from hwsim import InputError, run_machine
from hwsim.accelerator.picture import roofline, timeline
from hwsim.cli import app
from hwsim.config import NetworkConfig
from hwsim.config.catalog import CONFIGS

MACHINES = {
    "machine_dense_8x8_ws": "lenet5_dense",
    "machine_nm_2x4_4x8_os": "lenet5_nm_2x4",
    "machine_csc_8x8": "lenet5_nonstructured_85x",
    "machine_bitmask_64": "lenet5_nonstructured_85x",
}


@pytest.mark.parametrize("machine", MACHINES)
def test_rows_add_up_to_the_run(machine):
    result = run_machine(machine, "lenet5", MACHINES[machine], memory="lpddr4_3200_x32", images=2)
    rows, counters = result.to_rows(), result.run.counters()
    assert sum(row["cycles"] for row in rows) == result.cycles == counters["cycles"]
    assert sum(row["executes"] for row in rows) == counters["execute_busy"]
    bus = result.run.program.arch.bus.bytes
    read = sum(value for row in rows for key, value in row.items() if key.endswith("_bytes"))
    stored = sum(row["stored_bytes"] for row in rows)
    assert read - stored == bus * counters["read_beats"]
    # all of a layer's, whatever a design leaves out
    macs = {s.layer.name: 2 * s.macs for s in NetworkConfig.read("lenet5").shapes()}
    assert {row["layer"]: row["macs"] for row in rows if row["macs"]} == {
        name: count for name, count in macs.items() if count
    }


def test_rows_say_what_computes_a_layer_and_how_k_is_cut():
    # a half has 4096 words: a fold of 8 filters of fc6 has 9216
    result = run_machine("machine_dense_8x8_ws", "alexnet")
    rows = {row["layer"]: row for row in result.to_rows()}
    assert {name: row["k_parts"] for name, row in rows.items() if row["k_parts"] > 1} == {"fc6": 3}
    layers = {s.layer.name: s.has_weights for s in NetworkConfig.read("alexnet").shapes()}
    assert {name: row["unit"] for name, row in rows.items() if name in layers} == {
        name: "array" if has_weights else "vector" for name, has_weights in layers.items()
    }
    jobs = [tile for tile in result.to_dict()["plan"] if tile["layer"] == "fc6"]
    assert [job["carry"] for job in jobs[:4]] == [False, True, True, False]
    assert [job["keep"] for job in jobs[:4]] == [True, True, False, True]


@pytest.mark.parametrize(
    ("machine", "weights", "words"),
    [
        ("machine_dense_8x8_ws", None, "shapes of weights alone"),
        ("machine_csc_8x8", None, "synthetic weights, seed 3"),
        ("machine_csc_8x8", "lenet5_nonstructured_85x", "lenet5_nonstructured_85x"),
    ],
)
def test_it_is_said_which_weights_they_are(machine, weights, words):
    result = run_machine(machine, "lenet5", weights, seed=3)
    assert result.title == f"lenet5 on {machine}, 1 image, {words}, memory ideal"
    assert result.to_dict()["weights"] == words


def test_the_command_writes_plan_and_pictures(tmp_path):
    words = ["simulate", "machine_dense_8x8_ws", "lenet5", "--memory", "ideal"]
    done = CliRunner().invoke(app, [*words, "--out", str(tmp_path)])
    assert done.exit_code == 0, done.output
    content = json.loads((tmp_path / "results.json").read_text())
    assert f"{content['cycles']:,} cycles" in done.output
    assert len(content["plan"]) == sum(row["tiles"] for row in content["layers"])
    for name in ("timeline.png", "roofline.png"):
        assert (tmp_path / name).read_bytes().startswith(b"\x89PNG")


def test_what_contradicts_itself_is_refused(tmp_path):
    with pytest.raises(InputError, match=r"inputs = 'x\.npy': must be absent: no cycle depends"):
        run_machine("machine_dense_8x8_ws", "lenet5", "lenet5_dense", inputs="x.npy")
    with pytest.raises(InputError, match="must be absent: random weights run on random"):
        run_machine("machine_csc_8x8", "lenet5", inputs="x.npy")
    with pytest.raises(InputError, match="memory: must be given: the design is an array without"):
        run_machine("dense_8x8_ws", "lenet5")
    with pytest.raises(InputError, match="no such file"):
        run_machine("machine_dense_8x8_ws", "lenet5", memory=tmp_path / "none.yaml")


def test_cycles_of_a_machine_without_a_memory_are_said_to_be_the_arrays(tmp_path):
    words = ["simulate", "lenet5", "--out", str(tmp_path)]
    hint = "cycles of the array alone: --memory"
    for arch, is_machine in (("machine_dense_8x8_ws", True), ("dense_8x8_ws", False)):
        done = CliRunner().invoke(app, [words[0], arch, *words[1:]])
        assert done.exit_code == 0, done.output
        assert (hint in done.output) == is_machine


def test_a_family_without_a_machine_is_refused_with_one_line(tmp_path):
    text = (CONFIGS / "arch" / "dbb_2x4_4x8.yaml").read_text()
    path = tmp_path / "dbb.yaml"
    path.write_text(text + "\nmemory: {}\nbus: {data_width: 64}\n")
    with pytest.raises(InputError, match="memory must be absent: there is no machine for family"):
        run_machine(path, "lenet5", memory="sram")


@pytest.mark.parametrize("memory", ["ideal", "lpddr4_3200_x32"])
@pytest.mark.parametrize("network", ["lenet5", "resnet50"])
def test_no_dense_layer_outruns_array_and_memory(network, memory):
    result = run_machine("machine_dense_32x32_ws", network, memory=memory)
    program, times = result.run.program, result.run.timeline
    peak, end = program.arch.array.multipliers, -1
    for layer, row in zip(result.layers(), result.to_rows(), strict=True):
        tiles = [
            i for i, tile in enumerate(program.tiles) if (tile.layer or "program") == layer.name
        ]
        begin, end = end, end + layer.cycles
        first, last = int(times.load[tiles].min()), int(times.store_end[tiles].max())
        # from its first load to its last store it keeps below both roofs
        span = last - first + 1
        assert layer.macs <= peak * span
        assert layer.busier <= result.bandwidth * span, layer.name
        read = sum(layer.moved.values()) - layer.moved["stored"]
        assert layer.busier == max(read, layer.moved["stored"])
        if layer.macs / layer.cycles > min(peak, layer.intensity * result.bandwidth):
            assert first <= begin or last > end, layer.name
        moved = sum(value for key, value in row.items() if key.endswith("_bytes"))
        assert row["bytes_per_cycle"] == round(moved / row["cycles"], 3)
        assert row["bandwidth_share"] == round(layer.busier / row["cycles"] / result.bandwidth, 4)


def test_pictures_of_many_layers_name_few_and_say_what_they_are_of(tmp_path):
    result = run_machine("machine_dense_32x32_ws", "resnet50", memory="lpddr4_3200_x32")
    layers = sorted(result.layers(), key=lambda layer: layer.cycles)
    assert len(layers) > 50
    for draw in (timeline, roofline):
        text = draw(result, tmp_path).with_suffix(".svg").read_text()
        assert result.title in text
        shown = {layer.name for layer in layers if f">{layer.name}<" in text}
        assert shown <= {layer.name for layer in layers[-12:]}
        assert layers[-1].name in shown
        assert ">other layers<" in text
