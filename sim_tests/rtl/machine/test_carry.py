"""Layers whose K does not fit a half of the weights, in Verilator: sums are carried over jobs.

Lists and compressed weights in parts are those of ``test_programs.py``, which needs no build.
"""

from dataclasses import replace

import pytest
from harness.component import seeded
from harness.machine import BLOCKS, CRAMPED, block
from harness.machine_runs import check_runs, inputs

from hwsim.compiler.prepare import on_acts
from hwsim.config import MemoryConfig
from hwsim.errors import InputError
from hwsim.rtl.cosim import machine_bench
from hwsim.verification.machine import job_of
from hwsim.verification.networks import random_checkpoint, random_work

MACHINES = [name for name, (_, own, *_) in CRAMPED.items() if own.get("carries")]
#: Kinds of blocks that a machine does not cut, as depthwise layers take its diagonal; and whose
#: joins its wide words refuse.
UNCUT, REFUSED = {"ws", "os", "nm"}, {"nm_os", "pattern", "sparten", "sparten_double"}
BLOCKS_OF_MACHINES = [
    (name, kind)
    for name in MACHINES
    for kind in BLOCKS
    if not (kind == "depthwise" and name in UNCUT) and not (kind == "joins" and name in REFUSED)
]


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


@pytest.mark.parametrize(("bench", "kind"), BLOCKS_OF_MACHINES, indirect=["bench"])
def test_blocks(bench, kind):
    rng = seeded(sum(map(ord, kind)))
    network = block(kind, (9, 13))
    checkpoint = random_checkpoint(rng, network)
    act = inputs(rng, network, 2)
    work = on_acts(bench.arch, network, checkpoint, act)
    assert carried(work.compiled)
    check_runs(bench, work.compiled, act, work.results, rng)


@pytest.mark.parametrize("bench", ["csc in parts"], indirect=True)
def test_sums_that_no_job_carries_are_dropped(bench):
    """A job that keeps its sums comes twice: the second one begins anew."""
    rng = seeded(1)
    network = block("groups", (9, 13))
    checkpoint = random_checkpoint(rng, network)
    act = inputs(rng, network, 1)
    work = on_acts(bench.arch, network, checkpoint, act)
    program = work.compiled.program
    index, tile = next(
        (index, tile)
        for index, tile in enumerate(program.tiles)
        if getattr(tile.job, "keep", False) and not tile.job.carry
    )
    program.tiles.insert(index + 1, replace(tile, loads=()))
    memory = MemoryConfig(name="test", source="test", latency=1, bytes_per_cycle=4, outstanding=4)
    job = job_of(program, memory, 3_000_000)
    (outcome,) = machine_bench.run(bench, work.compiled.image(act), [job])
    assert outcome.error == "none"
    assert (work.compiled.outputs(outcome.output) == work.results).all()
