"""Weights from elsewhere, from the command line to cycles and stored bits."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from harness.onnx_cases import Model, resnet18
from safetensors.numpy import save_file

from hwsim import cli
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import find_checkpoint
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.engine import network as engine
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.inference import images as inputs
from hwsim.inference.operands import on_images
from hwsim.workload.lowering import lower_act


@pytest.fixture
def hwsim(tmp_path, monkeypatch):
    """Run a command in an empty folder; returns its exit code and what it printed."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        done = CliRunner().invoke(cli.app, [str(a) for a in arguments])
        if isinstance(done.exception, InputError):
            return 2, f"error: {done.exception}"
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.exit_code, done.stdout

    return run


@pytest.fixture
def model(tmp_path):
    """A small residual network of images, as a file."""
    net = Model((3, 12, 12))
    x = net.node("Relu", net.batch_norm(net.conv("x", 8, 3, pads=[1] * 4), 8))
    y = net.batch_norm(net.conv(x, 8, 8, pads=[1] * 4), 8)
    x = net.node("GlobalAveragePool", net.node("Relu", net.node("Add", y, x)))
    return net.save(tmp_path, net.gemm(net.node("Flatten", x), 5, 8), "small.onnx")


@pytest.fixture
def lenet5(tmp_path):
    """A state dict of LeNet-5."""
    rng = np.random.default_rng(0)
    shapes = {"conv1": (20, 1, 5, 5), "conv2": (50, 20, 5, 5), "fc1": (500, 800), "fc2": (10, 500)}
    state = {}
    for name, shape in shapes.items():
        scale = (2 / np.prod(shape[1:])) ** 0.5
        state[f"{name}.weight"] = rng.normal(0, scale, shape).astype(np.float32)
        state[f"{name}.bias"] = rng.normal(0, 0.1, shape[0]).astype(np.float32)
    save_file(state, tmp_path / "lenet5.safetensors")
    return tmp_path / "lenet5.safetensors"


def test_an_imported_model_is_a_checkpoint_for_every_command(hwsim, model, tmp_path):
    code, out = hwsim("import", "small.onnx")
    assert code == 0
    words = " ".join(out.split())
    assert "ranges (mse) from 8 random images; on 8 other images integer logits" in words
    folder = tmp_path / "build/import/small"
    files = (folder / "small.yaml", folder / "small.safetensors")
    assert {path.name for path in folder.iterdir()} == {path.name for path in files}
    checkpoint = Checkpoint.read(files[1], NetworkConfig.read(files[0]))
    assert checkpoint.info["calibration"] == "random images"
    assert checkpoint.info["imported"] == "small.onnx"
    assert checkpoint.info["correlation"] > 0.99

    code, out = hwsim("storage", files[1], "--arch", "csc_16x4", "--json")
    assert code == 0
    assert [layer["layer"] for layer in json.loads(out)["layers"]] == list(checkpoint.layers)

    # the same weights on the same images, by two ways
    code, out = hwsim("simulate", "csc_16x4", files[0], "--checkpoint", files[1], "--json")
    assert code == 0
    code, direct = hwsim("simulate", "csc_16x4", "small.onnx", "--json")
    assert code == 0
    by_file, by_model = json.loads(out), json.loads(direct)
    assert by_model["operands"] == "small.onnx"
    assert by_model["inputs"] == "random images, seed 0"
    assert by_file["layers"] == by_model["layers"]

    # and by hand
    design, network = ArchConfig.read("csc_16x4"), NetworkConfig.read(files[0])
    images = inputs.random(network, 1)
    operands = on_images(network, checkpoint, images)
    (act,) = lower_act(network.shapes()[0], golden.input_act(images, checkpoint.input_scale))
    np.testing.assert_array_equal(operands["conv0"].gemms()[0].act, act)
    assert engine.simulate(design, network, operands).cycles == by_model["cycles"]


