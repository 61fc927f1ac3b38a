"""Checkpoints survive a round trip, and nothing but a checkpoint is read."""

from __future__ import annotations

import contextlib
import json
import pickle
from dataclasses import replace

import numpy as np
import pytest
import safetensors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from hwsim.checkpoints.checkpoint import INPUT_SCALE, Checkpoint, LayerWeights, Rescale
from hwsim.config import NetworkConfig
from hwsim.errors import InputError

NETWORK = NetworkConfig.model_validate(
    {
        "name": "tiny",
        "input": {"channels": 1, "height": 4, "width": 4},
        "layers": [
            {"name": "conv1", "type": "conv", "M": 2, "R": 3},
            {"name": "fc1", "type": "fc", "M": 3},
        ],
    }
)
#: What may be one for a layer, or one per output channel.
PER_CHANNEL = ("multiplier", "shift", "weight_scale")
#: tmp_path is shared by the examples of one test; each overwrites the file.
FUZZ = settings(
    deadline=None, max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def tiny() -> Checkpoint:
    return Checkpoint(
        "tiny",
        {
            "conv1": LayerWeights(
                np.arange(-9, 9, dtype=np.int8).reshape(2, 1, 3, 3),
                np.array([-(2**31), 2**31 - 1], dtype=np.int32),
                8, 12345, 17, 0.25,
            ),
            "fc1": LayerWeights(
                np.arange(24, dtype=np.int8).reshape(3, 8) - 12,
                np.array([1, -2, 3], dtype=np.int32),
                5, 1, 0, 1e-3,
            ),
        },
        {"kind": "dense", "accuracy": 0.5, "command": "hwsim compress tiny"},
    )  # fmt: skip


@pytest.fixture
def path(tmp_path):
    return tiny().write(tmp_path / "tiny.safetensors")


def split(data: bytes) -> tuple[dict, bytes]:
    """Header and tensor bytes."""
    length = int.from_bytes(data[:8], "little")
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def join(header: object, tensors: bytes) -> bytes:
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + tensors


def refused(path, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        Checkpoint.read(path, NETWORK)
    assert "\n" not in str(caught.value)


def test_round_trip(path):
    checkpoint, expected = Checkpoint.read(path, NETWORK), tiny()
    assert checkpoint.network == "tiny"
    assert checkpoint.info == expected.info
    assert list(checkpoint.layers) == ["conv1", "fc1"]
    for name, layer in expected.layers.items():
        read = checkpoint.layers[name]
        np.testing.assert_array_equal(read.weight, layer.weight)
        np.testing.assert_array_equal(read.bias, layer.bias)
        assert (read.weight.dtype, read.bias.dtype) == (np.int8, np.int32)
        for key in ("weight_bits", *PER_CHANNEL):
            assert getattr(read, key) == getattr(layer, key)
    assert checkpoint.density == 40 / 42
    assert checkpoint.layers["conv1"].density == 17 / 18


@pytest.mark.parametrize(
    ("code", "bits", "allowed"),
    [
        ("int", 4, range(-8, 8)),
        ("levels", 1, (-1, 0, 1)),
        ("levels", 4, range(-8, 9)),
        ("ternary", 2, (-1, 0, 1)),
        ("pow2", 4, [0, *(s * 2**e for s in (-1, 1) for e in range(7))]),
    ],
)
def test_a_code_is_written_read_and_its_levels_checked(tmp_path, code, bits, allowed):
    for value in range(-128, 128):
        weight = np.array([[value, 1], [0, -1]], dtype=np.int8)
        layer = LayerWeights(weight, np.zeros(2, np.int32), bits, 1, 0, 0.5, code)
        path = Checkpoint("net", {"fc1": layer}, {}).write(tmp_path / "coded.safetensors")
        if value in allowed:
            checkpoint = Checkpoint.read(path).layers["fc1"]
            assert (checkpoint.weight_code, checkpoint.weight_bits) == (code, bits)
            assert (checkpoint.numbers.weight_code, checkpoint.numbers.weight_width) == (code, bits)
            np.testing.assert_array_equal(checkpoint.weight, weight)
        else:
            rule = rf"fc1.weight\[0, 0\] = {value}: must be 0 or a level of {bits}-bit {code}"
            with pytest.raises(InputError, match=rule):
                Checkpoint.read(path)


def test_plain_integers_name_no_code(path):
    header, _ = split(path.read_bytes())
    assert "weight_code" not in header["__metadata__"]["layers"]
    assert Checkpoint.read(path).layers["fc1"].weight_code == "int"


def scaled() -> Checkpoint:
    """Of each kind: a layer whose channels have scales of their own, and one whose share theirs."""
    whole = tiny()
    conv1 = replace(
        whole.layers["conv1"],
        multiplier=np.array([1, 65535]),
        shift=np.array([0, 47]),
        weight_scale=np.array([0.5, 1e-9]),
    )
    return replace(whole, layers=whole.layers | {"conv1": conv1})


@pytest.mark.parametrize("parts", [PER_CHANNEL, *((part,) for part in PER_CHANNEL)], ids=str)
def test_scales_per_channel_survive_a_round_trip(tmp_path, parts):
    conv1 = scaled().layers["conv1"]
    layer = replace(tiny().layers["conv1"], **{part: getattr(conv1, part) for part in parts})
    whole = replace(tiny(), layers=tiny().layers | {"conv1": layer})
    path = whole.write(tmp_path / "scaled.safetensors")
    read = Checkpoint.read(path, NETWORK).layers
    for part in PER_CHANNEL:
        np.testing.assert_array_equal(getattr(read["conv1"], part), getattr(layer, part))
        assert isinstance(getattr(read["conv1"], part), np.ndarray) == (part in parts)
        assert getattr(read["fc1"], part) == getattr(tiny().layers["fc1"], part)
    np.testing.assert_array_equal(read["conv1"].weight, layer.weight)
    for name, values in (("multipliers", layer.multiplier), ("shifts", layer.shift)):
        expected = np.broadcast_to(values, 2)
        np.testing.assert_array_equal(getattr(read["conv1"], name), expected)
    # each tensor lies on a multiple of its width
    header, _ = split(path.read_bytes())
    sizes = {"F64": 8, "I32": 4, "I8": 1}
    for name, tensor in header.items():
        if name != "__metadata__":
            assert tensor["data_offsets"][0] % sizes[tensor["dtype"]] == 0, name


def test_one_scale_of_a_layer_is_that_of_each_channel():
    layer = tiny().layers["fc1"]
    assert layer.multipliers.tolist() == [1] * 3
    assert layer.shifts.tolist() == [0] * 3
    assert layer.weight_scales.tolist() == [1e-3] * 3


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"multiplier": np.array([1, 0])}, r"conv1.multiplier\[1\] = 0: must be 1\.\.65535"),
        ({"multiplier": np.array([65536, 1])}, r"conv1.multiplier\[0\] = 65536: must be 1"),
        ({"shift": np.array([0, 48])}, r"conv1.shift\[1\] = 48: must be 0\.\.47"),
        ({"weight_scale": np.array([np.nan, 1])}, r"weight_scale\[0\] = nan: must be a positive"),
        ({"shift": np.array([1, 2, 3])}, r"conv1.shift = \(3,\): must have one value per row"),
        ({"shift": np.array([[1, 2]])}, r"conv1.shift = \(1, 2\): must have one value per row"),
    ],
)
def test_a_scale_of_a_channel_that_breaks_a_rule_is_refused(tmp_path, changes, message):
    whole = tiny()
    layers = whole.layers | {"conv1": replace(whole.layers["conv1"], **changes)}
    path = replace(whole, layers=layers).write(tmp_path / "scaled.safetensors")
    refused(path, message)


