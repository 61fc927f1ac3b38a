"""Modules that PyTorch itself exports: the import computes what the module computes."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("onnx", reason="models need onnx: pip install 'hwsim[onnx]'")

from hwsim.models.importers.onnx_layers import load

torch = pytest.importorskip("torch")
nn, functional = torch.nn, torch.nn.functional


class SqueezeExcitation(nn.Module):
    """MobileNetV3's."""

    def __init__(self, channels):
        super().__init__()
        self.squeeze, self.excite = nn.Conv2d(channels, 4, 1), nn.Conv2d(4, channels, 1)

    def forward(self, x):
        y = functional.relu(self.squeeze(functional.adaptive_avg_pool2d(x, 1)))
        return x * functional.hardsigmoid(self.excite(y))


class CrossStage(nn.Module):
    """YOLO's: half of the channels go through a block."""

    def __init__(self, channels):
        super().__init__()
        half = channels // 2
        self.first, self.norm = nn.Conv2d(channels, channels, 1), nn.BatchNorm2d(half)
        self.block = nn.Conv2d(half, half, 3, padding=1)

    def forward(self, x):
        a, b = self.first(x).chunk(2, 1)
        return torch.cat([a, functional.silu(self.norm(self.block(b)))], 1)


class Pyramid(nn.Module):
    """YOLO's fast spatial pyramid."""

    def forward(self, x):
        a = functional.max_pool2d(x, 5, 1, 2)
        return torch.cat([x, a, functional.max_pool2d(a, 5, 1, 2)], 1)


class Shuffle(nn.Module):
    """ShuffleNet's."""

    def forward(self, x):
        n, c, h, w = x.shape
        return x.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)


class Mixer(nn.Module):
    """ConvNeXt's block without its normalization: linear layers of channels that are last."""

    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 7, padding=3, groups=channels)
        self.wide, self.narrow = nn.Linear(channels, 12), nn.Linear(12, channels)

    def forward(self, x):
        y = self.depthwise(x).permute(0, 2, 3, 1)
        y = self.narrow(functional.gelu(self.wide(y)))
        return x + y.permute(0, 3, 1, 2)


def nets():
    """Shape of the input and the layers, by name."""
    return {
        "mobile": (
            (3, 16, 16),
            [
                nn.Conv2d(3, 8, 3, 2, 1, bias=False), nn.BatchNorm2d(8), nn.Hardswish(),
                SqueezeExcitation(8), CrossStage(8), nn.AdaptiveAvgPool2d(1), nn.Flatten(),
                nn.Linear(8, 5),
            ],
        ),
        "up": (
            (3, 8, 8),
            [
                nn.Conv2d(3, 8, 3, padding=1), nn.LeakyReLU(0.1), Shuffle(),
                nn.Conv2d(8, 8, 3, groups=2), nn.Upsample(scale_factor=2), nn.Conv2d(8, 4, 1),
                nn.PixelShuffle(2), nn.ConvTranspose2d(1, 2, 4, 2, 1), nn.BatchNorm2d(2), nn.Tanh(),
            ],
        ),
        "mixer": (
            (3, 32, 32),
            [
                nn.Conv2d(3, 8, 4, 4), Mixer(8), nn.MaxPool2d(3, 2, 1, ceil_mode=True),
                nn.AvgPool2d(2, padding=1, count_include_pad=False), nn.Flatten(), nn.Dropout(),
                nn.Linear(72, 3),
            ],
        ),
        "line": (
            (4, 32),
            [
                nn.Conv1d(4, 8, 5, padding=2), nn.BatchNorm1d(8), nn.GELU(), nn.MaxPool1d(2),
                nn.Conv1d(8, 8, 3, padding=2, dilation=2), nn.ELU(), nn.AdaptiveAvgPool1d(1),
                nn.Flatten(), nn.Linear(8, 2),
            ],
        ),
        "odd": (
            (3, 16, 16),
            [
                nn.Conv2d(3, 8, 3, padding="same"), nn.Mish(), Pyramid(), nn.PReLU(),
                nn.Conv2d(24, 4, 3, (2, 1), (1, 0)), nn.Softplus(), nn.ZeroPad2d((1, 2, 0, 1)),
                nn.Conv2d(4, 4, 3), nn.Tanh(), nn.Hardtanh(-0.5, 0.5), nn.GELU("tanh"),
            ],
        ),
    }  # fmt: skip


@pytest.mark.parametrize("opset", [11, 17])
@pytest.mark.parametrize("name", nets())
def test_a_module_that_pytorch_exports(tmp_path, name, opset):
    torch.manual_seed(0)
    shape, layers = nets()[name]
    module, x = nn.Sequential(*layers).eval(), torch.randn(1, *shape)
    for layer in module.modules():
        if isinstance(layer, nn.BatchNorm1d | nn.BatchNorm2d):
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    path = tmp_path / f"{name}.onnx"
    with warnings.catch_warnings():
        # the exporter is an older one, which needs no other package
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), str(path), dynamo=False, opset_version=opset)
    with torch.no_grad():
        expected = module(x).numpy().reshape(1, -1)
    images = x.numpy() if len(shape) == 3 else x.numpy()[:, :, None]
    scale = np.abs(expected).max()
    np.testing.assert_allclose(load(path).logits(images) / scale, expected / scale, atol=1e-5)