def test_a_network_of_gates_is_simulated(hwsim, tmp_path):
    """Squeeze and excitation with SiLU: the array's layers are counted, the rest is inferred."""
    net = Model((3, 8, 8))
    x = net.conv("x", 4, 3)
    x = net.node("Mul", x, net.node("Sigmoid", x))
    gate = net.node("HardSigmoid", net.conv(net.node("GlobalAveragePool", x), 4, 4, kernel=1))
    x = net.conv(net.node("Mul", x, gate), 5, 4)
    net.save(tmp_path, net.node("GlobalAveragePool", x), "gates.onnx")
    assert hwsim("import", "gates.onnx")[0] == 0
    folder = tmp_path / "build/import/gates"
    files = (folder / "gates.yaml", "--checkpoint", folder / "gates.safetensors")
    code, out = hwsim("simulate", "dense_8x8_ws", *files, "--json")
    assert code == 0
    layers = json.loads(out)["layers"]
    assert [layer["M"] for layer in layers] == [4, 4, 5]
    code, out = hwsim("simulate", "machine_dense_8x8_ws", *files, "--memory", "lpddr4_3200_x32")
    assert code == 2
    assert "type = 'activation': runs on no machine" in out


def test_files_of_one_name_do_not_overwrite_each_other(hwsim, tmp_path):
    written = []
    for seed, folder in ((0, "a"), (1, "b"), (0, "a")):
        net = Model((3, 6, 6), seed=seed)
        (tmp_path / folder).mkdir(exist_ok=True)
        net.save(tmp_path / folder, net.conv("x", 4, 3), "small.onnx")
        code, out = hwsim("import", f"{folder}/small.onnx", "--json")
        assert code == 0
        document = json.loads(out)
        written.append((document["file"], document["network_file"]))
        checkpoint = Checkpoint.read(document["file"], NetworkConfig.read(document["network_file"]))
        assert checkpoint.info["sha256"] == document["info"]["sha256"]
    first, second, again = written
    assert again == first != second
    assert second[0].endswith(f"small_{Checkpoint.read(second[0]).info['sha256'][:8]}.safetensors")
    # a file that is no import's stays as well
    path = tmp_path / first[0]
    path.write_bytes(b"mine")
    assert hwsim("import", "a/small.onnx")[0] == 0
    assert path.read_bytes() == b"mine"


def test_sizes_that_a_file_leaves_open(hwsim, tmp_path):
    net = Model((3, "h", "w"))
    net.save(tmp_path, net.node("GlobalAveragePool", net.conv("x", 4, 3)), "open.ONNX")
    code, out = hwsim("import", "open.ONNX")
    assert (code, "--size 3x224x224" in out) == (2, True)
    assert hwsim("import", "open.ONNX", "--size", "3x9x8")[0] == 0
    for size in ("3x9x", "3x0x8", "3,9,8"):
        line = f"error: command line: --size = {size!r}: must be sizes such as 3x224x224"
        assert hwsim("import", "open.ONNX", "--size", size) == (2, line)
    code, out = hwsim("import", "lenet5", "--weights", "x.pth", "--size", "1x28x28")
    assert (code, "--size = '1x28x28': must be absent" in out) == (2, True)


def test_a_network_is_read_until_a_tensor(hwsim, tmp_path):
    net = Model((3, 6, 6))
    x = net.conv("x", 4, 3)
    net.save(tmp_path, net.node("Special", x, domain="com.example"), "odd.onnx")
    assert hwsim("import", "odd.onnx")[0] == 2
    assert hwsim("import", "odd.onnx", "--until", x)[0] == 0
    network = NetworkConfig.read(tmp_path / "build/import/odd/odd.yaml")
    assert network.source.endswith(f"1 of its 2 nodes, until {x}")
    code, out = hwsim("import", "lenet5", "--weights", "x.pth", "--until", x)
    assert (code, f"--until = {x!r}: must be absent" in out) == (2, True)


def test_every_unsupported_node_is_named_where_that_is_asked(hwsim, tmp_path):
    net, x = Model((3, 6, 6)), "x"
    for index in range(9):
        x = net.node("Special", x, name=f"node{index}", domain="com.example")
    net.save(tmp_path, x, "odd.onnx")
    assert "Special x 9 (node0, node1, node2, ...)" in hwsim("import", "odd.onnx")[1]
    assert "node7, node8)" in hwsim("import", "odd.onnx", "--verbose")[1]


