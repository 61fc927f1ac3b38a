"""The sample of ONNX files beside the checkout: each imports and is exact, or is refused by name.

``../shared/cases/onnx/build.py`` makes 56 minimal files, one construct each, and says of each what
a user expects: ``ok`` and ``want`` must import, ``no`` is rightly refused. What no layer computes
runs beside the array when the user says so.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

import onnx

from hwsim.errors import InputError
from hwsim.models.importers.onnx_layers import load
from hwsim.workload.onnx_reference import evaluator

BUILD = Path(__file__).parents[4] / "shared/cases/onnx/build.py"

if not BUILD.is_file():
    pytest.skip(f"{BUILD} is not beside this checkout", allow_module_level=True)

spec = importlib.util.spec_from_file_location("onnx_cases_build", BUILD)
build = importlib.util.module_from_spec(spec)
spec.loader.exec_module(build)

#: Cases that are refused unless operations run beside the array, and the words of the refusal.
BESIDE = {
    "transformer_block": "LayerNormalization x 2",
    "lstm": "LSTM x 1 (LSTM_1)",
    "conv3d": "kernel of three dimensions = (3, 3, 3): must not join planes",
}
#: Cases that are refused.
STAY_OUT = {"custom_domain": "com.acme.Mystery x 1 (Mystery_2)"}
#: Sizes that the file leaves open.
SIZES = {"dynamic_hw": (3, 16, 16)}


def softmax(logits):
    exact = np.exp(logits - logits.max(axis=1, keepdims=True))
    return exact / exact.sum(axis=1, keepdims=True)


#: What is left out at the end.
HEADS = {
    "ArgMax": lambda logits: logits.argmax(axis=1)[:, None],
    "LogSoftmax": lambda logits: np.log(softmax(logits)),
    "Sigmoid": lambda logits: 1 / (1 + np.exp(-logits)),
}


@pytest.fixture
def case(request, tmp_path):
    """A case's file; the cases draw from one generator in turn, which begins anew for each."""
    build.rng = np.random.default_rng(0)
    function, expect, _ = build.CASES[request.param]
    path = tmp_path / f"{request.param}.onnx"
    onnx.save(function(), path)
    return request.param, expect, path


def drawn(path, size, seed):
    """Random inputs for the file, and as images of our network: their channels joined."""
    rng, feeds, images = np.random.default_rng(seed), {}, []
    print("seed", seed)
    for given in onnx.load(path).graph.input:
        dims = [dim.dim_value or 1 for dim in given.type.tensor_type.shape.dim]
        dims = [dims[0], *(size or dims[1:])]
        if given.type.tensor_type.elem_type == onnx.TensorProto.UINT8:
            feeds[given.name] = rng.integers(0, 256, dims).astype(np.uint8)
            images.append(feeds[given.name].astype(np.float32) / 255)
        else:
            feeds[given.name] = rng.standard_normal(dims).astype(np.float32)
            images.append(feeds[given.name])
    return feeds, np.concatenate(images, axis=1)


@pytest.mark.parametrize(
    "case", [n for n in build.CASES if n not in STAY_OUT | BESIDE], indirect=True
)
def test_a_case_imports_and_is_exact(case):
    name, expect, path = case
    assert expect in ("ok", "want")
    size = SIZES.get(name)
    model = load(path, size)
    feeds, images = drawn(path, size, seed=11)
    if name == "nhwc_input":
        images = images.transpose(0, 3, 1, 2)
    if images.ndim == 3:
        images = images[:, :, None]
    (expected,) = evaluator(str(path), onnx.load(path).opset_import[0].version).run(None, feeds)
    expected = expected.reshape(len(images), -1)
    found = model.logits(images)
    last = onnx.load(path).graph.node[-1].op_type
    if last in HEADS:
        assert f"without {last} at the end" in model.config.source
        found = HEADS[last](found)
    assert found.shape == expected.shape
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found / scale, expected / scale, atol=1e-5)


@pytest.mark.parametrize("case", BESIDE, indirect=True)
def test_a_case_that_runs_beside_the_array_is_exact(case):
    *_, path = case
    model = load(path, outside=True)
    assert any(layer.type == "float" for layer in model.config.layers)
    feeds, _ = drawn(path, None, seed=11)
    (expected,) = evaluator(str(path), onnx.load(path).opset_import[0].version).run(None, feeds)
    size = model.config.input
    # rows have their channels last in the file
    x = feeds["x"]
    act = x.reshape(-1, size.channels).T if path.stem != "conv3d" else x
    found = model.logits(act.reshape(1, size.channels, size.height, size.width))
    if "its output in the order of the last layer" in model.config.source:
        found = found.reshape(model.config.shapes()[-1].ofmap.channels, -1).T
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.ravel() / scale, expected.ravel() / scale, atol=1e-5)


@pytest.mark.parametrize("case", STAY_OUT | BESIDE, indirect=True)
def test_a_case_that_stays_out_is_refused_by_name(case):
    *_, path = case
    with pytest.raises(InputError) as caught:
        load(path)
    message = str(caught.value)
    assert (STAY_OUT | BESIDE)[case[0]] in message
    assert len(message) <= 600
    assert "\n" not in message


def test_no_case_that_must_import_stays_out():
    assert not [name for name in STAY_OUT if build.CASES[name][1] != "no"]
    assert not [name for name in BESIDE if build.CASES[name][1] == "ok"]
