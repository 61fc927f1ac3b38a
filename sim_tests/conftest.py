"""Fixtures shared by every test."""

import os

import pytest

os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")


def pytest_addoption(parser):
    parser.addoption(
        "--vcd", action="store_true", help="write a waveform for each Amaranth simulation"
    )


@pytest.fixture
def simulate(request, tmp_path):
    """Run testbenches against a component, failing after ``max_cycles`` instead of hanging."""
    from amaranth.sim import Simulator

    def run(dut, *testbenches, background=(), max_cycles=10_000):
        async def watchdog(ctx):
            cycles = 0
            async for _ in ctx.tick():
                cycles += 1
                assert cycles < max_cycles, f"no end after {max_cycles} cycles"

        sim = Simulator(dut)
        sim.add_clock(10e-9)
        for testbench in testbenches:
            sim.add_testbench(testbench)
        for process in (*background, watchdog):
            sim.add_testbench(process, background=True)
        if request.config.getoption("--vcd"):
            with sim.write_vcd(str(tmp_path / "wave.vcd")):
                sim.run()
        else:
            sim.run()

    return run


@pytest.fixture
def drive(request, tmp_path):
    """Run jobs on an array in the Amaranth simulator: :func:`array_bench.drive`."""
    from harness.array_bench import drive as run_jobs

    def run(arch, jobs, pauses=(), **options):
        if request.config.getoption("--vcd"):
            options.setdefault("vcd", tmp_path / "wave.vcd")
        return run_jobs(arch, jobs, pauses or {}, **options)

    return run
