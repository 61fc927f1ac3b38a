"""Values in the act banks, in the order in which the feeder gives them."""

from __future__ import annotations

import numpy as np
import pytest
from harness.component import seeded
from harness.machine import blank, small_machine

from hwsim.accelerator.tile import ArrayJob, Nest
from hwsim.arrays.csc import array as csc
from hwsim.compiler.compile import compile_network
from hwsim.compiler.contents import Contents
from hwsim.compiler.layout import Map
from hwsim.compiler.slim import slim
from hwsim.config import NetworkConfig, TensorShape
from hwsim.config.base import parse
from hwsim.config.shape import MachineShape
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.verification.networks import random_checkpoint, random_network


def test_a_nest_visits_its_positions_in_order():
    rng = seeded(1)
    for _ in range(20):
        loops = rng.integers(1, 5, size=(int(rng.integers(0, 5)), 2)).tolist()
        expected = [7]
        for bound, stride in loops:
            expected = [each + step * stride for step in range(bound) for each in expected]
        nest = Nest(7, tuple(b for b, _ in loops), tuple(s for _, s in loops))
        assert nest.positions().tolist() == expected
        assert Nest.of(7, *loops).positions().tolist() == expected
        assert len(expected) == nest.beats


def test_beats_of_maps_that_follow_each_other():
    shape = MachineShape(2, 4, 8, 8, 32, 64, 64, 4)  # a word holds two beats
    size = TensorShape(channels=3, height=2, width=1)
    maps = [Map(size, 4, start=start, border=0) for start in (5, 7)]
    act = np.arange(1, 13).reshape(2, 3, 2, 1)
    contents = Contents.of(maps, act, shape)
    assert contents.start == 10
    expected = [[1, 3], [5, 0], [2, 4], [6, 0], [7, 9], [11, 0], [8, 10], [12, 0]]
    assert contents.beats.tolist() == expected
    assert contents.fed(Nest(12, (2, 2), (1, -2))).tolist() == [expected[i] for i in (2, 3, 0, 1)]


class Fed:
    """What each job is fed, in order."""

    def __init__(self, monkeypatch):
        self.jobs, self.count = [], csc.count_groups
        monkeypatch.setattr(csc, "count_groups", self)

    def __call__(self, arch, weight, fed):
        self.jobs.append((weight, fed))
        return self.count(arch, weight, fed)


@pytest.mark.parametrize("seed", range(10))
def test_each_job_is_counted_with_the_beats_that_it_reads(monkeypatch, seed):
    """Products of weights and beats are the sums that the layers must have."""
    rng, arch, fed = seeded(seed), small_machine("csc"), Fed(monkeypatch)
    while True:
        net = random_network(rng)
        checkpoint = random_checkpoint(rng, net)
        size = (2, net.input.channels, net.input.height, net.input.width)
        trace = golden.run(net, checkpoint, rng.integers(-128, 128, size=size).astype(np.int8))
        fed.jobs.clear()
        try:
            compiled = compile_network(arch, net, checkpoint, 2, trace.ifmap)
            break
        except InputError:
            continue
    tiles = [tile for tile in compiled.program.tiles if isinstance(tile.job, ArrayJob)]
    assert len(tiles) == len(fed.jobs)
    sums, slimmer = dict.fromkeys(trace.psum, 0), slim(net, checkpoint, trace.ifmap)
    for tile, (weight, job) in zip(tiles, fed.jobs, strict=True):
        assert (tile.job.weight_words > 0) == job.loads
        beats = job.act.reshape(tile.job.pixels, tile.job.k_folds, job.pixels, -1)
        operand = beats.transpose(0, 2, 1, 3).reshape(tile.job.pixels * job.pixels, -1)
        sums[tile.layer] += int((operand.astype(np.int64) @ weight.T).sum())
    expected = golden.run(*slimmer[:2], trace.ifmap[net.layers[0].name])
    for name, groups in expected.psum.items():
        assert sums[name] == sum(int(group.astype(np.int64).sum()) for group in groups)

    # activations change nothing but counts
    plain = compile_network(arch, net, checkpoint, 2)
    assert plain.program.image().tobytes() == compiled.program.image().tobytes()


def test_without_activations_none_is_zero(monkeypatch):
    fed = Fed(monkeypatch)
    layers = [{"name": "c", "type": "conv", "M": 4, "R": 3, "padding": 1}]
    raw = {"name": "n", "input": {"channels": 4, "height": 3, "width": 3}, "layers": layers}
    net = parse(NetworkConfig, raw, "test")
    compile_network(small_machine("csc"), net, blank(net))
    ones = sum(int(job.act.sum()) for _, job in fed.jobs)
    # of 81 taps of 9 pixels, 32 lie on the border
    assert ones == 4 * (81 - 32)


def test_families_that_skip_nothing_are_not_asked(monkeypatch):
    asked = []
    monkeypatch.setattr(Contents, "of", lambda *arguments: asked.append(arguments))
    net = random_network(seeded(3))
    compile_network(small_machine(), net, blank(net))
    assert not asked
