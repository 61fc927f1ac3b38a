"""Import real ONNX files and print a table: what each holds, and how exact its import is.

Run: python benchmarks/real_files.py [FILE.onnx ...] [--torchvision resnet18 ...]

Without arguments the files are the nine ``light_*`` of the onnx package. ``--torchvision`` exports
architectures of torchvision with random weights (needs torch and torchvision). Errors are those of
the float network's outputs on one random input, relative to the largest, against onnxruntime, or
ONNX's reference evaluator where that is not installed. The next two columns say whose they are:
the differences of both from ONNX's evaluator in double precision. MACs must be those of the file's
nodes. What no layer computes runs beside the array; its share of the MACs is the column `in float`.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, numpy_helper

from hwsim.errors import InputError
from hwsim.models.importers.float_model import FloatModel
from hwsim.models.importers.onnx_graph import Graph, read
from hwsim.models.importers.onnx_layers import load
from hwsim.models.importers.onnx_macs import macs as macs_of
from hwsim.workload.onnx_reference import evaluator
from hwsim.workload.outside import outside_of

LIGHT = Path(onnx.__file__).parent / "backend/test/data/light"


def exported(name: str, folder: Path) -> Path:
    """File of an architecture of torchvision, as torch exports it."""
    import torch
    import torchvision

    torch.manual_seed(0)
    size = 299 if name == "inception_v3" else 224
    network = torchvision.models.get_model(name, weights=None).eval()
    for parameter in network.parameters():
        # a head that begins with zeros would give nothing to compare
        if parameter.ndim > 1 and not parameter.any():
            torch.nn.init.normal_(parameter, std=0.02)
    path = folder / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network, (torch.randn(1, 3, size, size),), path, dynamo=False)
    return path


def imported(path: Path) -> FloatModel:
    """The network of a file, with operations beside the array where layers do not do."""
    try:
        return load(path)
    except InputError:
        return load(path, outside=True)


def computed(path: Path, feed: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Every tensor of the file, by onnxruntime where it is installed."""
    model = onnx.load(path)
    known = {value.name for value in model.graph.output}
    names = [name for node in model.graph.node for name in node.output if name]
    model.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names if n not in known)
    if importlib.util.find_spec("onnxruntime"):
        import onnxruntime

        session = onnxruntime.InferenceSession(model.SerializeToString())
        found = session.run(None, feed)
    else:
        found = evaluator(model, model.opset_import[0].version).run(None, feed)
    return dict(zip((value.name for value in model.graph.output), found, strict=True))


def in_double(path: Path, feed: dict[str, np.ndarray], tensor: str) -> np.ndarray:
    """One tensor of the file, computed in double precision by ONNX's evaluator."""
    model = onnx.load(path)
    attributes = [each for node in model.graph.node for each in node.attribute]
    stored = [*model.graph.initializer, *(each.t for each in attributes if each.HasField("t"))]
    for constant in stored:
        if constant.data_type == TensorProto.FLOAT:
            real = numpy_helper.to_array(constant).astype(np.float64)
            constant.CopyFrom(numpy_helper.from_array(real, constant.name))
    for attribute in attributes:
        if attribute.name == "to" and attribute.i == TensorProto.FLOAT:
            attribute.i = TensorProto.DOUBLE
    real_feed = {name: values.astype(np.float64) for name, values in feed.items()}
    del model.graph.output[:]
    model.graph.output.append(onnx.ValueInfoProto(name=tensor))
    (found,) = evaluator(model, model.opset_import[0].version).run(None, real_feed)
    assert found.dtype == np.float64, (path, found.dtype)
    return found.ravel()


def difference(values: np.ndarray, expected: np.ndarray) -> str:
    """Largest difference, relative to the largest value."""
    return f"{np.abs(values - expected).max() / np.abs(expected).max():.1e}"


def counted(graph: Graph, tensors: dict[str, np.ndarray]) -> int:
    """Multiply-accumulates of a file, node by node, from the shapes of what was computed."""
    arrays = tensors | graph.constants
    shapes = {name: np.shape(array) for name, array in arrays.items()}
    return sum(macs_of(node, shapes) for node in graph.nodes if not graph.is_constant(node))


def row(path: Path) -> str:
    """One line of the table."""
    start = time.perf_counter()
    try:
        model = imported(path)
    except InputError as error:
        return f"| {path.stem} | | | | | refused: {str(error).removeprefix(f'{path}: ')} | | | |"
    seconds = time.perf_counter() - start
    # the output without what is left out at the end
    graph = read(path)
    (source,) = graph.inputs
    image = np.random.default_rng(1).standard_normal((1, *source.dims)).astype(np.float32)
    feed = {source.name: image}
    (output,) = graph.outputs
    tensors = computed(path, feed)
    expected = tensors[output].ravel().astype(np.float64)
    found = model.logits(image).ravel().astype(np.float64)
    real = in_double(path, feed, output)
    shapes = [shape for shape in model.config.shapes() if shape.has_weights]
    macs, beside = sum(shape.macs for shape in shapes), outside_of(model.config)
    # a scale per channel that no layer takes in is a layer here, and no product in the file
    scales = sum(shape.macs for shape in shapes if shape.K == 1 and shape.layer.G > 1)
    whole = macs - scales + sum(layer.macs for layer in beside)
    assert whole == counted(graph, tensors | feed), (path, whole, counted(graph, tensors | feed))
    share = f"{sum(layer.share for layer in beside):.1%}" if beside else ""
    cells = (
        len(model.config.layers), len(shapes), f"{macs:,}", share, difference(found, expected),
        difference(found, real), difference(expected, real), f"{seconds:.0f}",
    )  # fmt: skip
    return f"| {path.stem} | {' | '.join(map(str, cells))} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--torchvision", nargs="*", default=[], metavar="ARCHITECTURE")
    given = parser.parse_args()
    files = given.files or ([] if given.torchvision else sorted(LIGHT.glob("*.onnx")))
    figures = "layers", "with weights", "MACs", "in float", "error", "ours", "its", "seconds"
    print(f"| file | {' | '.join(figures)} |")
    print(f"| --- |{' ---: |' * len(figures)}", flush=True)
    for path in files:
        print(row(path), flush=True)
    for name in given.torchvision:
        with tempfile.TemporaryDirectory() as folder:
            print(row(exported(name, Path(folder))), flush=True)


if __name__ == "__main__":
    main()
