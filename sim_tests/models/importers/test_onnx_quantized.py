"""Files with QuantizeLinear and DequantizeLinear keep their own integers and scales."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

import onnx
from harness.onnx_cases import Model, images

from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.models.importers.calibrate import quantize
from hwsim.models.importers.onnx_layers import load
from hwsim.workload.onnx_reference import evaluator


class Quantized(Model):
    """A model with integer weights and scales."""

    def integers(self, *shape, axis=None, low=-127, high=128, dtype=np.int8):
        """Integer weights and their DequantizeLinear, with a scale per index of ``axis``."""
        stored = self.store(self.rng.integers(low, high, shape), dtype=dtype)
        each = () if axis is None else shape[axis]
        scale = self.store(self.rng.uniform(0.5, 1.5, each) / np.prod(shape[1:]) ** 0.5 / 64)
        attributes = {} if axis is None else {"axis": axis}
        return self.node("DequantizeLinear", stored, scale, **attributes)

    def q(self, x, scale, zero=0, dtype=np.int8):
        """Round a tensor to integers."""
        return self.node("QuantizeLinear", x, self.store(scale), self.store(zero, dtype=dtype))

    def dq(self, x, scale, zero=0, dtype=np.int8):
        """Scale the integers."""
        return self.node("DequantizeLinear", x, self.store(scale), self.store(zero, dtype=dtype))

    def qdq(self, x, scale, zero=0, dtype=np.int8):
        """Both."""
        return self.dq(self.q(x, scale, zero, dtype), scale, zero, dtype)


def integers_of(net, path, given):
    """Integers of every QuantizeLinear by ONNX's evaluator, by name, and those of the weights."""
    model = onnx.load(path)
    names = [node.output[0] for node in model.graph.node if node.op_type == "QuantizeLinear"]
    for name in names:
        model.graph.output.append(onnx.helper.make_tensor_value_info(name, 3, None))
    found = evaluator(model, net.opset).run(names, {"x": given})
    stored = {each.name: onnx.numpy_helper.to_array(each) for each in model.graph.initializer}
    return dict(zip(names, found, strict=True)), stored


def inferred(path, given):
    """Network, checkpoint, and what its layers read, of the given images."""
    model = load(path)
    checkpoint = quantize(model, given[:1] * 0.1, {})
    act = golden.input_act(given, checkpoint.input_scale)
    return model, checkpoint, golden.run(model.config, checkpoint, act)


@pytest.mark.parametrize("opset", [13, 17, 21])
@pytest.mark.parametrize("per_channel", [False, True])
def test_integers_and_scales_are_those_of_the_file(tmp_path, per_channel, opset):
    """Whatever images calibrate; activations and the output follow."""
    net = Quantized((3, 9, 8), opset=opset)
    x = net.qdq("x", 0.03)
    w = net.integers(8, 3, 3, 3, axis=0 if per_channel else None)
    x = net.qdq(net.node("Relu", net.node("Conv", x, w, net.random(8), pads=[1] * 4)), 0.025)
    w = net.integers(16, 8, 3, 3, axis=0 if per_channel else None)
    x = net.qdq(net.node("Conv", x, w), 0.04)
    x = net.qdq(net.node("GlobalAveragePool", x), 0.01)
    w = net.integers(5, 16, axis=0 if per_channel else None)
    x = net.node("Gemm", net.node("Flatten", x), w, net.random(5), transB=1)
    last = net.qdq(x, 0.02)
    path, given = net.save(tmp_path, last), images(net, 4)
    expected, stored = integers_of(net, path, given)
    model, checkpoint, trace = inferred(path, given)
    assert "quantized: scales of 5 tensors kept" in model.config.source
    weights = [array for array in stored.values() if array.dtype == np.int8 and array.ndim > 1]
    for own, integers in zip(checkpoint.layers.values(), weights, strict=True):
        np.testing.assert_array_equal(own.weight, integers)
        assert isinstance(own.weight_scale, float) != per_channel
    tensors = list(expected.values())
    read = list(trace.ifmap.values())
    np.testing.assert_array_equal(tensors[0], read[0])
    # a factor of 15 bits may round a sum near the middle the other way
    for integers, act in zip([tensors[1], *tensors[3:]], [*read[1:], trace.logits], strict=True):
        error = integers.reshape(act.shape).astype(int) - act
        assert np.abs(error).max() <= 1
        assert np.count_nonzero(error) <= 2 + error.size // 100


