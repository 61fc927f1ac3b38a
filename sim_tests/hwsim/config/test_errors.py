"""What the user reads when a configuration is wrong: file, key, value and rule, on one line."""

from __future__ import annotations

from pathlib import Path

import pytest

from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.arrays import DenseConfig
from hwsim.config.base import Config, load, parse
from hwsim.config.catalog import resolve
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.config.network import LayerConfig
from hwsim.errors import InputError

#: Known keys of a group, as a message lists them.
DENSE_KEYS = ", ".join(sorted(DenseConfig.model_fields))
LAYER_KEYS = ", ".join(
    sorted(field.alias or name for name, field in LayerConfig.model_fields.items())
)

ARCH = """\
name: mine
numbers: {act_width: 8, weight_width: 8, psum_width: 32}
array: {family: dense, dataflow: ws, rows: 8, cols: 8, acc_depth: 256}
"""

CSC = """\
name: mine
array: {family: csc, pes: 16, col_depth: 64, entry_depth: 64, acc_depth: 64}
"""

NETWORK = """\
name: mine
input: {channels: 3, height: 8, width: 8}
layers:
  - {name: conv1, type: conv, M: 4, R: 3}
  - {name: pool1, type: maxpool, R: 2, stride: 2}
  - {name: fc1, type: fc, M: 10}
"""

SWEEP = """\
name: mine
arch: dense_8x8_ws
network: lenet5
grid:
  arch.array.rows: [4, 8]
objectives: {cycles: min, multipliers: min}
"""


def complaint(cls: type[Config], folder: Path, text: str) -> str:
    """Say what reading ``text`` complains about, less the path of the file."""
    path = folder / "mine.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        load(cls, path)
    line = str(caught.value)
    assert line.startswith(f"{path}: ")
    assert "\n" not in line
    return line.removeprefix(f"{path}: ")


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("rows: 8", "row: 8", "array.rows: Field required"),
        ("family: dense, ", "", "array: must give family"),
        (
            "name: mine",
            "name: module",
            "name = 'module': must not be a word that Verilog or the testbench reserves",
        ),
        (
            "name: mine",
            "name: bench",
            "name = 'bench': must not be a word that Verilog or the testbench reserves",
        ),
        ("rows: 8", "rows: 8, lanes: 4", f"array.lanes = 4: unknown key; known: {DENSE_KEYS}"),
        (
            "name: mine",
            "name: mine\nsize: 3",
            "size = 3: unknown key; known: array, bus, description, memory, name, numbers",
        ),
        ("rows: 8", "rows: eight", "array.rows = 'eight': Input should be a valid integer"),
        ("rows: 8", "rows: 8.0", "array.rows = 8.0: Input should be a valid integer"),
        ("rows: 8", "rows: true", "array.rows = True: Input should be a valid integer"),
        (
            "psum_width: 32",
            "psum_width: 15",
            "numbers: psum_width must hold one product (16 bits), not 15",
        ),
        ("rows: 8", "rows: 0", "array.rows = 0: Input should be greater than or equal to 1"),
        ("acc_depth: 256", "acc_depth: 100", "array: acc_depth must be a power of two, not 100"),
        (", acc_depth: 256", "", "array: acc_depth must be given for dataflow ws"),
        (
            "rows: 8",
            "mac_latency: 4, rows: 8",
            "array: mac_latency must be at most 3 where a PE has one multiplier, not 4",
        ),
        (
            "dataflow: ws",
            "dataflow: os",
            "array: acc_depth must be absent for dataflow os: PEs hold the partial sums",
        ),
        (
            "name: mine",
            "name: 8x8",
            "name = '8x8': String should match pattern '^[a-z][a-z0-9_]{0,62}$'",
        ),
        ("name: mine", "name: mine\nname: yours", "must be YAML: key 'name' given twice (line 2)"),
        (
            "array: {",
            "array: {{",
            "must be YAML: did not find expected ',' or '}' (line 4)",
        ),
    ],
)
def test_arch_errors(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert ARCH.count(old) == 1
    assert complaint(ArchConfig, tmp_path, ARCH.replace(old, new)) == line


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        ("pes: 16", "pes: 12", "array: pes must be a power of two, not 12"),
        ("col_depth: 64", "col_depth: 65", "array: col_depth must be a power of two, not 65"),
        ("pes: 16", "pes: 16, load_pes: 3", "array: load_pes must divide pes (16), not 3"),
        ("pes: 16", "pes: 0", "array.pes = 0: Input should be greater than or equal to 1"),
    ],
)
def test_csc_errors(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert CSC.count(old) == 1
    assert complaint(ArchConfig, tmp_path, CSC.replace(old, new)) == line


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "M: 4, R: 3",
            "M: 4, R: 9",
            "layers.conv1: a window of 9 must fit the padded input height 8",
        ),
        (
            "M: 4, R: 3",
            "M: 4, R: 3, G: 2",
            "layers.conv1: G = 2 must divide the 3 input channels",
        ),
        (
            "M: 4, R: 3",
            "M: 4, R: 3, inputs: [conv0]",
            "layers.conv1: inputs must name an earlier layer, not 'conv0'",
        ),
        (
            "{name: fc1, type: fc, M: 10}",
            "{name: sum, type: add, inputs: [conv1, pool1]}",
            "layers.sum: inputs must have the same shape to be added",
        ),
        ("name: fc1", "name: conv1", "layers.conv1: name must be unique"),
        ("M: 4, R: 3", "M: 4", "layers.0: R must be given for a conv layer"),
        ("M: 10", "M: 10, R: 1", "layers.2: R must be absent for a fc layer"),
        ("M: 10", "M: 10, bia: true", f"layers.2.bia = True: unknown key; known: {LAYER_KEYS}"),
        (
            "M: 10",
            "M: 10, weight_density: 0.0",
            "layers.2.weight_density = 0.0: Input should be greater than 0",
        ),
        (
            "channels: 3",
            "channels: -3",
            "input.channels = -3: Input should be greater than or equal to 1",
        ),
    ],
)  # fmt: skip
def test_network_errors(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert NETWORK.count(old) == 1
    assert complaint(NetworkConfig, tmp_path, NETWORK.replace(old, new)) == line


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            "arch.array.rows:",
            "array.rows:",
            "grid.array.rows: must name fields as arch.<field> or network.<field>",
        ),
        ("[4, 8]", "[4, 4]", "grid.arch.array.rows: must have each value once"),
        ("[4, 8]", "[]", "grid.arch.array.rows: must have at least one value"),
        ("[4, 8]", "8", "grid.arch.array.rows = 8: Input should be a valid list"),
        (
            "[4, 8]",
            "[2020-01-01]",
            "grid.arch.array.rows: must have plain values: text, numbers, lists, mappings",
        ),
        (
            "arch.array.rows: [4, 8]",
            "arch.array.rows, arch.array.cols: [[4, 8, 9]]",
            "grid.arch.array.rows, arch.array.cols: must have one entry per field (2) in each "
            "list, not 3",
        ),
        (
            "arch.array.rows: [4, 8]",
            "arch.array.rows, arch.array.rows: [4]",
            "grid.arch.array.rows, arch.array.rows: arch.array.rows must be given once",
        ),
        ("multipliers: min", "area: min", "objectives.area: must be a metric, such as "),
        (
            "multipliers: min",
            "bits: least",
            "objectives.bits = 'least': Input should be 'min' or 'max'",
        ),
        (", multipliers: min", "", "objectives: Dictionary should have at least 2 items"),
        ("arch: dense_8x8_ws", "arch: [a, a]", "arch: must list each one once"),
        ("arch: dense_8x8_ws", "arch: 7", "arch = 7: Input should be a valid list"),
    ],
)  # fmt: skip
def test_sweep_errors(tmp_path: Path, old: str, new: str, line: str) -> None:
    assert SWEEP.count(old) == 1
    said = complaint(SweepConfig, tmp_path, SWEEP.replace(old, new))
    assert said.startswith(line)