def test_a_scale_that_is_given_twice_is_refused(tmp_path):
    path = scaled().write(tmp_path / "scaled.safetensors")
    header, tensors = split(path.read_bytes())
    settings_of = json.loads(header["__metadata__"]["layers"])
    settings_of["conv1"]["shift"] = 3
    header["__metadata__"]["layers"] = json.dumps(settings_of)
    path.write_bytes(join(header, tensors))
    refused(path, r"layers.conv1.shift = 3: must be absent: the tensor conv1.shift has one per")


def test_a_scale_of_another_type_is_refused(tmp_path):
    path = scaled().write(tmp_path / "scaled.safetensors")
    header, tensors = split(path.read_bytes())
    header["conv1.weight_scale"] |= {"dtype": "I64"}
    path.write_bytes(join(header, tensors))
    refused(path, "conv1.weight_scale.dtype = 'I64': must be F64")


def test_the_same_contents_give_the_same_bytes(path, tmp_path):
    again = tiny().write(tmp_path / "again.safetensors")
    assert again.read_bytes() == path.read_bytes()


def test_safetensors_itself_reads_the_file(path):
    tensors = load(path.read_bytes())
    np.testing.assert_array_equal(tensors["fc1.weight"], tiny().layers["fc1"].weight)
    with safetensors.safe_open(path, "numpy") as file:
        assert file.metadata()["format"] == "hwsim.checkpoint"