def test_a_stored_bias_is_that_of_the_file(tmp_path):
    net = Quantized((3, 6, 6))
    scale = np.float32(0.02)
    w = net.store(net.rng.integers(-127, 128, (4, 3, 3, 3)), dtype=np.int8)
    steps = net.rng.uniform(0.001, 0.01, 4).astype(np.float32)
    weight = net.node("DequantizeLinear", w, net.store(steps), axis=0)
    integers = net.rng.integers(-5000, 5000, 4)
    bias = net.node(
        "DequantizeLinear", net.store(integers, dtype=np.int32), net.store(steps * scale), axis=0
    )
    x = net.node("Relu", net.node("Conv", net.qdq("x", scale), weight, bias))
    path = net.save(tmp_path, net.node("GlobalAveragePool", net.qdq(x, 0.05)))
    _, checkpoint, _ = inferred(path, images(net, 2))
    (own,) = checkpoint.layers.values()
    np.testing.assert_array_equal(own.bias, integers)
    np.testing.assert_array_equal(own.weight_scale, steps.astype(np.float64))


@pytest.mark.parametrize("zero", [128, 0, 100])
def test_bytes_keep_their_integers_or_their_range(tmp_path, zero):
    """uint8 about 128 is int8; with another zero point the largest magnitude stays in range."""
    net = Quantized((3, 6, 6))
    x = net.qdq("x", 0.03, zero, np.uint8)
    x = net.node("Conv", x, net.integers(4, 3, 3, 3))
    path = net.save(tmp_path, net.node("GlobalAveragePool", x))
    given = images(net, 2)
    expected, _ = integers_of(net, path, given)
    model, checkpoint, trace = inferred(path, given)
    (act,) = trace.ifmap.values()
    (integers,) = (each.astype(int) - zero for each in expected.values())
    if zero == 128:
        np.testing.assert_array_equal(act, integers)
    else:
        assert model.config.source.endswith("scales of 0 tensors kept, ranges of 1")
        step = np.float64(np.float32(0.03))
        reach = max(zero / 128, (255 - zero) / 127)
        assert checkpoint.input_scale == pytest.approx(step * reach)
        # within half a step of either where the file's range is not exceeded
        seen = (integers > -zero) & (integers < 255 - zero) & (given > -127 * step * reach)
        error = np.abs(act * checkpoint.input_scale - integers * step)[seen]
        assert error.max() <= (0.5 + 0.5 * reach) * step * (1 + 1e-6)


@pytest.mark.parametrize("transposed", [False, True])
def test_weights_alone_keep_their_integers(tmp_path, transposed):
    """Weight-only files: activations are calibrated, weights are those of the file."""
    net = Quantized((4, 6, 6))
    w = net.integers(8, 4, 3, 3, axis=0, low=-128)
    x = net.node("GlobalAveragePool", net.node("Relu", net.node("Conv", "x", w, net.random(8))))
    x, w = net.node("Flatten", x), net.integers(*((8, 6) if transposed else (6, 8)))
    x = net.node("Gemm", x, w, transB=0 if transposed else 1)
    path = net.save(tmp_path, x)
    _, stored = integers_of(net, path, images(net))
    _, checkpoint, _ = inferred(path, images(net))
    conv, fc = (array for array in stored.values() if array.dtype == np.int8 and array.ndim > 1)
    first, last = checkpoint.layers.values()
    np.testing.assert_array_equal(first.weight, conv)
    np.testing.assert_array_equal(last.weight, fc.T if transposed else fc)


def test_scales_of_the_other_axis_are_not_taken(tmp_path):
    """A scale per input channel is none per output channel: the weights are quantized anew."""
    net = Quantized((4, 6, 6))
    w = net.integers(8, 4, 3, 3, axis=1)
    path = net.save(tmp_path, net.node("GlobalAveragePool", net.node("Conv", "x", w)))
    model, checkpoint, _ = inferred(path, images(net))
    (own,), (floats,) = checkpoint.layers.values(), model.layers.values()
    restored = own.weight * own.weight_scales[:, None, None, None]
    np.testing.assert_allclose(restored, floats.weight, atol=own.weight_scales.max())


def test_a_normalization_behind_leaves_the_integers(tmp_path):
    net = Quantized((4, 6, 6))
    x = net.batch_norm(net.node("Conv", "x", net.integers(8, 4, 3, 3, axis=0)), 8)
    path = net.save(tmp_path, net.node("GlobalAveragePool", x))
    _, stored = integers_of(net, path, images(net))
    _, checkpoint, _ = inferred(path, images(net))
    (integers,) = (array for array in stored.values() if array.dtype == np.int8)
    (own,) = checkpoint.layers.values()
    np.testing.assert_array_equal(own.weight, integers)


