"""Values in the act banks, in the order in which the feeder gives them."""

from __future__ import annotations

import numpy as np
import pytest
from harness.component import seeded
from harness.machine import blank, small_machine

from hwsim.accelerator.tile import ArrayJob, Nest
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
    shape = MachineShape(2, 4, 8, 8, 32)  # a word holds two beats
    size = TensorShape(channels=3, height=2, width=1)
    maps = [Map(size, 4, start=start, border=0) for start in (5, 7)]
    act = np.arange(1, 13).reshape(2, 3, 2, 1)
    contents = Contents.of(maps, act, shape)
    assert contents.start == 10
    expected = [[1, 3], [5, 0], [2, 4], [6, 0], [7, 9], [11, 0], [8, 10], [12, 0]]
    assert contents.beats.tolist() == expected
    assert contents.fed(Nest(12, (2, 2), (1, -2))).tolist() == [expected[i] for i in (2, 3, 0, 1)]


class Skipping:
    """A family that skips zeros: what counts are asked for, with beats as they were computed."""

    def __init__(self, monkeypatch, arch):
        monkeypatch.setattr(type(arch.array), "skips_acts", True)
        self.fed = []
        monkeypatch.setattr("hwsim.arrays.dense.array.count_fed", self.count, raising=False)

    def count(self, arch, weight, pixels, act):
        from hwsim.arrays.dense.array import count_whole

        self.fed.append((weight, pixels, act))
        return count_whole(arch, weight, pixels)


@pytest.mark.parametrize("seed", range(10))
def test_each_job_is_counted_with_the_beats_that_it_reads(monkeypatch, seed):
    """Products of weights and beats, in order, are the sums that the layers must have."""
    rng, arch = seeded(seed), small_machine()
    skipping = Skipping(monkeypatch, arch)
    while True:
        net = random_network(rng)
        # without filters that the compiler would leave out
        net, checkpoint, _ = slim(net, random_checkpoint(rng, net), {})
        size = (2, net.input.channels, net.input.height, net.input.width)
        trace = golden.run(net, checkpoint, rng.integers(-128, 128, size=size).astype(np.int8))
        skipping.fed.clear()
        try:
            compiled = compile_network(arch, net, checkpoint, 2, trace.ifmap)
            break
        except InputError:
            continue
    jobs = [t for t in compiled.program.tiles if isinstance(t.job, ArrayJob)]
    assert len(jobs) == len(skipping.fed)
    plain = compile_network(arch, net, checkpoint, 2)
    assert plain.program.image().tobytes() == compiled.program.image().tobytes()
    diagonal = {s.layer.name for s in net.shapes() if s.layer.G > 1}
    sums = dict.fromkeys(trace.psum, 0)
    for tile, (weight, pixels, act) in zip(jobs, skipping.fed, strict=False):
        if tile.layer in diagonal:
            continue
        job, lanes = tile.job, act.shape[1]
        # pixels of each beat of K; all of it again for each fold of filters
        beats = act.reshape(job.m_folds, job.k_folds, pixels, lanes)
        assert (beats == beats[:1]).all()
        operand = beats[0].transpose(1, 0, 2).reshape(pixels, -1)
        sums[tile.layer] += int((operand @ weight.T).sum())
    for name, groups in trace.psum.items():
        if name not in diagonal:
            assert sums[name] == sum(int(group.astype(np.int64).sum()) for group in groups)


def test_without_activations_none_is_zero(monkeypatch):
    arch = small_machine()
    layers = [{"name": "c", "type": "conv", "M": 4, "R": 3, "padding": 1}]
    raw = {"name": "n", "input": {"channels": 4, "height": 3, "width": 3}, "layers": layers}
    net = parse(NetworkConfig, raw, "test")
    skipping = Skipping(monkeypatch, arch)
    compile_network(arch, net, blank(net))
    ones = sum(int(act.sum()) for _, _, act in skipping.fed)
    # of 81 taps of 9 pixels, 32 lie on the border
    assert ones == 4 * (81 - 32)


def test_families_that_skip_nothing_are_not_asked(monkeypatch):
    monkeypatch.setattr(Contents, "of", None)
    net = random_network(seeded(3))
    compile_network(small_machine(), net, blank(net))
