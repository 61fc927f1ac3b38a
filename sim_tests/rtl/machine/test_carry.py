"""Layers whose K does not fit a half of the weights, in Verilator: sums are carried over jobs."""

import pytest
from harness.component import seeded
from harness.machine import CRAMPED, block
from harness.machine_runs import check_runs, inputs

from hwsim.compiler.compile import compile_network
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.verification.networks import random_checkpoint, random_network

MACHINES = [name for name, (_, carries, *_) in CRAMPED.items() if carries]


@pytest.fixture(params=MACHINES)
def bench(request, cramped):
    return cramped(request.param)


def carried(compiled):
    jobs = [tile.job for tile in compiled.program.tiles]
    return sum(getattr(job, "carry", False) for job in jobs)


@pytest.mark.parametrize("seed", range(300, 304))
def test_random_networks(bench, seed):
    rng = seeded(seed)
    while True:
        network = random_network(rng)
        checkpoint = random_checkpoint(rng, network)
        images = int(rng.integers(1, 4))
        try:
            compiled = compile_network(bench.arch, network, checkpoint, images)
        except InputError:
            continue
        if carried(compiled) and compiled.program.size <= bench.size:
            break
    act = inputs(rng, network, images)
    check_runs(bench, compiled, act, golden.logits(network, checkpoint, act), rng)


def test_groups(bench):
    rng = seeded(1)
    network = block("groups", (9, 13))
    checkpoint = random_checkpoint(rng, network)
    compiled = compile_network(bench.arch, network, checkpoint, 2)
    assert carried(compiled)
    act = inputs(rng, network, 2)
    check_runs(bench, compiled, act, golden.logits(network, checkpoint, act), rng)