@pytest.mark.parametrize("text", ["", "[]", "7", "just words", "null"])
def test_a_file_that_is_no_mapping(tmp_path: Path, text: str) -> None:
    for cls in (ArchConfig, NetworkConfig, SweepConfig):
        assert complaint(cls, tmp_path, text) == "must be a mapping of keys to values"


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="No such file"):
        load(ArchConfig, tmp_path / "none.yaml")
    with pytest.raises(InputError, match="no such file"):
        ArchConfig.read(tmp_path / "none.yaml")
    (tmp_path / "binary.yaml").write_bytes(b"\xff\xfe\x00name")
    with pytest.raises(InputError, match="cannot be read"):
        ArchConfig.read(tmp_path / "binary.yaml")


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(InputError) as caught:
        resolve("lenet6", "network")
    message, _, known = str(caught.value).partition(": alexnet, ")
    assert message == "configs/network: name = 'lenet6': must be a file or one of"
    assert {"digits3x3", "lenet5", "vgg6"} <= set(known.split(", "))


def test_long_values_are_shown_shortened(tmp_path: Path) -> None:
    said = complaint(ArchConfig, tmp_path, ARCH.replace("rows: 8", f"rows: {'x' * 500}"))
    assert len(said) < 150
    assert "..." in said


@pytest.mark.parametrize(
    ("array", "rule"),
    [
        ({"dataflow": "ws", "acc_depth": 4, "gather_depth": 4}, "absent with gather_depth"),
        ({"dataflow": "os", "weight_stream": "bitmask"}, "plain in a machine of dataflow os"),
    ],
)
def test_a_machine_without_its_hardware_is_refused(array, rule):
    raw = {"name": "test", "array": {"family": "dense", "rows": 4, "cols": 4, **array}}
    parse(ArchConfig, raw, "test")
    with pytest.raises(InputError, match=rule):
        parse(ArchConfig, raw | {"memory": {}}, "test")


@pytest.mark.parametrize("numbers", [{"act_width": 4}, {"act_width": 16}, {"psum_width": 20}])
def test_a_machine_of_other_widths_than_a_checkpoints_is_refused(numbers):
    array = {"family": "dense", "dataflow": "ws", "rows": 4, "cols": 4, "acc_depth": 16}
    raw = {"name": "test", "array": array, "numbers": numbers}
    parse(ArchConfig, raw, "test")
    with pytest.raises(InputError, match="with memory: a machine runs checkpoints"):
        parse(ArchConfig, raw | {"memory": {}}, "test")


def test_a_buffer_of_too_many_flip_flops(tmp_path: Path) -> None:
    array = "{family: bitmask, pes: 1, chunk: 128, buffer_depth: 17, mask_depth: 4, entry_depth: 4"
    text = f"name: mine\narray: {array}, acc_depth: 4}}\n"
    assert complaint(ArchConfig, tmp_path, text) == (
        "array: chunk x buffer_depth must be at most 2,048, for the buffer is of flip-flops, "
        "not 2,176"
    )
