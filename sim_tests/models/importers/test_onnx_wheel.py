"""Networks that the onnx package carries: real structures, constant weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

import onnx
from onnx import shape_inference

from hwsim.models.importers.onnx_layers import load

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def counted(path: Path) -> int:
    """Multiply-accumulates of the file's Conv and Gemm nodes, by ONNX's own shapes."""
    model = shape_inference.infer_shapes(onnx.load(path))
    graph = model.graph
    values = [*graph.value_info, *graph.input, *graph.output]
    shapes = {
        value.name: [dim.dim_value for dim in value.type.tensor_type.shape.dim] for value in values
    } | {tensor.name: list(tensor.dims) for tensor in graph.initializer}
    total = 0
    for node in graph.node:
        if node.op_type == "Conv":
            total += int(np.prod(shapes[node.output[0]]) * np.prod(shapes[node.input[1]][1:]))
        elif node.op_type == "Gemm":
            total += int(np.prod(shapes[node.input[1]]))
    return total


@pytest.mark.parametrize(
    "name",
    [
        "bvlc_alexnet",
        "densenet121",
        "inception_v1",
        "inception_v2",
        "resnet50",
        "shufflenet",
        "squeezenet",
        "zfnet512",
    ],
)
def test_a_network_of_the_package_imports_and_has_its_macs(name):
    """Every tensor is held to ONNX's evaluator by the import; scales per channel count apart."""
    path = LIGHT / f"light_{name}.onnx"
    shapes = load(path).config.shapes()
    scales = [shape for shape in shapes if shape.layer.name.endswith("_scale")]
    assert all((shape.layer.R, shape.C) == (1, 1) for shape in scales)
    macs = sum(shape.macs for shape in shapes) - sum(shape.macs for shape in scales)
    assert macs == counted(path)
