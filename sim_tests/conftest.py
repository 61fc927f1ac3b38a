"""Fixtures shared by every test."""

import os
import signal
from pathlib import Path

import pytest

os.environ.setdefault("AMARANTH_USE_YOSYS", "builtin")

#: Tests that ``make test-fast`` leaves out, by path: they simulate whole arrays in RTL, train
#: networks, fuzz every configuration, or run commands in processes of their own.
SLOW = (
    "rtl/arrays/*/test_array.py",
    "rtl/arrays/dense/test_gather.py",
    "rtl/arrays/dense/test_compressed.py",
    "rtl/cosim/test_machine_axi.py",
    "rtl/machine/test_carry.py",
    "rtl/machine/test_faults.py",
    "rtl/machine/test_lenet5.py",
    "rtl/machine/test_machine.py",
    "rtl/machine/test_stripes.py",
    "rtl/machine/test_verify.py",
    "rtl/cosim/test_testbench.py",
    "rtl/synth",
    "rtl/emit",
    "models/checkpoints",
    "models/compress",
    "models/search",
    "models/training",
    "models/importers/test_onnx_torch.py",
    "models/importers/test_onnx_wheel.py",
    "models/importers/test_trained.py",
    "models/importers/test_calibrate.py",
    "models/networks/test_slim.py",
    "hwsim/arrays/*/test_array.py",
    "hwsim/cli",
    "hwsim/cost/test_area.py",
    "hwsim/cost/test_fit.py",
    "hwsim/config/test_fuzz.py",
    "hwsim/studies",
    "hwsim/sweeps/test_run.py",
    "hwsim/system/test_processes.py",
    "test_api.py",
    "test_docs.py",
    "test_examples.py",
    "test_results.py",
    "test_toy_family.py",
    "test_wheel.py",
)


def pytest_configure():
    """Take interrupts where a shell that runs the tests beside itself has them ignored.

    Commands that are started would ignore them, too.
    """
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items):
    """Mark the tests of :data:`SLOW`."""
    root = Path(__file__).parent
    slow = {path for pattern in SLOW for path in root.glob(pattern)}
    assert slow, "SLOW names no test"
    for item in items:
        if slow & {item.path, *item.path.parents}:
            item.add_marker(pytest.mark.slow)


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


@pytest.fixture
def chromium(tmp_path):
    """A browser for pages; without one the test is skipped, except in CI, where it fails."""
    from harness import browser

    if browser.executable() is None:
        reason = "a browser is missing: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with browser.Browser(tmp_path / "profile") as started:
        yield started