def test_a_network_that_recipes_train_comes_back(tmp_path):
    """As it is trained, with batch normalization, and as its checkpoints have it, folded."""
    from hwsim.config import NetworkConfig
    from hwsim.models.networks.network import Network

    torch.manual_seed(0)
    network, x = Network(NetworkConfig.read("resnet12")), torch.rand(1, 1, 28, 28)
    network.normalize()
    network.train()
    with torch.no_grad():
        network(torch.rand(16, 1, 28, 28))
    network.eval()
    for fold in (lambda: None, network.fold):
        fold()
        path = tmp_path / "net.onnx"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            torch.onnx.export(network, (x,), str(path), dynamo=False)
        model = load(path)
        with torch.no_grad():
            expected = network(x).numpy()
        scale = np.abs(expected).max()
        np.testing.assert_allclose(model.logits(x.numpy()) / scale, expected / scale, atol=1e-5)
        found, own = model.config.shapes(), network.shapes
        assert [s.layer.type for s in found] == [s.layer.type for s in own]
        assert [s.weights for s in found] == [s.weights for s in own]


def test_a_trained_residual_network_comes_back_as_accurate(tmp_path):
    """Through ONNX and calibrated anew, its integers classify as those of the recipe do."""
    from hwsim import datasets
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.checkpoints.find import find_checkpoint
    from hwsim.config import NetworkConfig
    from hwsim.inference import golden
    from hwsim.models.importers.calibrate import quantize
    from hwsim.models.networks.network import Network
    from hwsim.models.quantization.quantize import dequantize

    network = Network(NetworkConfig.read("resnet12"))
    own = Checkpoint.read(find_checkpoint("resnet12_fashion_dense"))
    dequantize(network, own)
    path = tmp_path / "net.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(network.eval(), (torch.rand(1, 1, 28, 28),), str(path), dynamo=False)
    images, labels = (each[:250] for each in datasets.load.shipped("fashion"))
    model = load(path)
    checkpoint = quantize(model, images[:16, None], {})
    before = golden.accuracy(network.config, own, images, labels)
    after = golden.accuracy(model.config, checkpoint, images, labels)
    assert before > 0.92
    assert abs(after - before) <= 3 / 250, (before, after)


class Of(nn.Module):
    """A function of some modules and the input."""

    def __init__(self, function, *modules):
        super().__init__()
        self.function, self.modules_ = function, nn.ModuleList(modules)

    def forward(self, x):
        return self.function(self.modules_, x)


def attend(m, x):
    """Attention with two heads, by PyTorch's own function."""
    parts = [each.unflatten(-1, (2, 4)).transpose(1, 2) for each in m[0](x).chunk(3, -1)]
    mixed = functional.scaled_dot_product_attention(*parts)
    return m[1](mixed.transpose(1, 2).flatten(2)).mean(1)


def attend_linearly(m, x):
    """Linear attention: products by Einsum."""
    q, k, v = m[0](x).chunk(3, -1)
    kept = torch.einsum("nld,nlm->ndm", functional.elu(k) + 1, v)
    return m[1](torch.einsum("nld,ndm->nlm", functional.elu(q) + 1, kept)).mean(1)


def beside():
    """Shape of the input, a module, and the layers with weights that the import must have."""
    block = nn.TransformerEncoderLayer(16, 2, 32, batch_first=True, activation="gelu")
    stack = nn.TransformerEncoder(block, 2, enable_nested_tensor=False)
    return {
        "encoder": ((5, 16), Of(lambda m, x: m[0](x).mean(1), stack), 2 * 4),
        "attention": ((6, 8), Of(attend, nn.Linear(8, 24), nn.Linear(8, 8)), 2),
        "einsum": ((6, 8), Of(attend_linearly, nn.Linear(8, 24), nn.Linear(8, 8)), 2),
        "lstm": (
            (7, 8),
            Of(
                lambda m, x: m[1](m[0](x)[0][:, -1]),
                nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True), nn.Linear(12, 4),
            ),
            3,
        ),
        "recognizer": (
            (1, 8, 12),
            Of(
                lambda m, x: m[2](m[1](m[0](x).flatten(1, 2).transpose(1, 2))[0][:, 0]),
                nn.Conv2d(1, 4, 3, (2, 1), 1), nn.GRU(16, 6, batch_first=True), nn.Linear(6, 9),
            ),
            3,
        ),
        "norms": (
            (3, 10, 10),
            nn.Sequential(
                nn.Conv2d(3, 8, 3), nn.GroupNorm(2, 8), nn.MaxPool2d(2), nn.Conv2d(8, 8, 3),
                nn.InstanceNorm2d(8), nn.SiLU(), nn.Upsample(scale_factor=2, mode="bilinear"),
                nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(8, 5),
            ),
            3,
        ),
        "normalized": (
            (8,),
            Of(
                lambda m, x: functional.linear(
                    functional.normalize(m[0](x)), functional.normalize(m[1].weight)
                ),
                nn.Linear(8, 6), nn.Linear(6, 5),
            ),
            2,
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", beside())
def test_a_module_with_operations_beside_the_array(tmp_path, name):
    torch.manual_seed(0)
    shape, module, weights = beside()[name]
    module, x = module.eval(), torch.randn(1, *shape)
    path = tmp_path / f"{name}.onnx"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(module, (x,), str(path), dynamo=False)
    with torch.no_grad():
        expected = module(x).numpy().reshape(1, -1)
    found = load(path, outside=True)
    images = x.numpy()
    if len(shape) == 2:
        # rows have their channels last
        images = images.transpose(0, 2, 1)[:, :, None]
    images = images.reshape(1, *(getattr(found.config.input, axis) for axis in AXES))
    scale = np.abs(expected).max()
    np.testing.assert_allclose(found.logits(images) / scale, expected / scale, atol=1e-5)
    assert sum(shape.has_weights for shape in found.config.shapes()) == weights


AXES = ("channels", "height", "width")
