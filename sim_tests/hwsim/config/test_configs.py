"""Every file in configs/ loads, and the networks have their published sizes."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from hwsim.config import NetworkConfig
from hwsim.config.base import Config, load
from hwsim.config.catalog import CONFIGS
from hwsim.config.jobs.synthetic import read_recipe

FILES = sorted(path.relative_to(CONFIGS) for path in CONFIGS.rglob("*.yaml"))


def config_class(kind: str) -> type[Config]:
    """Class that reads ``configs/<kind>``: ``<Kind>Config`` of the module of that name."""
    kind = "arch" if kind == "machine" else kind
    hardware = ("arch", "cells", "memory", "network", "parts", "tech")
    room = "hwsim.config" if kind in hardware else "hwsim.config.jobs"
    config: type[Config] = getattr(import_module(f"{room}.{kind}"), f"{kind.capitalize()}Config")
    return config


def read(path: Path) -> Config:
    """Read a file of ``configs/``; a recipe with a ``synthetic`` section is another class's."""
    if path.parts[0] == "compress":
        return read_recipe(CONFIGS / path)
    return load(config_class(path.parts[0]), CONFIGS / path)


@pytest.mark.parametrize("path", FILES, ids=str)
def test_every_file_loads_and_is_named_after_itself(path: Path) -> None:
    config = read(path)
    assert getattr(config, "name", path.stem) == path.stem


def test_there_is_nothing_but_yaml_in_configs() -> None:
    assert FILES
    assert all(len(path.parts) == 2 for path in FILES)
    assert {p.suffix for p in CONFIGS.rglob("*") if p.is_file()} == {".yaml"}


# Weights without biases and batch normalization, MACs of one image without them.
#
# AlexNet: the sum over the prototxt; 60,965,224 parameters less 10,568 biases. In one tower
# 61,100,840 (torchvision) less 10,344; 0.71 GMACs.
# VGG-16: 138,357,544 parameters less 13,416 biases.
# ResNet-18: 11,689,512 less 9,600 of batch normalization and 1,000 biases.
# ResNet-50: 25,557,032 less 53,120 and 1,000; 4.09 GMACs.
# MobileNetV2: 3,504,872 less 34,112 and 1,000; 300 MMACs.
PUBLISHED = {
    "lenet5": (430_500, 2_293_000),
    "alexnet": (60_965_224 - 10_568, 724_406_816),
    "alexnet_owt": (61_100_840 - 10_344, 714_188_480),
    "vgg16": (138_357_544 - 13_416, 15_470_264_320),
    "resnet18": (11_689_512 - 9_600 - 1_000, 1_814_073_344),
    "resnet50": (25_557_032 - 53_120 - 1_000, 4_089_184_256),
    "mobilenetv2": (3_504_872 - 34_112 - 1_000, 300_774_272),
}


@pytest.mark.parametrize(("name", "weights", "macs"), [(n, *v) for n, v in PUBLISHED.items()])
def test_network_has_its_published_size(name: str, weights: int, macs: int) -> None:
    shapes = NetworkConfig.read(name).shapes()
    assert sum(shape.weights for shape in shapes) == weights
    assert sum(shape.macs for shape in shapes) == macs
    assert shapes[-1].ofmap.size == (10 if name == "lenet5" else 1000)


def test_eie_layer_shape() -> None:
    shapes = {s.layer.name: s for s in NetworkConfig.read("alexnet").shapes()}
    assert (shapes["fc6"].M, shapes["fc6"].K, shapes["fc6"].pixels) == (4096, 9216, 1)
    assert [n for n, s in shapes.items() if s.layer.G == 2] == ["conv2", "conv4", "conv5"]


def test_residual_additions_join_what_the_papers_join() -> None:
    layers = {layer.name: layer for layer in NetworkConfig.read("resnet50").layers}
    assert layers["conv2_1_add"].inputs == ("conv2_1c", "conv2_1_proj")
    assert layers["conv2_2_add"].inputs == ("conv2_2c", "conv2_1_add")
    assert sum(layer.type == "add" for layer in layers.values()) == 16
    mobile = [layer for layer in NetworkConfig.read("mobilenetv2").layers if layer.type == "add"]
    assert [layer.name for layer in mobile] == [
        f"block{n}_add" for n in (3, 5, 6, 8, 9, 10, 12, 13, 15, 16)
    ]


@pytest.mark.parametrize("name", ["resnet18", "resnet50", "mobilenetv2"])
def test_final_stage_is_seven_by_seven(name: str) -> None:
    shapes = NetworkConfig.read(name).shapes()
    pooled = next(shape for shape in shapes if shape.layer.type == "globalavgpool")
    assert (pooled.ifmap.height, pooled.ifmap.width) == (7, 7)
