"""Torch modules with the names and the arithmetic of torchvision's networks, from their papers."""

from __future__ import annotations

import torch
from torch import Tensor, nn

__all__ = ["alexnet", "mobilenet_v2", "randomized", "resnet", "vgg16"]


def randomized(network: nn.Module, seed: int) -> nn.Module:
    """Give normalizations statistics that matter, and put the network into evaluation mode.

    The last normalization of a residual branch is kept small, as training makes it.
    """
    generator = torch.Generator().manual_seed(seed)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
        elif isinstance(module, nn.BatchNorm2d):
            for values, low, high in (
                (module.weight, 0.5, 1.2), (module.bias, -0.3, 0.5),
                (module.running_mean, -0.5, 0.5), (module.running_var, 0.5, 2.0),
            ):  # fmt: skip
                nn.init.uniform_(values, low, high, generator=generator)
    return network.eval()


class Block(nn.Module):
    """Residual block: two 3x3 convolutions, or 1x1, 3x3 (which strides) and 1x1."""

    def __init__(self, channels: int, width: int, stride: int, bottleneck: bool) -> None:
        super().__init__()
        out = 4 * width if bottleneck else width
        kernels = ((1, 1, width), (3, stride, width), (1, 1, out)) if bottleneck else (
            (3, stride, width), (3, 1, width))  # fmt: skip
        c = channels
        for place, (kernel, step, m) in enumerate(kernels, 1):
            conv = nn.Conv2d(c, m, kernel, step, kernel // 2, bias=False)
            self.add_module(f"conv{place}", conv)
            self.add_module(f"bn{place}", nn.BatchNorm2d(m))
            c = m
        self.depth = len(kernels)
        self.downsample = None
        if stride > 1 or channels != out:
            shortcut = nn.Conv2d(channels, out, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(out))

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to its input."""
        y = x
        for place in range(1, self.depth + 1):
            y = self.get_submodule(f"bn{place}")(self.get_submodule(f"conv{place}")(y))
            y = torch.relu(y) if place < self.depth else y
        return torch.relu(y + (self.downsample(x) if self.downsample else x))


class ResNet(nn.Module):
    """He et al., CVPR 2016, table 1."""

    def __init__(self, depths: tuple[int, ...], bottleneck: bool) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False)
        self.bn1 = nn.BatchNorm2d(64)
        channels = 64
        for stage, depth in enumerate(depths):
            blocks = []
            for block in range(depth):
                width = 64 << stage
                stride = 2 if stage and not block else 1
                blocks.append(Block(channels, width, stride, bottleneck))
                channels = 4 * width if bottleneck else width
            self.add_module(f"layer{stage + 1}", nn.Sequential(*blocks))
        self.fc = nn.Linear(channels, 1000)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        x = torch.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        for stage in range(1, 5):
            x = self.get_submodule(f"layer{stage}")(x)
        return self.fc(x.mean((2, 3)))


def resnet(depth: int) -> nn.Module:
    """ResNet of 18, 34 or 50 layers."""
    depths = (2, 2, 2, 2) if depth == 18 else (3, 4, 6, 3)
    return ResNet(depths, bottleneck=depth == 50)


def normalized(c: int, m: int, kernel: int, stride: int = 1, groups: int = 1) -> nn.Sequential:
    """Convolution, normalization, ReLU6."""
    conv = nn.Conv2d(c, m, kernel, stride, kernel // 2, groups=groups, bias=False)
    return nn.Sequential(conv, nn.BatchNorm2d(m), nn.ReLU6())


class Inverted(nn.Module):
    """Expansion, depthwise convolution, projection."""

    def __init__(self, c: int, m: int, stride: int, expand: int) -> None:
        super().__init__()
        width = c * expand
        self.conv = nn.Sequential(
            *([normalized(c, width, 1)] if expand > 1 else []),
            normalized(width, width, 3, stride, width),
            nn.Conv2d(width, m, 1, bias=False),
            nn.BatchNorm2d(m),
        )
        self.adds = stride == 1 and c == m

    def forward(self, x: Tensor) -> Tensor:
        """Add the branch to its input where their shapes agree."""
        return self.conv(x) + x if self.adds else self.conv(x)


class MobileNetV2(nn.Module):
    """Sandler et al., CVPR 2018, table 2."""

    def __init__(self) -> None:
        super().__init__()
        stages, c = [normalized(3, 32, 3, 2)], 32
        for expand, m, depth, stride in (
            (1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
            (6, 160, 3, 2), (6, 320, 1, 1),
        ):  # fmt: skip
            for block in range(depth):
                stages.append(Inverted(c, m, 1 if block else stride, expand))
                c = m
        self.features = nn.Sequential(*stages, normalized(c, 1280, 1))
        self.classifier = nn.Sequential(nn.Dropout(), nn.Linear(1280, 1000))

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.classifier(self.features(x).mean((2, 3)))


def mobilenet_v2() -> nn.Module:
    """MobileNetV2 of width 1."""
    return MobileNetV2()


class Plain(nn.Module):
    """Features, then fully connected layers."""

    def __init__(self, features: list[nn.Module], classifier: list[nn.Module]) -> None:
        super().__init__()
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(*classifier)

    def forward(self, x: Tensor) -> Tensor:
        """Logits."""
        return self.classifier(self.features(x).flatten(1))


def vgg16(*, batch_norm: bool = False) -> nn.Module:
    """VGG-16; Simonyan and Zisserman, ICLR 2015, column D."""
    features: list[nn.Module] = []
    c = 3
    for m, depth in ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3)):
        for _ in range(depth):
            norm = [nn.BatchNorm2d(m)] if batch_norm else []
            features += [nn.Conv2d(c, m, 3, padding=1), *norm, nn.ReLU()]
            c = m
        features.append(nn.MaxPool2d(2))
    classifier = [
        nn.Linear(25088, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096), nn.ReLU(),
        nn.Dropout(), nn.Linear(4096, 1000),
    ]  # fmt: skip
    return Plain(features, classifier)


def alexnet() -> nn.Module:
    """AlexNet in one tower; Krizhevsky, 2014."""
    features = [
        nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2),
        nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(),
        nn.Conv2d(384, 256, 3, padding=1), nn.ReLU(),
        nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2),
    ]  # fmt: skip
    classifier = [
        nn.Dropout(), nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(), nn.Linear(4096, 4096),
        nn.ReLU(), nn.Linear(4096, 1000),
    ]  # fmt: skip
    return Plain(features, classifier)
