"""Layers whose K does not fit a half of the weights, in Verilator: sums are carried over jobs."""

import pytest
from harness.component import seeded
from harness.machine import ARRAYS, BLOCKS, block, small_machine
from harness.machine_runs import check_runs, inputs

from hwsim.compiler.prepare import on_acts
from hwsim.errors import InputError
from hwsim.rtl.cosim import machine_bench
from hwsim.verification.networks import random_checkpoint, random_network

SIZE = 1 << 18


#: Arrays, and the words of their weight memories.
DESIGNS = {
    "ws": (ARRAYS["ws"] | {"mac_latency": 2}, 16),
    "sparten": (ARRAYS["sparten"] | {"mask_depth": 4, "entry_depth": 32}, 64),
    "csc": (ARRAYS["csc"] | {"col_depth": 32, "entry_depth": 32}, 64),
}


@pytest.fixture(scope="session", params=DESIGNS)
def bench(tmp_path_factory, request):
    array, words = DESIGNS[request.param]
    arch = small_machine(
        array=array | {"carries": True},
        memory={"act_banks": 3, "act_depth": 256, "weight_depth": words, "scale_depth": 4},
    )
    return machine_bench.build(arch, tmp_path_factory.mktemp("machine"), SIZE)


def carried(compiled):
    jobs = [tile.job for tile in compiled.program.tiles]
    return sum(getattr(job, "carry", False) for job in jobs)


@pytest.mark.parametrize("seed", range(300, 304))
def test_random_networks(bench, seed):
    rng = seeded(seed)
    while True:
        network = random_network(rng)
        checkpoint = random_checkpoint(rng, network)
        act = inputs(rng, network, int(rng.integers(1, 4)))
        try:
            work = on_acts(bench.arch, network, checkpoint, act)
        except InputError:
            continue
        if carried(work.compiled) and work.compiled.program.size <= SIZE:
            break
    check_runs(bench, work.compiled, act, work.results, rng)


@pytest.mark.parametrize("kind", BLOCKS)
def test_blocks(bench, kind):
    rng = seeded(sum(map(ord, kind)))
    network = block(kind, (9, 13))
    checkpoint = random_checkpoint(rng, network)
    act = inputs(rng, network, 2)
    work = on_acts(bench.arch, network, checkpoint, act)
    assert carried(work.compiled)
    check_runs(bench, work.compiled, act, work.results, rng)