def test_real_images_give_ranges_and_activations(hwsim, model, tmp_path):
    images = np.random.default_rng(1).integers(0, 256, (3, 3, 12, 12), dtype=np.uint8)
    np.save(tmp_path / "photos.npy", images)
    code, out = hwsim("import", "small.onnx", "--inputs", "photos.npy", "--json", "--out", "here")
    assert code == 0
    info = json.loads(out)["info"]
    assert (info["calibration"], info["images"]) == ("images of photos.npy", 3)
    given = ("--inputs", "photos.npy", "--images", 2, "--json")
    code, out = hwsim("simulate", "csc_16x4", "small.onnx", *given)
    assert code == 0
    document = json.loads(out)
    assert document["inputs"] == "images of photos.npy"
    assert document["layers"][0]["N"] == 2 * 144
    assert hwsim("simulate", "csc_16x4", "small.onnx", "--inputs", "photos.npy", "--images", 4) == (
        2, "error: photos.npy: images = 4: must be at most 3: the file's",
    )  # fmt: skip


def test_photographs_give_ranges_and_others_tell_the_cost(hwsim, model, tmp_path):
    from PIL import Image

    rng = np.random.default_rng(2)
    (tmp_path / "photos").mkdir()
    for index in range(9):
        pixels = rng.integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"photos/{index}.png")
    given = ("--inputs", "photos", "--mean", "0.4,0.5,0.6", "--std", "0.25")
    code, out = hwsim("import", "small.onnx", *given, "--images", 6, "--ranges", "minmax")
    assert code == 0
    words = " ".join(out.split())
    assert "ranges (minmax) from 6 images of photos; on 3 other images integer logits" in words
    assert "% of the inputs saturate, of a layer's activations at most" in words
    stored = Checkpoint.read(tmp_path / "build/import/small/small.safetensors")
    assert stored.info["normalization"] == {"mean": [0.4, 0.5, 0.6], "std": [0.25]}
    # 0.4 below 0 and 0.6 above it, by 0.25: the least and the largest pixel
    assert stored.input_scale == pytest.approx(2.4 / 127, rel=0.02)
    assert stored.layers["conv0"].multipliers.shape == (8,)
    # later images are normalised as well
    code, out = hwsim(
        "simulate", "csc_16x4", "build/import/small/small.yaml", "--checkpoint",
        "build/import/small/small.safetensors", "--inputs", "photos", "--images", "2", "--json",
    )  # fmt: skip
    assert code == 0
    assert json.loads(out)["inputs"] == "images of photos"
    code, out = hwsim("import", "small.onnx", *given, "--images", 9, "--json", "--out", "all")
    assert json.loads(out)["info"]["compared_on"] == "of the same images"
    for option, value, line in (
        ("--mean", "0.1;0.2", "--mean = '0.1;0.2': must be numbers such as"),
        ("--ranges", "most", "ranges = 'most': must be one of mse, minmax, percentile"),
        ("--weight-scales", "row", "weight_scales = 'row': must be channel or layer"),
    ):
        code, out = hwsim("import", "small.onnx", option, value)
        assert (code, line in out) == (2, True)


def test_ranges_of_random_images_are_warned_of(hwsim, model, tmp_path):
    assert hwsim("import", "small.onnx")[0] == 0
    bright = np.full((1, 3, 12, 12), 1000, np.float32)
    np.save(tmp_path / "bright.npy", bright)
    folder = tmp_path / "build/import/small"
    code, out = hwsim(
        "simulate", "csc_16x4", folder / "small.yaml", "--checkpoint",
        folder / "small.safetensors", "--inputs", "bright.npy", "--json",
    )  # fmt: skip
    assert code == 0
    words = "(ranges of random images: 100.00% of the inputs saturate)"
    assert json.loads(out)["inputs"] == f"images of bright.npy {words}"


def test_a_state_dict_of_a_shipped_network(hwsim, lenet5, tmp_path):
    code, out = hwsim("simulate", "csc_16x4", "lenet5", "--weights", lenet5, "--json")
    assert code == 0
    found = re.fullmatch(
        r"MNIST test images \(ranges of random images: (.*)% of the inputs saturate\)",
        json.loads(out)["inputs"],
    )
    assert found is not None
    assert float(found[1]) < 1
    assert hwsim("import", "lenet5", "--weights", lenet5, "--out", "here")[0] == 0
    code, again = hwsim(
        "simulate", "csc_16x4", "lenet5", "--checkpoint", "here/lenet5.safetensors", "--json"
    )
    assert code == 0
    assert json.loads(again)["layers"] == json.loads(out)["layers"]


