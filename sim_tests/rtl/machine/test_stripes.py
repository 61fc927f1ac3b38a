"""Networks whose maps do not fit on chip, in Verilator: values and all counters are equal."""

import pytest
from harness.component import seeded
from harness.machine import BLOCKS, block
from harness.machine_runs import check_runs, inputs

from hwsim.compiler.compile import compile_network
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.verification.networks import random_checkpoint, random_network


# words of nm_os are too wide for the channels that a join puts side by side
@pytest.fixture(params=["ws", "few banks", "os", "nm", "csc"])
def bench(request, cramped):
    return cramped(request.param)


@pytest.mark.parametrize("seed", range(200, 206))
def test_random_networks(bench, seed):
    rng = seeded(seed)
    while True:
        network = random_network(rng)
        checkpoint = random_checkpoint(rng, network)
        act = inputs(rng, network, int(rng.integers(1, 4)))
        trace = golden.run(network, checkpoint, act)
        try:
            compiled = compile_network(bench.arch, network, checkpoint, len(act), trace.ifmap)
        except InputError:
            continue
        if compiled.program.map_bytes and compiled.program.size <= bench.size:
            break
    check_runs(bench, compiled, act, trace.logits, rng)


@pytest.mark.parametrize("size", [(9, 13), (8, 14)], ids=str)
@pytest.mark.parametrize("kind", BLOCKS)
def test_blocks(bench, kind, size):
    rng = seeded(sum(map(ord, kind)) + size[0])
    network = block(kind, size)
    checkpoint = random_checkpoint(rng, network)
    act = inputs(rng, network, 2)
    trace = golden.run(network, checkpoint, act)
    compiled = compile_network(bench.arch, network, checkpoint, 2, trace.ifmap)
    assert compiled.program.map_bytes
    check_runs(bench, compiled, act, trace.logits, rng)
