"""Random layers of the pattern family, and the geometry that GEMMs carry."""

import numpy as np
import pytest

from hwsim.arrays.pattern import array as pattern
from hwsim.arrays.pattern.tiles import tiles
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.verification.cases import random_cases
from hwsim.workload import lowering
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer, conv_of


@pytest.mark.parametrize("name", ["pattern_4x4", "pattern_4x4_levels4"])
def test_random_layers_cover_the_corners(name):
    arch = ArchConfig.read(name)
    gemms = [case.gemm for case in random_cases(arch, 120, seed=1)]
    convs = [gemm for gemm in gemms if gemm.channels]
    assert 0.5 < len(convs) / len(gemms) < 0.8
    kinds = {(gemm.conv.stride, gemm.conv.padding) for gemm in convs}
    assert kinds == {(1, 0), (1, 1), (2, 0), (2, 1)}
    assert any(gemm.conv.images > 1 for gemm in convs)
    assert any(arch.array.line_depth < gemm.conv.W for gemm in convs)
    assert any(len(tiles(arch.array, gemm)) > 1 for gemm in convs)
    assert any(3 * arch.array.cols < gemm.M for gemm in convs)
    assert any(gemm.channels > 3 * arch.array.rows for gemm in convs)
    kept = [gemm.weight.reshape(gemm.M, 9, -1).any(axis=1).mean() for gemm in convs]
    assert min(kept) < 0.35
    assert max(kept) == 1
    for gemm in gemms:
        pattern.compile(arch, gemm)


def test_same_seed_gives_the_same_layers():
    arch = ArchConfig.read("pattern_4x4")
    for one, two in zip(random_cases(arch, 12, 3), random_cases(arch, 15, 3), strict=False):
        assert one.name == two.name
        assert (one.gemm.weight == two.gemm.weight).all()
        assert (one.gemm.act == two.gemm.act).all()


def test_geometry_of_a_network():
    shapes = {shape.layer.name: shape for shape in NetworkConfig.read("vgg16").shapes()}
    gemm = Layer.of_shape(shapes["conv2_1"], 2).gemms()[0]
    assert gemm.conv == Conv(2, 64, 112, 112, 3, 3, 1, 1)
    assert gemm.conv.images * gemm.conv.P * gemm.conv.Q == gemm.N
    assert gemm.channels == 64
    assert Layer.of_shape(shapes["fc6"], 1).gemms()[0].conv is None


@pytest.mark.parametrize(("network", "side"), [("lenet5", 5), ("resnet50", 1)])
def test_other_convolutions_are_matrix_products(network, side):
    shapes = NetworkConfig.read(network).shapes()
    shape = next(s for s in shapes if s.layer.type == "conv" and side == s.R)
    gemm = Layer.of_shape(shape, 1).gemms()[0]
    assert (side, side) == (gemm.conv.R, gemm.conv.S)
    assert gemm.channels == 0


def test_ifmap_is_read_back_from_its_im2col():
    """Of stride 2, each pixel that a window takes comes back to its place."""
    arch = ArchConfig.read("pattern_4x4")
    shapes = NetworkConfig.read("mobilenetv2").shapes()
    shape = next(s for s in shapes if s.layer.type == "conv" and s.layer.stride == 2)
    rng = np.random.default_rng(2)
    ifmap = rng.integers(-9, 9, (1, shape.C, shape.ifmap.height, shape.ifmap.width))
    (act,) = lowering.lower_act(shape, ifmap)
    weight = np.zeros((1, 9, shape.C), dtype=np.int64)
    weight[0, [1, 3, 4, 5], 0] = 1
    gemm = GEMM.of(weight.reshape(1, -1), act, "conv", conv_of(shape, 1))
    tile = tiles(arch.array, gemm)[0]
    patch = ifmap[0, 0, tile.y : tile.y + tile.patch_height, tile.x : tile.x + tile.patch_width]
    beats = pattern.compile(arch, gemm).inputs["act"]["act"]
    assert (beats[: tile.reads, 0, 0] == patch.ravel()).all()


def test_an_ifmap_gives_the_streams_of_its_matrix():
    arch = ArchConfig.read("pattern_4x4")
    for case in random_cases(arch, 30, seed=4):
        gemm = case.gemm
        if gemm.ifmap is None:
            continue
        job = pattern.compile(arch, gemm)
        same = pattern.compile(arch, GEMM.of(gemm.weight, gemm.act, gemm.name, gemm.conv))
        for stream, words in job.inputs.items():
            for name, values in words.items():
                assert (values == same.inputs[stream][name]).all(), (case.name, stream, name)