def test_a_failed_write_leaves_the_file_alone(path, monkeypatch):
    before = path.read_bytes()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fdopen", full)
    with pytest.raises(InputError, match="No space left on device"):
        tiny().write(path)
    assert path.read_bytes() == before


def test_every_truncation_is_refused(path):
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        refused(path, "tiny.safetensors: ")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no header at its start"),
        (pickle.dumps({"a": 1}), "no header at its start|is truncated"),
        (b"PK\x03\x04" + bytes(100), "no header at its start"),
        ((1 << 40).to_bytes(8, "little") + b"{}", "no header at its start"),
        ((4).to_bytes(8, "little") + b"[[1]", "must be JSON"),
        ((2).to_bytes(8, "little") + b"[]", "header = .*: must be a mapping"),
        (join({"a": 1}, b""), "must map names to mappings"),
        ((5000).to_bytes(8, "little") + b"[" * 5000, "must be JSON"),
        (save({"x": np.zeros(3, dtype=np.float32)}), "it is no checkpoint of hwsim"),
    ],
    ids=["empty", "pickle", "zip", "huge", "json", "list", "flat", "deep", "foreign"],
)
def test_a_foreign_file_is_refused(path, content, message):
    path.write_bytes(content)
    refused(path, message)


def test_a_missing_file_or_a_folder_is_refused(tmp_path):
    refused(tmp_path / "none.safetensors", "cannot be read: No such file")
    refused(tmp_path, "cannot be read: Is a directory")


def test_bytes_after_the_tensors_are_refused(path):
    path.write_bytes(path.read_bytes() + b"\0")
    refused(path, "must be a safetensors file")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("format", "other", "format = 'other': must be 'hwsim.checkpoint'"),
        ("version", "2", "version = '2': must be '1'"),
        ("network", "lenet5", "network = 'lenet5': must be the checkpoint of network tiny"),
        ("layers", "[]", r"layers = \[\]: must be a mapping"),
        ("layers", "{", "layers: must be JSON"),
        ("layers", "{}", "is the tensor of no layer"),
        ("layers", '{"conv1": 1, "fc1": 2}', "layers.conv1 = 1: must be a mapping"),
        ("info", "NaN", "info = nan: must be a mapping"),
        ("info", None, "info: must be given"),
        ("extra", "1", "extra: unknown key"),
    ],
)
def test_metadata_that_breaks_a_rule_is_refused(path, key, value, message):
    header, tensors = split(path.read_bytes())
    if value is None:
        del header["__metadata__"][key]
    else:
        header["__metadata__"][key] = value
    path.write_bytes(join(header, tensors))
    refused(path, message)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("weight_bits", 9, "weight_bits = 9: must be one of"),
        ("weight_bits", True, "weight_bits = True: must be one of"),
        ("weight_bits", 4, r"fc1.weight\[0, 0\] = -12: must be 0 or a level of 4-bit int"),
        ("weight_bits", 1, r"weight_bits = 1: must be 2\.\.16 for weight_code int"),
        ("weight_code", "float", "weight_code = 'float': must be one of int, levels, ternary"),
        ("weight_code", [], r"weight_code = \[\]: must be one of int, levels, ternary, pow2"),
        ("weight_code", "ternary", r"weight_bits = 5: must be 2\.\.2 for weight_code ternary"),
        ("multiplier", 0, r"multiplier = 0: must be 1\.\.65535"),
        ("multiplier", 65536, r"multiplier = 65536: must be 1\.\.65535"),
        ("multiplier", 1.0, r"multiplier = 1.0: must be 1\.\.65535"),
        ("shift", -1, r"shift = -1: must be 0\.\.47"),
        ("shift", 48, r"shift = 48: must be 0\.\.47"),
        ("weight_scale", 0.0, "weight_scale = 0.0: must be a positive number"),
        ("weight_scale", float("inf"), "weight_scale = inf: must be a positive number"),
        ("weight_scale", "1", "weight_scale = '1': must be a positive number"),
        ("weight_scale", None, "weight_scale: must be given"),
        ("zero_point", 0, "zero_point: unknown key"),
    ],
)
def test_a_layer_setting_that_breaks_a_rule_is_refused(path, key, value, message):
    header, tensors = split(path.read_bytes())
    settings_of = json.loads(header["__metadata__"]["layers"])
    settings_of["fc1"][key] = value
    if value is None:
        del settings_of["fc1"][key]
    header["__metadata__"]["layers"] = json.dumps(settings_of)
    path.write_bytes(join(header, tensors))
    refused(path, message)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("fc1.weight", {"dtype": "U8"}, "fc1.weight.dtype = 'U8': must be I8"),
        ("fc1.bias", {"dtype": "F32"}, "fc1.bias.dtype = 'F32': must be I32"),
        ("fc1.weight", {"shape": [8, 3]}, r"fc1.bias = \(3,\): must have one value per row"),
        ("fc1.weight", {"shape": [3, 4, 2]}, "must have 2 or 4 dimensions"),
        ("conv1.weight", {"shape": [2, 1, 9, 1]}, r"must have shape \(2, 1, 3, 3\) in tiny"),
        ("fc1.weight", {"shape": [3, 2**62]}, "must be a safetensors file"),
        ("fc1.weight", {"data_offsets": [0, 24]}, "must be a safetensors file"),
        ("fc1.weight", None, "fc1.weight: must be given"),
    ],
)
def test_a_tensor_that_does_not_fit_is_refused(path, name, changes, message):
    header, tensors = split(path.read_bytes())
    if changes is None:
        del header[name]
    else:
        header[name] |= changes
    path.write_bytes(join(header, tensors))
    refused(path, message)


