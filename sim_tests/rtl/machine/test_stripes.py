"""Networks whose maps do not fit on chip, in Verilator: values and all counters are equal."""

import pytest
from harness.component import seeded
from harness.machine import BLOCKS, block, small_machine
from harness.machine_runs import check_runs, inputs

from hwsim.compiler.compile import compile_network
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.rtl.cosim import machine_bench
from hwsim.verification.networks import random_checkpoint, random_network

SIZE = 1 << 17
#: Array, and banks of 128 words: with two of them each part waits for the one before.
MACHINES = {
    "ws": ("ws", 4), "few banks": ("ws", 2), "os": ("os", 4), "nm": ("nm", 3), "csc": ("csc", 4),
}  # fmt: skip


def small(name):
    kind, banks = MACHINES[name]
    # pointers of all columns lie beside the entries of csc
    words = 1024 if kind == "csc" else 512
    memory = {"act_banks": banks, "act_depth": 128, "weight_depth": words, "scale_depth": 4}
    return small_machine(kind, memory=memory)


@pytest.fixture(scope="session", params=MACHINES)
def bench(request, tmp_path_factory):
    return machine_bench.build(small(request.param), tmp_path_factory.mktemp("machine"), SIZE)


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
        if compiled.program.map_bytes and compiled.program.size <= SIZE:
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