def test_sums_pools_and_unfused_rectifiers(tmp_path):
    """A residual sum of two scales, a ReLU and a max-pool behind a rounded tensor."""
    net = Quantized((3, 8, 8))
    x = net.qdq("x", 0.031)
    a = net.qdq(net.node("Conv", x, net.integers(4, 3, 3, 3, axis=0), pads=[1] * 4), 0.029)
    a = net.qdq(net.node("Relu", a), 0.0237)
    b = net.qdq(net.node("Conv", a, net.integers(4, 4, 3, 3, axis=0), pads=[1] * 4), 0.0413)
    x = net.qdq(net.node("Add", a, b), 0.0519)
    x = net.qdq(net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2]), 0.0519)
    x = net.node("MaxPool", net.node("Conv", x, net.integers(6, 4, 3, 3)), kernel_shape=[2, 2])
    x = net.qdq(x, 0.06)
    path, given = net.save(tmp_path, net.node("Flatten", x)), images(net, 3)
    expected, _ = integers_of(net, path, given)
    model, _, trace = inferred(path, given)
    kinds = [layer.type for layer in model.config.layers]
    # the ReLU's scale differs from that of what it reads: a pool of one pixel rounds again
    assert kinds == ["conv", "avgpool", "conv", "add", "maxpool", "conv", "maxpool"]
    tensors = list(expected.values())
    read = [tensors[0], tensors[2], tensors[5]]
    for integers, act in zip(read, trace.ifmap.values(), strict=True):
        # a sum of two fixed-point factors may round the other way
        assert np.abs(integers.reshape(act.shape).astype(int) - act).max() <= 1
    np.testing.assert_array_equal(tensors[0], trace.ifmap[model.config.layers[0].name])
    assert (tensors[-1].reshape(3, -1) == trace.logits).mean() > 0.9


def test_a_tensor_that_is_also_read_unrounded_stays(tmp_path):
    net = Quantized((3, 8, 8))
    x = net.node("Relu", net.conv("x", 4, 3, pads=[1] * 4))
    rounded = net.node("Conv", net.qdq(x, 0.02), net.integers(4, 4, 3, 3), pads=[1] * 4)
    path = net.save(tmp_path, net.node("GlobalAveragePool", net.node("Add", rounded, x)))
    model = load(path)
    assert list(model.grids) == [f"{model.config.layers[0].name}_quantized"]


def test_integers_may_be_moved_before_they_are_scaled(tmp_path):
    net = Quantized((3, 8, 8))
    x = net.q(net.node("Conv", net.qdq("x", 0.03), net.integers(4, 3, 3, 3)), 0.05)
    x = net.node("MaxPool", x, kernel_shape=[2, 2], strides=[2, 2])
    x = net.dq(net.node("Flatten", x), 0.05)
    path = net.save(tmp_path, net.node("Gemm", x, net.integers(2, 36), transB=1))
    model = load(path)
    assert [layer.type for layer in model.config.layers] == ["conv", "maxpool", "fc"]
    given = images(net, 2)
    _, integers = integers_of(net, path, given)[0].values()
    *_, read = inferred(path, given)[2].ifmap.values()
    pooled = integers.reshape(2, 4, 3, 2, 3, 2).max(axis=(3, 5))
    np.testing.assert_array_equal(read, pooled)


def refused(net, output, tmp_path):
    with pytest.raises(InputError) as caught:
        load(net.save(tmp_path, output))
    return str(caught.value)


def test_what_is_no_rounding_of_ours_is_refused(tmp_path):
    net = Quantized((3, 6, 6))
    x = net.dq(net.q("x", 0.03), 0.02)
    message = refused(net, net.node("Conv", x, net.integers(4, 3, 3, 3)), tmp_path)
    assert "(DequantizeLinear): scale and zero point: must be those of the Quant" in message
    net = Quantized((3, 6, 6))
    x = net.node("QuantizeLinear", "x", net.store([0.1, 0.2, 0.3]), axis=1)
    x = net.node("DequantizeLinear", x, net.store([0.1, 0.2, 0.3]), axis=1)
    message = refused(net, net.node("Conv", x, net.integers(4, 3, 3, 3)), tmp_path)
    assert "(QuantizeLinear): scale: must be one number for all activations" in message
