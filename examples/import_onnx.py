"""Import a residual network from an ONNX file, and count its cycles on real integers.

Run: python examples/import_onnx.py (needs the extra `onnx`); writes build/example/residual.onnx
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import helper, numpy_helper

from hwsim.config import ArchConfig
from hwsim.engine import network as engine
from hwsim.inference import images as inputs
from hwsim.inference.operands import on_images
from hwsim.models.importers.calibrate import agreement, quantize
from hwsim.models.importers.onnx_layers import load

PATH = Path("build/example/residual.onnx")


def write() -> None:
    """A stem, one residual block with batch normalization, a classifier; random weights."""
    rng = np.random.default_rng(0)
    shapes = {"stem": (32, 3, 3, 3), "conv1": (32, 32, 3, 3), "conv2": (32, 32, 3, 3),
              "fc": (10, 32)}  # fmt: skip
    stored = {
        f"{name}.weight": rng.normal(0, np.sqrt(2 / np.prod(shape[1:])), shape)
        for name, shape in shapes.items()
    }
    for part, low, high in (
        ("scale", 0.5, 1),
        ("shift", -0.2, 0.2),
        ("mean", -0.2, 0.2),
        ("var", 0.5, 2),
    ):
        stored |= {f"{bn}.{part}": rng.uniform(low, high, 32) for bn in ("bn1", "bn2")}
    same = {"pads": [1, 1, 1, 1]}
    norms = [
        [f"{bn}.{part}" for part in ("scale", "shift", "mean", "var")] for bn in ("bn1", "bn2")
    ]
    nodes = [
        helper.make_node("Conv", ["image", "stem.weight"], ["a"], strides=[2, 2], **same),
        helper.make_node("Relu", ["a"], ["b"]),
        helper.make_node("Conv", ["b", "conv1.weight"], ["c"], **same),
        helper.make_node("BatchNormalization", ["c", *norms[0]], ["d"]),
        helper.make_node("Relu", ["d"], ["e"]),
        helper.make_node("Conv", ["e", "conv2.weight"], ["f"], **same),
        helper.make_node("BatchNormalization", ["f", *norms[1]], ["g"]),
        helper.make_node("Add", ["g", "b"], ["h"], name="add"),
        helper.make_node("Relu", ["h"], ["i"]),
        helper.make_node("GlobalAveragePool", ["i"], ["j"], name="pool"),
        helper.make_node("Flatten", ["j"], ["k"]),
        helper.make_node("Gemm", ["k", "fc.weight"], ["logits"], transB=1),
    ]
    tensors = [numpy_helper.from_array(v.astype(np.float32), n) for n, v in stored.items()]
    image = helper.make_tensor_value_info("image", onnx.TensorProto.FLOAT, ["n", 3, 32, 32])
    logits = helper.make_tensor_value_info("logits", onnx.TensorProto.FLOAT, ["n", 10])
    graph = helper.make_graph(nodes, "residual", [image], [logits], tensors)
    PATH.parent.mkdir(parents=True, exist_ok=True)
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), PATH)


def main() -> None:
    write()
    model = load(PATH)
    images = inputs.random(model.config, 8)
    checkpoint = quantize(model, images, {"calibration": "random images"})
    logits = agreement(model, checkpoint, images)
    print(f"integer logits correlate {logits.correlation:.4f} with float, "
          f"the same class {logits.same} of {logits.images} times")  # fmt: skip
    operands = on_images(model.config, checkpoint, images[:1])
    for name in ("dense_8x8_ws", "csc_16x4"):
        result = engine.simulate(ArchConfig.read(name), model.config, operands)
        print(f"{name}: {result.cycles:,} cycles")
        for layer in result.layers:
            print(f"  {layer.name}: {layer.cycles:,} cycles, utilization {layer.utilization:.3f}")


if __name__ == "__main__":
    main()
