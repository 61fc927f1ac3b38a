"""The package as a user imports it: names, arguments of every kind, results, one-line errors."""

import inspect
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hwsim
from hwsim import InputError, api

FUNCTIONS = [name for name in api.__all__ if name[0].islower()]


def fresh(code):
    """Print of a program in a Python of its own."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.split()


def test_import_alone_loads_nothing_heavy():
    loaded = fresh("import sys, hwsim; print(*{name.split('.')[0] for name in sys.modules})")
    heavy = {"numpy", "pydantic", "yaml", "numba", "matplotlib", "typer", "torch", "amaranth"}
    assert not heavy & set(loaded)


def test_reading_a_design_needs_neither_amaranth_nor_torch():
    loaded = fresh(
        "import sys, hwsim; hwsim.read_arch('csc_16x4'); hwsim.read_checkpoint('lenet5_dense');"
        "print(*{name.split('.')[0] for name in sys.modules})"
    )
    assert not {"amaranth", "cocotb", "torch", "matplotlib"} & set(loaded)


def test_every_name_resolves_and_is_listed():
    assert sorted(hwsim.__all__) == hwsim.__all__
    assert set(api.__all__) <= set(hwsim.__all__)
    assert dir(hwsim) == hwsim.__all__
    for name in hwsim.__all__:
        assert getattr(hwsim, name) is not None
    with pytest.raises(AttributeError, match="module 'hwsim' has no attribute 'nothing'"):
        _ = hwsim.nothing


def test_types_ship_with_the_package():
    assert Path(hwsim.__file__).with_name("py.typed").is_file()


def test_no_room_hides_a_function():
    """Importing a module of the package sets its rooms as attributes."""
    rooms = {path.stem for path in Path(hwsim.__file__).parent.iterdir()}
    assert not rooms & set(hwsim.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_docstrings_say_parameters_result_and_errors(name):
    function = getattr(hwsim, name)
    text = inspect.getdoc(function)
    for section in ("Parameters\n---", "Returns\n---", "Raises\n---"):
        assert section in text, section
    described = [
        word.strip() for line in text.splitlines() if not line.startswith(" ")
        for word in line.split(",")
    ]  # fmt: skip
    for parameter in inspect.signature(function).parameters.values():
        assert parameter.name in described
        assert parameter.annotation is not inspect.Parameter.empty


@pytest.mark.parametrize("kind", [str, Path, "object"])
def test_names_paths_and_objects_are_the_same(kind, tmp_path):
    network = hwsim.read_network("lenet5")
    weights = hwsim.read_checkpoint("lenet5_dense", network)
    arch = hwsim.read_arch("dense_8x8_ws")
    expected = hwsim.simulate("dense_8x8_ws", "lenet5", "lenet5_dense", images=2)
    if kind == "object":
        given = (arch, network, weights)
    else:
        path = tmp_path / "lenet5.yaml"
        path.write_text(network.to_yaml())
        given = (kind("dense_8x8_ws"), kind(path), kind(weights.source))
    result = hwsim.simulate(*given, images=2)
    assert result.to_dict()["layers"] == expected.to_dict()["layers"]
    assert result.cycles == expected.cycles


def test_images_are_an_array_or_a_file(tmp_path):
    images = np.random.default_rng(3).integers(0, 256, (2, 1, 28, 28), dtype=np.uint8)
    np.save(tmp_path / "images.npy", images)
    of_array, of_file = (
        hwsim.simulate("csc_16x4", "lenet5", "lenet5_dense", images=2, inputs=inputs)
        for inputs in (images, tmp_path / "images.npy")
    )
    assert of_array.cycles == of_file.cycles
    assert of_array.origin["inputs"] == "images of an array"
    other = hwsim.simulate("csc_16x4", "lenet5", "lenet5_dense", images=2)
    assert other.useful_macs != of_array.useful_macs


IMAGES = np.zeros((3, 1, 28, 28), dtype=np.uint8)


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: hwsim.simulate("dense_8x8_ws", "lenet5", "lenet5_dense", images=2, inputs=IMAGES),
         "arguments: images = 2: must be 3, as in inputs"),
        (lambda: hwsim.simulate("dense_8x8_ws", "lenet5", "lenet5_dense", images=0),
         "arguments: images = 0: must be an integer of at least 1"),
        (lambda: hwsim.simulate("dense_8x8_ws", "lenet5", "lenet5_dense", inputs=IMAGES[..., :9]),
         "inputs: shape = (3, 1, 28, 9): must be (images, 1, 28, 28) for lenet5"),
        (lambda: hwsim.simulate("dense_8x8_ws", "lenet5", inputs=IMAGES),
         "arguments: inputs = 'array (3, 1, 28, 28)': must be absent: synthetic operands"),
        (lambda: hwsim.simulate(8, "lenet5"), "arch = 8: must be str, Path or ArchConfig"),
        (lambda: hwsim.simulate("dense_8x8_ws", None), "arguments: network: must be str, Path or"),
        (lambda: hwsim.simulate("dense_8x8_ws", "alexnet", "lenet5_dense"),
         "network = 'lenet5': must be the checkpoint of network alexnet"),
        (lambda: hwsim.simulate("dense_8x8_ws", "lenet5", 5), "weights = 5: must be str, Path or"),
        (lambda: hwsim.verify("dense_8x8_ws", layers=["conv1"]), "layers: needs a network"),
        (lambda: hwsim.verify("dense_8x8_ws", "lenet5", layers=["x"]), "must be a layer with"),
        (lambda: hwsim.storage(3), "weights = 3: must be str, Path, Checkpoint or NetworkConfig"),
        (lambda: hwsim.study(3), "config = 3: must be str, Path or StudyConfig"),
        (lambda: hwsim.sweep(3), "config = 3: must be str, Path or SweepConfig"),
        (lambda: hwsim.synth(), "archs: name a design, or give multipliers"),
        (lambda: hwsim.compress("nowhere"), "must be a file or one of"),
    ],
)  # fmt: skip
def test_bad_input_is_one_line(call, line):
    with pytest.raises(hwsim.InputError) as caught:
        call()
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def check_result(result):
    """Plain data, rows, and a table whose text is escaped."""
    assert isinstance(result, hwsim.Result)
    json.dumps(result.to_dict())
    rows = result.to_rows()
    for row in rows:
        assert all(isinstance(v, str | int | float | bool | None) for v in row.values()), row
    shown = result._repr_html_()
    assert shown.startswith("<table>")
    assert shown.count("<tr>") == 1 + min(60, len(rows))
    return rows


def test_results_are_data_rows_and_tables():
    rows = check_result(hwsim.simulate("csc_16x4", "lenet5"))
    assert [row["layer"] for row in rows] == ["conv1", "conv2", "fc1", "fc2", "total"]
    assert rows[-1]["cycles"] == sum(row["cycles"] for row in rows[:-1])
    rows = check_result(hwsim.storage("lenet5_nm_2x4", ["nm_2x4_4x8_ws"]))
    assert {row["format"] for row in rows} >= {"nm_2x4_4x8_ws"}
    design = hwsim.read_arch("csc_4x16")
    check_result(hwsim.breakeven(design, "lenet5", layers=["fc2"], act_densities=[1.0]))


def test_storage_takes_objects():
    network = hwsim.read_network("lenet5")
    checkpoint = hwsim.read_checkpoint("lenet5_dense")
    for named, given in (("lenet5_dense", checkpoint), ("lenet5", network)):
        by_name = hwsim.storage(named, ["dense_8x8_ws"])
        assert hwsim.storage(given, ["dense_8x8_ws"]).to_dict() == by_name.to_dict()


def test_a_sweep_continues_where_it_was(tmp_path):
    plan = tmp_path / "small.yaml"
    plan.write_text(
        "name: small\narch: dense_8x8_ws\nnetwork: lenet5\ngrid: {arch.array.rows: [4, 8]}\n"
        "objectives: {multipliers: min, cycles: min}\n"
    )
    seen = []
    result = hwsim.sweep(plan, tmp_path / "out", progress=lambda done, total: seen.append(done))
    assert seen == [0, 1, 2]
    assert result.ran == 2
    assert result.counts == {"done": 2, "invalid": 0, "failed": 0, "bounded": 0, "feasible": 2}
    assert [row["pareto"] for row in check_result(result)] == [True, True]
    assert hwsim.sweep(plan, tmp_path / "out").ran == 0


def test_generate_writes_what_it_names(tmp_path):
    pytest.importorskip("amaranth")
    result = hwsim.generate("dense_8x8_os", tmp_path)
    assert "module dense_8x8_os(" in result.text
    assert result.description()["name"] == "dense_8x8_os"
    check_result(result)


def test_a_state_dict_needs_its_network(tmp_path):
    from safetensors.numpy import save_file

    path = tmp_path / "weights.safetensors"
    save_file({"x": np.zeros((2, 2), dtype=np.float32)}, path)
    with pytest.raises(hwsim.InputError, match="network: must be given: a state dict"):
        hwsim.read_checkpoint(path)


def test_long_tables_are_cut():
    from hwsim.report.result import html_table

    shown = html_table("a <b>", [{"n": index} for index in range(1000)])
    assert "a &lt;b&gt;" in shown
    assert "940 more rows" in shown
    assert shown.count("<tr>") == 61


@pytest.mark.parametrize(
    ("call", "line"),
    [
        (lambda: hwsim.simulate("dense_8x8_ws", "lenet5", seed="x"), "seed = 'x': must be an int"),
        (
            lambda: hwsim.simulate("dense_8x8_ws", "lenet5", seed=-1),
            "seed = -1: must be an integer",
        ),
        (lambda: hwsim.simulate("dense_8x8_ws", "lenet5", images=0), "images = 0: must be an int"),
        (
            lambda: hwsim.simulate("dense_8x8_ws", "lenet5", "lenet5_dense", inputs=[1]),
            "inputs = 'list': must be an array",
        ),
        (lambda: hwsim.verify("dense_8x8_ws", random=-1), "random = -1: must be an integer"),
        (lambda: hwsim.storage("lenet5", seed=-3), "seed = -3: must be an integer"),
        (lambda: hwsim.storage("lenet5_dense", 3), "archs = 3: must be str, Path or ArchConfig"),
        (lambda: hwsim.published_sizes(3), "table = 3: must be str or Path"),
        (lambda: hwsim.synth(3), "archs = 3: must be"),
        (lambda: hwsim.compress(3), "recipes = 3: must be"),
        (lambda: hwsim.import_network(3), "network = 3: must be"),
        (lambda: hwsim.sweep("array_size", jobs=-1), "jobs = -1: must be an integer"),
        (
            lambda: hwsim.breakeven("csc_4x16", "lenet5", act_densities=(2,)),
            "act_densities = 2: must be a fraction",
        ),
        (lambda: hwsim.breakeven("csc_4x16", "lenet5", area=-1), "area = -1: must be a number"),
        (lambda: hwsim.breakeven("dense_8x8_ws", "lenet5"), "must decode indices"),
    ],
)
def test_a_wrong_argument_is_one_line(call, line):
    with pytest.raises(InputError, match=line) as caught:
        call()
    assert "\n" not in str(caught.value)


def test_one_name_need_not_be_in_a_list():
    one = hwsim.storage("lenet5_dense", "dense_8x8_ws")
    assert one.to_dict() == hwsim.storage("lenet5_dense", ["dense_8x8_ws"]).to_dict()
    assert hwsim.simulate("dense_8x8_ws", "lenet5", images=np.int64(2)).images == 2


@pytest.mark.parametrize(
    ("update", "line"),
    [({"rows": -3}, "array.rows = -3"), ({"rowz": 16}, "array.rowz = 16: unknown key")],
)
def test_a_design_that_was_edited_unchecked_is_checked(update, line):
    arch = hwsim.read_arch("dense_8x8_ws")
    edited = arch.model_copy(update={"array": arch.array.model_copy(update=update)})
    with pytest.raises(InputError, match=f"design dense_8x8_ws: {line}"):
        hwsim.simulate(edited, "lenet5")
    fine = arch.model_copy(update={"array": arch.array.model_copy(update={"rows": 16})})
    assert hwsim.simulate(fine, "lenet5").cycles > 0


def test_generate_names_its_top(tmp_path):
    made = hwsim.generate("dense_8x8_ws", tmp_path, top="array")
    assert made.path.is_file()
    with pytest.raises(InputError, match="top = 'soc': must be one of: array"):
        hwsim.generate("dense_8x8_ws", tmp_path, top="soc")
