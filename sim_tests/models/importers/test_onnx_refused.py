"""ONNX models that the layers here cannot express are refused in a line that names the node."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

import onnx
from harness.onnx_cases import Model, refused

from hwsim.errors import InputError
from hwsim.models.importers.onnx_layers import load
from hwsim.models.importers.source import read


def test_every_unsupported_node_is_named_in_one_line(tmp_path):
    model = Model()
    x = model.node("Floor", model.conv("x", 4, 3), name="first")
    y = model.node("Floor", x, name="/block/second")
    z = model.node("Special", y, name="ours", domain="com.example")
    x = model.node("Relu", model.node("Round", model.node("Mul", x, z, name="mul"), name="r"))
    line = (
        "net.onnx: unsupported nodes: Floor x 2 (first, /block/second); "
        "com.example.Special x 1 (ours); Round x 1 (r)"
    )
    refused(model, x, tmp_path, line)


def many(kinds: int, nodes: int) -> tuple[Model, str]:
    """A model of unknown operations with long names: the k-th has ``nodes + k`` nodes."""
    model, x = Model(), "x"
    for kind in range(kinds):
        for index in range(nodes + kind):
            x = model.node(f"Kind{kind}", x, name="/block" * 20 + f"/{index}", domain="com.example")
    return model, x


@pytest.mark.parametrize("kinds", [1, 2, 30])
def test_a_long_list_of_nodes_is_cut_to_600_characters(tmp_path, kinds):
    model, x = many(kinds, 4)
    path = model.save(tmp_path, x)
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert len(message) <= 600
    # the most frequent first, three nodes of each
    most = f"unsupported nodes: com.example.Kind{kinds - 1} x {kinds + 3} (..."
    assert most in message
    assert message.count("/block/0, ") == message.count("/block/1, ")
    assert "/block/3" not in message
    assert ("more operations (--verbose lists all)" in message) == (kinds == 30)

    with pytest.raises(InputError) as caught:
        load(path, verbose=True)
    for kind in range(kinds):
        assert f"com.example.Kind{kind} x {kind + 4} (" in str(caught.value)
    assert str(caught.value).count("/block" * 20) == sum(range(4, 4 + kinds))


def one(op: str, **attributes):
    def build(model: Model) -> str:
        return model.node(op, "x", name="it", **attributes)

    return build


def conv(**attributes):
    def build(model: Model) -> str:
        return model.conv("x", 4, attributes.pop("c", 3), name="it", **attributes)

    return build


def of_conv(op: str, *constants: object, **attributes):
    def build(model: Model) -> str:
        stored = [model.store(constant) for constant in constants]
        return model.node(op, model.conv("x", 4, 3), *stored, name="it", **attributes)

    return build


def norm(**attributes):
    def build(model: Model) -> str:
        y = model.batch_norm(attributes.pop("of", "x"), attributes.pop("m", 3), name="it")
        return y

    return build


def both(model: Model, branch) -> str:
    """Activations of a convolution added to the output of a branch that reads them."""
    x = model.conv("x", 4, 3)
    return model.node("Add", branch(x), x)


REFUSED = {
    "max of padding": (
        one("MaxPool", kernel_shape=[2, 2], strides=[3, 3], pads=[1] * 4, ceil_mode=1),
        "ceil_mode = 1: must be 0 where windows would reach outside",
    ),
    "three strides": (conv(strides=[1, 2, 1]), "strides = [1, 2, 1]: must be 2 numbers of at"),
    "no stride": (
        conv(strides=[0, 0]),
        "strides = [0, 0]: must be 2 numbers of at least 1",
    ),
    "no pool": (
        one("MaxPool", kernel_shape=[0, 0]),
        "R = 0: Input should be greater than or equal",
    ),
    "clip a channel": (
        of_conv("Clip", np.zeros(4), 6.0),
        "min shape = (4,): must be one number",
    ),
    "no dilation": (conv(dilations=[2, 0]), "dilations = [2, 0]: must be 2 numbers of at least"),
    "negative pads": (conv(pads=[0, 0, -1, 0]), "pads = [0, 0, -1, 0]: must not be negative"),
    "two pads": (conv(pads=[1, 1]), "pads = [1, 1]: must be 4 numbers"),
    "channels": (conv(c=2), "weight shape = (4, 2, 3, 3): must fit 3 input channels in 1 groups"),
    "kernel shape": (
        conv(kernel_shape=[5, 5]),
        "kernel_shape = [5, 5]: must be the weight's (3, 3)",
    ),
    "too large": (conv(kernel=(11, 2)), "a window of 11 must fit the padded input height 9"),
    "many pads": (
        conv(pads=[99] * 4),
        "padding = 99: must be a number from 0 to 64, two: [height, width]",
    ),
    "average rounded up": (
        one("AveragePool", kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1, count_include_pad=1),
        "ceil_mode = 1: must be 0 where windows would reach outside",
    ),
    "pool of lines": (one("MaxPool", kernel_shape=[3]), "kernel_shape = (3,): must have 2 numbers"),
    "reflection": (
        lambda model: model.node("Pad", "x", model.ints(*[0, 0, 1, 1] * 2), mode="reflect"),
        "mode = 'reflect': must be constant, with the value 0",
    ),
    "pad with ones": (
        lambda model: model.node("Pad", "x", model.ints(*[0, 0, 1, 1] * 2), model.store(1.0)),
        "mode = 'constant': must be constant, with the value 0",
    ),
    "pad of channels": (
        lambda model: model.node("Pad", "x", model.ints(0, 1, 0, 0, 0, 0, 0, 0)),
        "must add to height and width alone",
    ),
    "crop": (
        lambda model: model.node("Pad", "x", model.ints(0, 0, -1, 0, 0, 0, 0, 0)),
        "must add to height and width alone",
    ),
    "mean of channels": (one("ReduceMean", axes=[1]), "axes = (1,): must be height and width"),
    "mean of all": (one("ReduceMean"), "axes = (): must be height and width"),
    "flatten rows": (one("Flatten", axis=2), "output shape = (3, 72): must keep the batch"),
    "softmax inside": (
        lambda model: model.conv(model.node("Softmax", "x", name="it"), 4, 3),
        "unsupported nodes: Softmax x 1 (it)",
    ),
    "map added": (
        of_conv("Add", np.arange(168).reshape(4, 7, 6)),
        "tensor out1: is scaled or shifted by other constants than one for each channel",
    ),
    "row added": (
        of_conv("Add", np.arange(6)),
        "tensor out1: is scaled or shifted by other constants than one for each channel",
    ),
    "unlike shapes": (
        lambda model: model.node("Add", "x", model.conv("x", 3, 3), name="it"),
        "node it (Add): inputs must have the same shape to be added",
    ),
    "concat of rows": (
        lambda model: model.conv(model.node("Concat", "x", "x", axis=2), 4, 3, name="it"),
        "node it (Conv): input out0 = (3, 18, 8): must be (N, C, H, W) or (N, C, W), in the",
    ),
    "concat of a constant": (
        lambda model: model.node("Concat", "x", model.store(np.ones((1, 3, 9, 8))), axis=1),
        "must not be a constant",
    ),
    "not flattened": (
        lambda model: model.node("MatMul", "x", model.random(8, 2), name="it"),
        "node it (MatMul): input x = (3, 9, 8): must have the channels of a layer along its last",
    ),
    "gemm of another size": (
        lambda model: model.gemm(model.node("Flatten", "x"), 4, 200, name="it"),
        "weight shape (M, K) = (4, 200): must have 2 dimensions, and 216 columns",
    ),
    "computed weight": (
        lambda model: model.node("Conv", "x", "x", name="it"),
        "node it (Conv): weight: must be a constant of the file",
    ),
    "whole weight": (
        lambda model: model.node("Conv", "x", model.store(np.ones((4, 3, 1, 1)), dtype=np.int32)),
        "weight type = 'int32': must be floating point",
    ),
    "a bias a pixel": (
        lambda model: model.node("Conv", "x", model.random(4, 3, 1, 1), model.random(9)),
        "bias shape = (9,): must have 4 values, one per output channel",
    ),
    "transposed input": (
        lambda model: model.node("Gemm", model.node("Flatten", "x"), model.random(9, 9), transA=1),
        "transA = 1: must be 0",
    ),
    "reshape to images": (
        lambda model: model.conv(
            model.node("Reshape", "x", model.ints(0, 9, 8, 3)), 4, 9, name="it"
        ),
        "node it (Conv): input out0 = (9, 8, 3): must be (N, C, H, W) or (N, C, W), in",
    ),
    "training": (
        lambda model: model.node(
            "Dropout", "x", model.store(0.5), model.store(True, dtype=np.bool_), name="it"
        ),
        "node it (Dropout): training_mode = True: must be false",
    ),
    "not finite": (
        lambda model: model.node(
            "Conv", "x", model.store(np.full((4, 3, 1, 1), np.nan)), name="it"
        ),
        "it.weight: must hold finite numbers",
    ),
    "nothing but views": (one("Identity"), "must compute its output from its input"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_our_layers_lack_is_refused(tmp_path, case):
    build, line = REFUSED[case]
    model = Model(opset=14)
    refused(model, build(model), tmp_path, line)


def test_what_would_not_fit_the_memory_is_refused(tmp_path):
    """The file is run as it is read, on one image."""
    model = Model((3, 1 << 20, 8))
    line = "input x.shape = (3, 1048576, 8): must have at most 16,777,216 values"
    refused(model, model.conv("x", 4, 3), tmp_path, line)
    model = Model((3, 1 << 12, 1 << 10))
    x = model.conv("x", 4, 3, 5, pads=[2] * 4, name="wide")
    line = "wide: must have at most 134,217,728 values when it is lowered, not 314,572,800"
    refused(model, x, tmp_path, line)


def test_damaged_files_are_one_line(tmp_path):
    """Bytes exchanged, removed and doubled."""
    rng = np.random.default_rng(7)
    model = Model()
    x = model.node("Relu", model.conv("x", 4, 3, pads=[1] * 4))
    path = model.save(tmp_path, model.node("MaxPool", x, kernel_shape=[2, 2]))
    whole = path.read_bytes()
    messages = []
    for _ in range(300):
        damaged = bytearray(whole)
        for _ in range(int(rng.integers(1, 4))):
            at = int(rng.integers(len(damaged)))
            kind = int(rng.integers(3))
            if kind == 0:
                damaged[at] = int(rng.integers(256))
            elif kind == 1:
                del damaged[at : at + int(rng.integers(1, 9))]
            else:
                damaged[at:at] = damaged[at : at + int(rng.integers(1, 40))]
        path.write_bytes(damaged)
        try:
            read(str(path), None)
        except InputError as error:
            messages.append(str(error))
    assert len(messages) > 100
    assert not any("\n" in message for message in messages)


def test_a_data_type_and_an_attribute_of_no_kind(tmp_path):
    model = Model()
    path = model.save(tmp_path, model.conv("x", 4, 3, pads=[1] * 4))
    proto = onnx.load(path)
    proto.graph.initializer[0].data_type = 99
    onnx.save(proto, path)
    with pytest.raises(InputError, match=r"net\.onnx: "):
        read(str(path), None)
    proto = onnx.load(model.save(tmp_path, model.node("Relu", "x")))
    proto.graph.node[0].attribute.append(onnx.helper.make_attribute("pads", "text"))
    onnx.save(proto, path)
    with pytest.raises(InputError, match=r"net\.onnx: "):
        read(str(path), None)
