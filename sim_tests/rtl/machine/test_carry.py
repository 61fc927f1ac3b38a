"""Layers whose K does not fit a half of the weights, in Verilator: sums are carried over jobs.

Lists and compressed weights in parts are those of ``test_programs.py``, which needs no build.
"""

import pytest
from harness.component import seeded
from harness.machine import CRAMPED, block
from harness.machine_runs import check_runs, inputs

from hwsim.compiler.prepare import on_acts
from hwsim.errors import InputError
from hwsim.verification.networks import random_checkpoint, random_work

MACHINES = [name for name, (_, own, *_) in CRAMPED.items() if own.get("carries")]


@pytest.fixture(params=MACHINES)
def bench(request, cramped):
    return cramped(request.param)


def carried(compiled):
    jobs = [tile.job for tile in compiled.program.tiles]
    return sum(getattr(job, "carry", False) for job in jobs)


@pytest.mark.parametrize("seed", range(302, 306))
def test_random_networks(bench, seed):
    rng = seeded(seed)
    while True:
        network, checkpoint = random_work(rng, bench.arch)
        act = inputs(rng, network, int(rng.integers(1, 4)))
        try:
            work = on_acts(bench.arch, network, checkpoint, act)
        except InputError:
            continue
        if carried(work.compiled) and work.compiled.program.size <= bench.size:
            break
    check_runs(bench, work.compiled, act, work.results, rng)


def test_groups(bench):
    rng = seeded(1)
    network = block("groups", (9, 13))
    checkpoint = random_checkpoint(rng, network)
    act = inputs(rng, network, 2)
    work = on_acts(bench.arch, network, checkpoint, act)
    assert carried(work.compiled)
    check_runs(bench, work.compiled, act, work.results, rng)
