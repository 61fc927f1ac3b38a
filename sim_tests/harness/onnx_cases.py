"""ONNX models built node by node, as exporters write them, with seeded random weights."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from hwsim.errors import InputError
from hwsim.models.importers.onnx_layers import load

__all__ = ["Model", "drawn", "images", "reference", "refused", "resnet18", "same"]


class Model:
    """A model in the making; methods that add a node return the name of its output.

    Parameters
    ----------
    shape
        Of the input ``x`` after the batch axis.
    """

    def __init__(
        self, shape: Sequence[int | str] = (3, 9, 8), seed: int = 0, batch: int | str = "n",
        opset: int = 17,
    ) -> None:  # fmt: skip
        self.rng = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.stored: list[onnx.TensorProto] = []
        self.opset = opset
        self.inputs = [helper.make_tensor_value_info("x", 1, [batch, *shape])]

    def random(self, *shape: int, name: str | None = None) -> str:
        """Store random weights of variance 2 / fan-in, so that activations keep their size."""
        fan_in = int(np.prod(shape[1:])) if len(shape) > 1 else 2
        return self.store(self.rng.normal(0, (2 / fan_in) ** 0.5, shape), name)

    def store(self, array: object, name: str | None = None, dtype: object = np.float32) -> str:
        """Store a constant."""
        name = name or f"stored{len(self.stored)}"
        self.stored.append(numpy_helper.from_array(np.asarray(array, dtype=dtype), name))
        return name

    def ints(self, *values: int) -> str:
        """Store whole numbers: a shape, axes."""
        return self.store(values, dtype=np.int64)

    def node(self, op: str, *inputs: str, name: str | None = None, **attributes: Any) -> str:
        """Add a node."""
        place = len(self.nodes)
        output = f"out{place}"
        name = f"{op.lower()}{place}" if name is None else name
        self.nodes.append(helper.make_node(op, list(inputs), [output], name=name, **attributes))
        return output

    def conv(
        self, x: str, m: int, c: int, kernel: int | tuple[int, int] = 3, *, bias: bool = True,
        weight: str | None = None, **attributes: Any,
    ) -> str:  # fmt: skip
        """Add a convolution of ``m`` filters on ``c`` channels a group."""
        r, s = kernel if isinstance(kernel, tuple) else (kernel, kernel)
        stored = [self.random(m, c, r, s, name=weight), *([self.random(m)] if bias else [])]
        return self.node("Conv", x, *stored, **attributes)

    def batch_norm(self, x: str, m: int, **attributes: Any) -> str:
        """Add a batch normalization that is far from doing nothing."""
        parts = [
            self.rng.uniform(0.5, 1.5, m), self.rng.normal(0, 0.5, m), self.rng.normal(0, 0.5, m),
            self.rng.uniform(0.5, 2, m),
        ]  # fmt: skip
        return self.node("BatchNormalization", x, *map(self.store, parts), **attributes)

    def gemm(self, x: str, m: int, k: int, **attributes: Any) -> str:
        """Add a fully connected layer, PyTorch's way."""
        stored = [self.random(m, k), self.random(m)]
        return self.node("Gemm", x, *stored, transB=1, **attributes)

    def proto(self, output: str) -> onnx.ModelProto:
        """Make the model; the shape of its output is left open."""
        outputs = [helper.make_tensor_value_info(output, 1, ["a", "b"])]
        graph = helper.make_graph(self.nodes, "main_graph", self.inputs, outputs, self.stored)
        opsets = [helper.make_opsetid("", self.opset), helper.make_opsetid("com.example", 1)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=8)

    def save(self, folder: Path, output: str, name: str = "net.onnx") -> Path:
        """Write the file."""
        path = folder / name
        onnx.save(self.proto(output), path)
        return path


def reference(path: Path, images: NDArray[np.float32]) -> NDArray[np.float32]:
    """Output of ONNX's own evaluator, ``(n, values)``."""
    (found,) = ReferenceEvaluator(str(path)).run(None, {"x": images})
    return found.reshape(len(images), -1)