def test_missing_and_additional_layers_are_refused():
    whole = tiny()
    fewer = Checkpoint("tiny", {"conv1": whole.layers["conv1"]}, {})
    with pytest.raises(InputError, match=r"layers\.fc1: must name exactly the layers with weights"):
        fewer.check(NETWORK)
    more = Checkpoint("tiny", whole.layers | {"fc2": whole.layers["fc1"]}, {})
    with pytest.raises(InputError, match=r"layers\.fc2: must name exactly the layers with weights"):
        more.check(NETWORK)


def read_or_refuse(path, content: bytes) -> None:
    path.write_bytes(content)
    with contextlib.suppress(InputError):
        Checkpoint.read(path, NETWORK)


@FUZZ
@given(content=st.binary(max_size=200))
def test_random_bytes_are_never_a_traceback(tmp_path, content):
    read_or_refuse(tmp_path / "fuzz.safetensors", content)


@FUZZ
@given(data=st.data(), per_channel=st.booleans())
def test_damaged_files_are_never_a_traceback(tmp_path, data, per_channel):
    path = (scaled() if per_channel else tiny()).write(tmp_path / "whole.safetensors")
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    read_or_refuse(tmp_path / "fuzz.safetensors", bytes(content))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)


@FUZZ
@given(data=st.data())
def test_any_json_in_the_header_is_never_a_traceback(tmp_path, path, data):
    header, tensors = split(path.read_bytes())
    place = data.draw(st.sampled_from(["top", "tensor", "metadata", "layers", "setting"]))
    value = data.draw(JSON)
    metadata = header["__metadata__"]
    if place == "top":
        header[data.draw(st.sampled_from([*header, "new"]))] = value
    elif place == "tensor":
        key = data.draw(st.sampled_from(["dtype", "shape", "data_offsets", "new"]))
        header[data.draw(st.sampled_from(["fc1.weight", "fc1.bias"]))][key] = value
    elif place == "metadata":
        metadata[data.draw(st.sampled_from([*metadata, "new"]))] = value
    else:
        layers = json.loads(metadata["layers"])
        if place == "layers":
            layers[data.draw(st.sampled_from([*layers, "new"]))] = value
        else:
            layers["fc1"][data.draw(st.sampled_from([*layers["fc1"], "new"]))] = value
        metadata["layers"] = json.dumps(layers)
    read_or_refuse(tmp_path / "fuzz.safetensors", join(header, tensors))


JOINED = NetworkConfig.model_validate(
    {
        "name": "tiny",
        "input": {"channels": 1, "height": 4, "width": 4},
        "layers": [
            {"name": "conv1", "type": "conv", "M": 2, "R": 3},
            {"name": "add", "type": "add", "inputs": ["conv1", "conv1"]},
            {"name": "fc1", "type": "fc", "M": 3},
        ],
    }
)


