"""Layers whose K does not fit a half of the weights, in Verilator: sums are carried over jobs.

Lists and compressed weights in parts are those of ``test_programs.py``, which needs no build.
"""

import pytest
from harness.component import seeded
from harness.machine import ARRAYS, BLOCKS, block, small_machine
from harness.machine_runs import check_runs, inputs

from hwsim.compiler.compile import compile_network
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.rtl.cosim import machine_bench
from hwsim.verification.networks import random_checkpoint, random_work

SIZE = 1 << 18
#: The last three cut layers that read windows of patterns.
SEEDS = [302, 305, 307, 326]
#: Arrays that carry sums: what they and their memories have beside what all have.
KINDS = {
    "ws": ({}, {}),
    # a library that leaves room for one fold
    "pattern": ({"patterns": 12}, {"gather": True}),
}


@pytest.fixture(scope="session", params=KINDS)
def bench(request, tmp_path_factory):
    (array, memory), kind = KINDS[request.param], request.param
    arch = small_machine(
        array=ARRAYS[kind] | {"carries": True, "mac_latency": 2} | array,
        memory={"act_banks": 3, "act_depth": 128, "weight_depth": 16, "scale_depth": 4} | memory,
    )
    return machine_bench.build(arch, tmp_path_factory.mktemp("machine"), SIZE)


def carried(compiled):
    jobs = [tile.job for tile in compiled.program.tiles]
    return sum(getattr(job, "carry", False) for job in jobs)


@pytest.mark.parametrize("seed", SEEDS)
def test_random_networks(bench, seed):
    rng = seeded(seed)
    while True:
        network, checkpoint = random_work(rng, bench.arch)
        images = int(rng.integers(1, 4))
        try:
            compiled = compile_network(bench.arch, network, checkpoint, images)
        except InputError:
            continue
        if carried(compiled) and compiled.program.size <= SIZE:
            break
    act = inputs(rng, network, images)
    check_runs(bench, compiled, act, golden.logits(network, checkpoint, act), rng)


@pytest.mark.parametrize("bench", ["ws"], indirect=True)
@pytest.mark.parametrize("kind", BLOCKS)
def test_blocks(bench, kind):
    rng = seeded(sum(map(ord, kind)))
    network = block(kind, (9, 13))
    checkpoint = random_checkpoint(rng, network)
    compiled = compile_network(bench.arch, network, checkpoint, 2)
    assert carried(compiled)
    act = inputs(rng, network, 2)
    check_runs(bench, compiled, act, golden.logits(network, checkpoint, act), rng)
