"""Runs of a machine in Verilator that must equal the golden model and the fast form."""

from hwsim.accelerator.simulate import simulate
from hwsim.config import MemoryConfig
from hwsim.rtl.cosim import machine_bench
from hwsim.verification.machine import job_of

__all__ = ["check_runs", "inputs"]


def inputs(rng, network, images):
    """Random activations of so many images."""
    size = (images, network.input.channels, network.input.height, network.input.width)
    return rng.integers(-128, 128, size=size).astype("int8")


def check_runs(bench, compiled, act, expected, rng):
    """Hold values and all counters to what is expected, at a fast memory and at a random one."""
    program = compiled.program
    latency, width, bursts = (int(rng.integers(1, most)) for most in (200, 5, 5))
    memories = [
        MemoryConfig(
            name="test", source="test", latency=cycles, bytes_per_cycle=size, outstanding=most
        )
        for cycles, size, most in ((1, 4, 16), (latency, width, bursts))
    ]
    runs = [simulate(program, each) for each in memories]
    # one that hangs shows no end in twice the time
    jobs = [job_of(program, each, 2 * run.cycles) for each, run in zip(memories, runs, strict=True)]
    outcomes = machine_bench.run(bench, compiled.image(act), jobs)
    for run, outcome in zip(runs, outcomes, strict=True):
        assert outcome.error == "none"
        assert (compiled.outputs(outcome.output) == expected).all()
        assert run.counters() == outcome.counters