def joined(**rescales) -> Checkpoint:
    plain = tiny()
    rescales = {name: Rescale(*setting) for name, setting in rescales.items()}
    return Checkpoint("tiny", plain.layers, {}, rescales=rescales, input_scale=0.1 / 3)


def test_scales_of_sums_and_of_the_input_survive(tmp_path):
    written = joined(add=((0, 65535), 47))
    checkpoint = Checkpoint.read(written.write(tmp_path / "joined.safetensors"), JOINED)
    assert checkpoint.rescales == written.rescales
    assert checkpoint.input_scale == written.input_scale


def test_a_checkpoint_without_them_has_the_old_keys(path):
    header, _ = split(path.read_bytes())
    assert not header["__metadata__"].keys() & {"rescales", "input_scale"}
    checkpoint = Checkpoint.read(path)
    assert checkpoint.rescales == {}
    assert checkpoint.input_scale == INPUT_SCALE


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("rescales", "[]", "rescales = .*: must be a mapping"),
        ("rescales", '{"add": 3}', "rescales.add = 3: must be a mapping of multipliers and shift"),
        ("rescales", '{"add": {"multipliers": [1, 2], "shift": 48}}', "shift = 48: must be 0..47"),
        (
            "rescales",
            '{"add": {"multipliers": [1, 2.5], "shift": 4}}',
            "must be a list of integers",
        ),
        ("rescales", '{"add": {"multipliers": [1, -1], "shift": 4}}', "must be 0..65535"),
        ("rescales", '{"add": {"multipliers": [], "shift": 4}}', "must be 0..65535, one per input"),
        ("rescales", '{"add": {"multipliers": [1], "shift": 4}}', "must be 2, one per input, in"),
        ("rescales", '{"fc1": {"multipliers": [1], "shift": 4}}', "is no layer of tiny that sums"),
        ("input_scale", "0", "input_scale = '0': must be a positive number"),
        ("input_scale", "nan", "must be a positive number"),
        ("input_scale", "x", "must be a positive number"),
    ],
)
def test_a_scale_that_breaks_a_rule_is_refused(path, key, text, message):
    header, tensors = split(path.read_bytes())
    header["__metadata__"][key] = text
    path.write_bytes(join(header, tensors))
    with pytest.raises(InputError, match=message) as caught:
        Checkpoint.read(path, JOINED)
    assert "\n" not in str(caught.value)


GATED = NetworkConfig.model_validate(
    {
        "name": "tiny",
        "input": {"channels": 1, "height": 4, "width": 4},
        "layers": [
            {"name": "conv1", "type": "conv", "M": 2, "R": 3},
            {"name": "gate", "type": "activation", "function": "sigmoid"},
            {"name": "mul", "type": "mul", "inputs": ["conv1", "gate"]},
            {"name": "fc1", "type": "fc", "M": 3},
        ],
    }
)


def gated(**tables) -> Checkpoint:
    rescales = {"mul": Rescale((300,), 14)}
    return Checkpoint("tiny", tiny().layers, {}, rescales=rescales, tables=tables)


def test_tables_of_activations_survive_a_round_trip(tmp_path):
    table = np.random.default_rng(0).integers(-128, 128, 256).astype(np.int8)
    path = gated(gate=table).write(tmp_path / "tiny.safetensors")
    checkpoint = Checkpoint.read(path, GATED)
    assert checkpoint.tables.keys() == {"gate"}
    np.testing.assert_array_equal(checkpoint.tables["gate"], table)
    assert checkpoint.rescales == {"mul": Rescale((300,), 14)}


def test_a_table_that_does_not_fit_is_refused(tmp_path):
    short = gated(gate=np.zeros(255, np.int8)).write(tmp_path / "short.safetensors")
    with pytest.raises(InputError, match=r"gate\.table = \(255,\): must have shape \(256,\)"):
        Checkpoint.read(short)
    other = gated(conv1=np.zeros(256, np.int8)).write(tmp_path / "other.safetensors")
    with pytest.raises(InputError, match=r"conv1\.table: is no activation layer of tiny"):
        Checkpoint.read(other, GATED)


def test_a_product_has_one_multiplier(tmp_path):
    checkpoint = replace(gated(), rescales={"mul": Rescale((1, 2), 4)})
    with pytest.raises(InputError, match=r"rescales\.mul\.multipliers = .*: must be 1, one per"):
        checkpoint.check(GATED)
