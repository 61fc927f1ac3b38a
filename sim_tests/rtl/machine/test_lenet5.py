"""LeNet-5 on the machines that ship, in Verilator: real images, values and every counter.

A machine for kernel patterns also runs a network of 3x3 kernels.
"""

from dataclasses import replace

import numpy as np
import pytest

from hwsim.accelerator.simulate import simulate
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import find_checkpoint
from hwsim.compiler.compile import compile_network
from hwsim.compiler.prepare import on_images
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig
from hwsim.datasets.load import shipped
from hwsim.formats.nm import project
from hwsim.inference import golden
from hwsim.rtl.cosim import machine_bench
from hwsim.verification.machine import job_of
from hwsim.workload.lowering import lower_weight, raise_weight

NET = NetworkConfig.read("lenet5")
MEMORIES = [
    MemoryConfig(name="test", source="test", latency=latency, bytes_per_cycle=width)
    for width, latency in ((2, 1), (4, 50), (16, 200))
]


def network_of(name):
    return NetworkConfig.read(name.split("_")[0])


def checkpoint_of(name):
    return Checkpoint.read(find_checkpoint(name), network_of(name))


def by_taps(checkpoint, array):
    """A checkpoint whose blocks begin with each tap; a first layer's lie in the order of K."""
    layers = dict(checkpoint.layers)
    for shape in NET.shapes()[1:]:
        if shape.has_weights:
            weights = layers[shape.layer.name]
            (matrix,) = lower_weight(shape, weights.weight)
            taps = project(matrix.reshape(-1, shape.C), array).reshape(matrix.shape)
            weight = raise_weight(shape, [taps]).astype(np.int8)
            layers[shape.layer.name] = replace(weights, weight=weight)
    return replace(checkpoint, layers=layers)


CASES = {
    "machine_dense_8x8_ws_bitmask": ["lenet5_nonstructured_12x", "lenet5_dense"],
    "machine_dense_8x8_ws_gather": ["lenet5_structured_10x", "lenet5_dense"],
    "machine_nm_2x4_4x8_ws": ["lenet5_nm_2x4", "by taps"],
    "machine_pattern_4x4": ["digits3x3_pattern", "lenet5_dense"],
    "machine_bitmask_64": ["lenet5_nonstructured_12x", "lenet5_dense"],
    "machine_bitmask_64_double": ["lenet5_nonstructured_12x"],
    "machine_csc_8x8": ["lenet5_nonstructured_12x"],
    "machine_csc_8x8_double": ["lenet5_nonstructured_12x"],
}


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize("design", CASES)
def test_values_and_counters(design, tmp_path):
    arch = ArchConfig.read(design)
    bench = machine_bench.build(arch, tmp_path, 1 << 20)
    for name in CASES[design]:
        network = NET if name == "by taps" else network_of(name)
        if name == "by taps":
            checkpoint = by_taps(checkpoint_of("lenet5_nm_2x4"), arch.array)
        else:
            checkpoint = checkpoint_of(name)
        work = on_images(arch, network, checkpoint, 2)
        compiled, program = work.compiled, work.compiled.program
        jobs = [job_of(program, each, 3_000_000) for each in MEMORIES]
        outcomes = machine_bench.run(bench, compiled.image(work.act), jobs)
        for memory, outcome in zip(MEMORIES, outcomes, strict=True):
            assert outcome.error == "none"
            assert (compiled.outputs(outcome.output) == work.results).all()
            assert simulate(program, memory).counters() == outcome.counters


def test_blocks_that_begin_with_taps_cost_little_accuracy():
    """Without retraining, on the 1,000 images that ship: 99.0 % before and after."""
    before = checkpoint_of("lenet5_nm_2x4")
    after = by_taps(before, ArchConfig.read("machine_nm_2x4_4x8_ws").array)
    images, labels = shipped("mnist")
    right = []
    for checkpoint in (before, after):
        logits = golden.logits(NET, checkpoint, golden.input_act(images, checkpoint.input_scale))
        right.append(int((logits.argmax(axis=1) == labels).sum()))
    assert right == [990, 990]


def test_blocks_that_begin_with_taps_are_sent_once():
    arch = ArchConfig.read("machine_nm_2x4_4x8_ws")
    shipped_one = checkpoint_of("lenet5_nm_2x4")
    for checkpoint, copies in ((shipped_one, 2), (by_taps(shipped_one, arch.array), 1)):
        tiles = compile_network(arch, NET, checkpoint).program.tiles
        folds = {tile.layer: tile.job.k_folds for tile in tiles if hasattr(tile.job, "k_folds")}
        # conv1 takes 25 of K in two words, conv2 25 taps of two words, fc1 16 taps of four
        assert folds == {"conv1": 2, "conv2": 50, "fc1": 64 * copies, "fc2": 32}
