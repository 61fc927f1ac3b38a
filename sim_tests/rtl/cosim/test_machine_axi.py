"""A machine with somebody else's AXI: cocotbext-axi as host and memory, which pause at random."""

import numpy as np
import pytest
from cocotb_tools.check_results import get_results
from cocotb_tools.runner import VerilatorControlFile, get_runner
from harness.component import seeded
from harness.machine import ARRAYS, small_machine

from hwsim import generate
from hwsim.compiler.compile import compile_network
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.rtl.cosim import runtime, toolchain
from hwsim.verification.networks import random_work

#: cocotbext-axi wants identifiers of bursts; the machine has one at a time for each direction.
WRAPPER = """\
module axi_bench(input clk, input rst, output irq,
{ports}
  output [0:0] m_axi_awid, output [0:0] m_axi_arid, input [0:0] m_axi_bid, input [0:0] m_axi_rid);
  assign m_axi_awid = 0;
  assign m_axi_arid = 0;
  {machine} machine(.clk(clk), .rst(rst), .irq(irq),
{wires});
endmodule
"""


@pytest.fixture(scope="module", params=ARRAYS)
def built(request, tmp_path_factory):
    arch, folder = small_machine(request.param), tmp_path_factory.mktemp("axi")
    with toolchain.active("verilator"):
        verilog = generate(arch, folder)
        ports = verilog.description()["ports"]
        del ports["irq"]
        lines = [
            f"  {port['direction']}put [{port['width'] - 1}:0] {name},"
            for name, port in ports.items()
        ]
        wires = ",\n".join(f"    .{name}({name})" for name in ports)
        wrapper = folder / "axi_bench.v"
        wrapper.write_text(WRAPPER.format(machine=arch.name, ports="\n".join(lines), wires=wires))
        visible = folder / "visible.vlt"
        visible.write_text('`verilator_config\npublic_flat_rw -module "axi_bench" -var "*"\n')
        runner, build = get_runner("verilator"), folder / "build"
        build.mkdir()
        runtime.reuse(build)
        runner.build(
            sources=[VerilatorControlFile(visible), verilog.path, wrapper],
            hdl_toplevel="axi_bench", build_dir=build,
            build_args=toolchain.BUILD_ARGS["verilator"], timescale=("1ns", "1ps"),
            always=True, log_file=folder / "build.log",
        )  # fmt: skip
        runtime.keep(build)
    return arch, runner, folder


@pytest.mark.parametrize("seed", range(2))
def test_values_under_random_latency_and_back_pressure(built, seed):
    rng, (arch, runner, folder) = seeded(seed), built
    while True:
        network, checkpoint = random_work(rng, arch)
        shape = (2, network.input.channels, network.input.height, network.input.width)
        act = rng.integers(-128, 128, size=shape).astype(np.int8)
        acts = golden.run(network, checkpoint, act).ifmap
        try:
            compiled = compile_network(arch, network, checkpoint, 2, acts)
            break
        except InputError:
            continue
    program = compiled.program
    run = folder / f"run{seed}"
    run.mkdir()
    np.savez(
        run / "case.npz", memory=compiled.image(act), seed=seed,
        program=[len(program.tiles), *program.bases()],
        output=[program.bases()[2], program.output_bytes],
    )  # fmt: skip
    with toolchain.active("verilator"):
        report = runner.test(
            hdl_toplevel="axi_bench", hdl_toplevel_lang="verilog", test_module="tb_machine_axi",
            build_dir=folder / "build", test_dir=run, seed=1, log_file=run / "run.log",
            extra_env={"HWSIM_RUN": str(run)},
        )  # fmt: skip
        tests, failed = get_results(report)
    assert (tests, failed) == (1, 0), (run / "run.log").read_text()[-3000:]
    output = np.fromfile(run / "output.bin", np.uint8)
    assert (compiled.outputs(output) == golden.logits(network, checkpoint, act)).all()