def images(model: Model, count: int = 3) -> NDArray[np.float32]:
    """Random values of the model's input."""
    shape = [dim.dim_value for dim in model.inputs[0].type.tensor_type.shape.dim][1:]
    return np.random.default_rng(7).standard_normal((count, *shape)).astype(np.float32)


def same(model: Model, output: str, folder: Path, count: int = 3) -> list[str]:
    """Compare the import with ONNX's evaluator; return the types of its layers."""
    path, inputs = model.save(folder, output), images(model, count)
    found, expected = load(path), reference(path, inputs)
    scale = np.abs(expected).max()
    assert scale > 0
    # lines are images of one row, values are channels of one pixel
    act = {2: inputs[:, :, None, None], 3: inputs[:, :, None], 4: inputs}[inputs.ndim]
    np.testing.assert_allclose(found.logits(act) / scale, expected / scale, atol=1e-5)
    return [layer.type for layer in found.config.layers]


def resnet18(folder: Path, size: int = 224, width: int = 64, classes: int = 1000) -> Path:
    """ResNet-18 as PyTorch exports it in evaluation mode: normalization kept as nodes."""
    model = Model((3, size, size))

    def normalized(x: str, m: int, c: int, kernel: int, **attributes: Any) -> str:
        return model.batch_norm(model.conv(x, m, c, kernel, bias=False, **attributes), m)

    x = normalized("x", width, 3, 7, strides=[2, 2], pads=[3] * 4)
    x = model.node("Relu", x)
    x = model.node("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1] * 4)
    channels = width
    for stage in range(4):
        m = width << stage
        for block in range(2):
            stride = 2 if stage and not block else 1
            y = normalized(x, m, channels, 3, strides=[stride] * 2, pads=[1] * 4)
            y = normalized(model.node("Relu", y), m, m, 3, pads=[1] * 4)
            if stride == 2:
                x = normalized(x, m, channels, 1, strides=[2, 2])
            x = model.node("Relu", model.node("Add", y, x))
            channels = m
    x = model.node("Flatten", model.node("GlobalAveragePool", x))
    return model.save(folder, model.gemm(x, classes, channels), "resnet18.onnx")


def drawn(seed: int) -> tuple[Model, str]:
    """A random network: branches, joins, pools, with and without normalization."""
    rng = np.random.default_rng(seed)
    size = int(rng.integers(6, 11))
    model = Model((int(rng.integers(1, 4)), size, size), seed)
    # tensor, channels, size; all of one size can be joined
    known = [("x", model.inputs[0].type.tensor_type.shape.dim[1].dim_value)]
    for _ in range(int(rng.integers(2, 7))):
        x, c = known[int(rng.integers(len(known)))]
        what = rng.choice(["conv", "norm", "relu", "max", "average", "add", "concat"])
        m = int(rng.integers(1, 5))
        if what in ("conv", "norm"):
            y = model.conv(x, m, c, 3, pads=[1] * 4, bias=bool(rng.integers(2)))
            y = model.batch_norm(y, m) if what == "norm" else y
            known.append((model.node("Relu", y) if rng.integers(2) else y, m))
        elif what == "relu":
            known.append((model.node("Relu", x), c))
        elif what in ("max", "average"):
            op = {"max": "MaxPool", "average": "AveragePool"}[what]
            extra = {"count_include_pad": 1} if what == "average" else {}
            pooled = model.node(op, x, kernel_shape=[3, 3], pads=[1] * 4, **extra)
            known.append((pooled, c))
        else:
            others = [(y, d) for y, d in known if what == "concat" or d == c]
            y, d = others[int(rng.integers(len(others)))]
            joined = model.node(*(("Add", x, y) if what == "add" else ("Concat", x, y)),
                                **({"axis": 1} if what == "concat" else {}))  # fmt: skip
            known.append((joined, c if what == "add" else c + d))
    x, c = known[-1]
    x = model.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = model.gemm(model.node("Flatten", x), 7, c * (size // 2) ** 2)
    return model, x


def refused(model: Model, output: str, folder: Path, line: str) -> None:
    """Demand that the import fails with one line that holds ``line``."""
    path = model.save(folder, output)
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    assert line in message