def test_images_are_those_of_the_checkpoints_data_set(hwsim, tmp_path):
    shipped = Checkpoint.read(find_checkpoint("lenet5_dense"))
    found = []
    for dataset in ("mnist", "fashion"):
        copy = Checkpoint("lenet5", shipped.layers, {"recipe": {"dataset": dataset}})
        path = copy.write(tmp_path / f"{dataset}.safetensors")
        code, out = hwsim("simulate", "csc_16x4", "lenet5", "--checkpoint", path, "--json")
        assert code == 0
        found.append(json.loads(out))
    assert [document["inputs"] for document in found] == [
        "MNIST test images",
        "Fashion-MNIST test images",
    ]
    assert found[0]["useful_macs"] != found[1]["useful_macs"]


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("import", "lenet5"), "--weights: must be given: a .pth or .safetensors file"),
        (("import", "small.onnx", "--weights", "w.pth"), "must be absent: an ONNX file has"),
        (("import", "none.onnx"), "none.onnx: cannot be read: No such file"),
        (("import", "resnet18", "--weights", "lenet5.safetensors"), "conv1.weight = (20, 1, 5, 5)"),
        (("import", "resnet18", "--weights", "none.pth"), "none.pth: no such file"),
        (("import", "small.onnx", "--inputs", "none.npy"), "none.npy: cannot be read: No such"),
        (("simulate", "csc_16x4", "lenet5", "--inputs", "x.npy"), "come from no images"),
        (
            ("simulate", "csc_16x4", "small.onnx", "--checkpoint", "lenet5_dense"),
            "--checkpoint = 'lenet5_dense': must be absent: the weights are those of small.onnx",
        ),
        (
            ("simulate", "csc_16x4", "lenet5", "--checkpoint", "x", "--weights", "w.pth"),
            "must be absent: the weights are those of --weights",
        ),
    ],
)
def test_bad_input_is_one_line(hwsim, model, lenet5, arguments, line):
    code, out = hwsim(*arguments)
    assert code == 2
    assert line in out
    assert "\n" not in out.strip()


def test_without_onnx_the_install_command_is_named(hwsim, model, monkeypatch):
    monkeypatch.setattr("hwsim.system.extras.find_spec", lambda module: None)
    code, out = hwsim("simulate", "dense_8x8_ws", "small.onnx")
    assert code == 2
    assert "pip install 'hwsim[onnx]'" in out


def test_resnet18_in_onnx_takes_the_cycles_of_the_shipped_network(tmp_path):
    """224x224 images, 21 layers with weights: the import finds the same layers, in some order."""
    from hwsim.models.importers.onnx_layers import load

    found = load(resnet18(tmp_path)).config
    shipped = NetworkConfig.read("resnet18")
    design = ArchConfig.read("dense_32x32_ws")
    cycles = [
        sorted((layer.shape, layer.cycles) for layer in engine.simulate(design, net).layers)
        for net in (found, shipped)
    ]
    assert len(cycles[0]) == 21
    assert cycles[0] == cycles[1]
    kinds = [sorted(layer.type for layer in net.layers) for net in (found, shipped)]
    assert kinds[0] == kinds[1]
    assert sum(layer.relu for layer in found.layers) == sum(layer.relu for layer in shipped.layers)


def test_a_whole_narrow_resnet18_runs_in_integers(hwsim, tmp_path):
    resnet18(tmp_path, size=64, width=8, classes=20)
    code, out = hwsim("import", "resnet18.onnx", "--json")
    assert code == 0
    info = json.loads(out)["info"]
    assert info["correlation"] > 0.99
    assert info["same_top1"][0] >= 3
    code, out = hwsim("simulate", "dense_32x32_ws", "resnet18.onnx", "--json")
    assert code == 0
    assert len(json.loads(out)["layers"]) == 21


def test_what_runs_outside_is_listed(hwsim, tmp_path):
    drawn = Model((5, 8), opset=20)
    weight = drawn.store(drawn.rng.normal(size=(8, 6)))
    x = drawn.node("MatMul", drawn.node("Softmax", "x", axis=-1), weight)
    drawn.save(tmp_path, drawn.node("MatMul", x, drawn.node("Transpose", x, perm=[0, 2, 1])))
    code, out = hwsim("import", "net.onnx")
    assert code == 2
    assert (
        "unsupported nodes: Softmax x 1 (softmax0) (hwsim import --outside float runs them beside"
        in out
    )
    code, out = hwsim("import", "net.onnx", "--outside", "float")
    assert code == 0
    assert "outside the array, in floating point" in out
    assert "38.46%" in out
    code, out = hwsim("simulate", "dense_8x8_ws", "build/import/net", "--json")
    assert code == 0
    outside = json.loads(out)["outside"]
    assert [each["operations"] for each in outside] == [["Softmax"], ["Transpose", "MatMul"]]
    assert [each["macs"] for each in outside] == [0, 5 * 5 * 6]
    assert outside[1]["share"] == pytest.approx(150 / (150 + 5 * 8 * 6))
    code, out = hwsim("storage", "net.onnx", "--outside", "float", "--arch", "dense_8x8_ws")
    assert code == 0
    assert "outside the array, in floating point" in out
    memory = ("--memory", "ideal")
    for arguments, line in (
        (("storage", "net.onnx", "--outside", "both"), "outside = 'both': must be float"),
        (("simulate", "machine_dense_8x8_ws", "build/import/net", *memory), "runs on no machine"),
        (("simulate", "machine_dense_8x8_ws", "net.onnx", "--outside", "float", *memory),
         "--outside = 'float': must be absent with --memory"),
        (("storage", "lenet5", "--outside", "float"), "outside = 'float': must be absent"),
    ):  # fmt: skip
        code, out = hwsim(*arguments)
        assert (code, line in out) == (2, True), out


def test_labelled_images_give_an_accuracy(hwsim, model, tmp_path):
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (24, 3, 12, 12), dtype=np.uint8)
    np.savez(tmp_path / "set.npz", images=pixels, labels=rng.integers(0, 2, 24))
    code, out = hwsim("import", "small.onnx", "--inputs", "set.npz", "--labelled")
    assert code == 0
    assert "of 2 images held out, right: " in out


def test_a_trained_network_is_pruned_in_one_line(hwsim, model, tmp_path):
    rng = np.random.default_rng(3)
    np.save(tmp_path / "photos.npy", rng.integers(0, 256, (12, 3, 12, 12), dtype=np.uint8))
    code, out = hwsim("compress", "small.onnx", "--nm", "2:4", "--inputs", "photos.npy", "--json")
    assert code == 0
    document = json.loads(out)
    folder = tmp_path / "build/compress/small_nm_2x4"
    assert document["info"]["pruned"]["method"] == "least squares on 8 images"
    assert document["info"]["compared_on"] == "other images"
    # the first layer stays whole, but for what rounds to 0
    assert list(document["kept"].values()) == pytest.approx([1, 0.5, 0.5], abs=0.03)
    given = (folder / "small.yaml", "--checkpoint", folder / "small_nm_2x4.safetensors", "--json")
    code, out = hwsim("simulate", "nm_2x4_4x8_ws", *given)
    assert code == 0
    notes = [layer["note"] for layer in json.loads(out)["layers"]]
    assert notes == ["2 passes", "", ""]
    code, out = hwsim("compress", "small.onnx", "--keep", "0.3")
    assert code == 0
    assert "small_keep_30, by magnitude" in out
    for arguments, line in (
        (("small.onnx", "x.onnx", "--nm", "2:4"), "must be one network with --nm or --keep"),
        (("small.onnx", "--nm", "2x4"), "--nm = '2x4': must be n:m such as 2:4"),
        (("small.onnx", "--nm", "2:4", "--keep", "0.2"), "keep = 0.2: must be at least 0.25"),
        (("small.onnx", "--nm", "2:4", "--layer-nm", "x=1:4"), "layer_nm = 'x': must be a layer"),
        (("small.onnx", "--nm", "2:4", "--layer-nm", "x=1:8"), "with the m of --nm 2:4"),
        (("small.onnx", "--nm", "2:4", "--epochs", "1"), "inputs: must be a folder of class"),
        (("small.onnx", "--nm", "2:4", "--dense", "x"), "dense = 'x': must be a layer"),
    ):
        code, out = hwsim("compress", *arguments)
        assert (code, line in out) == (2, True)


def test_what_is_left_out_is_said(hwsim, tmp_path):
    net = Model((3, 6, 6))
    x = net.conv("x", 4, 3)
    net.save(tmp_path, net.node("Softmax", net.node("Flatten", x), axis=1))
    code, out = hwsim("import", "net.onnx")
    assert code == 0
    assert "net.onnx: ONNX, opset 17, without Softmax at the end" in out
    code, out = hwsim("import", "net.onnx", "--until", x, "--until", "out1", "--weight-bits", "4")
    assert code == 0
    assert f"2 of its 3 nodes, until {x} and out1" in " ".join(out.split())
