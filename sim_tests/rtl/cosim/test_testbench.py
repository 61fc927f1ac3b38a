# amaranth: UnusedElaboratable=no
"""The testbench that users get, run by Verilator alone: what passes, and what must not."""

import json
import subprocess

import numpy as np
import pytest
from harness.component import seeded
from harness.machine import block, cramped_machine, small_machine

from hwsim import InputError, generate
from hwsim.accelerator.simulate import simulate
from hwsim.compiler.prepare import on_acts
from hwsim.config import MemoryConfig
from hwsim.inference import golden
from hwsim.rtl.cosim import toolchain
from hwsim.rtl.cosim.testbench import VERILATOR
from hwsim.verification.networks import random_checkpoint, random_network
from hwsim.verification.testbench import write_network

MEMORY = MemoryConfig(name="test", source="test", latency=7, bytes_per_cycle=3)


def workload(seed):
    """A random network that fits a small machine, on two images that its results depend on."""
    arch, rng = small_machine(), seeded(seed)
    while True:
        network = random_network(rng, "net")
        size = (2, network.input.channels, network.input.height, network.input.width)
        act = rng.integers(-128, 128, size=size).astype(np.int8)
        checkpoint = random_checkpoint(rng, network)
        if (
            golden.logits(network, checkpoint, 0 * act) == golden.logits(network, checkpoint, act)
        ).all():
            continue
        try:
            work = on_acts(arch, network, checkpoint, act)
        except InputError:
            continue
        return work, simulate(work.compiled.program, MEMORY)


@pytest.fixture(scope="module")
def work():
    return workload(3)


@pytest.fixture(scope="module")
def folder(work, tmp_path_factory):
    """Machine and bench, built."""
    folder = tmp_path_factory.mktemp("testbench") / "net"
    generate(small_machine(), folder.parent)
    write_network(work[0], MEMORY, work[1], folder)
    quick = ["-CFLAGS", "-O0 -fcoroutines", "-j", "2"]
    with toolchain.active("verilator"):
        command = [str(toolchain.find("verilator").path), *VERILATOR, *quick]
        built = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert built.returncode == 0, (built.stdout + built.stderr)[-3000:]
    return folder


def run(folder):
    result = subprocess.run(
        [folder / "obj_dir" / "Vtestbench"], cwd=folder, capture_output=True, text=True, check=False
    )
    return result.returncode, result.stdout


def with_file(folder, name, change, tmp_path):
    """A folder like this one with one file changed, a line of it."""
    other = tmp_path / "net"
    other.mkdir()
    for path in (*folder.glob("*.hex"), folder / "obj_dir"):
        (other / path.name).symlink_to(path)
    lines = (folder / name).read_text().splitlines()
    change(lines)
    (other / name).unlink()
    (other / name).write_text("\n".join(lines) + "\n")
    return other


def test_values_and_counters_are_those_expected(work, folder):
    code, text = run(folder)
    assert code == 0, text
    prepared, cycles = work[0], work[1].cycles
    assert f"PASS: net, 2 images, {prepared.results.size} values, {cycles} cycles" in text
    described = json.loads((folder / "program.json").read_text())
    assert described["expected"]["counters"]["cycles"] == cycles
    assert described["expected"]["results"] == prepared.results.tolist()
    assert (folder / "memory.bin").stat().st_size == described["bytes"]


def test_a_wrong_value_fails(folder, tmp_path):
    counts = (folder / "counts.hex").read_text().splitlines()
    beat = next(index for index, line in enumerate(counts) if int(line, 16) & 1)

    def change(lines):
        lines[beat] = f"{int(lines[beat], 16) ^ 1:0{len(lines[beat])}x}"

    code, text = run(with_file(folder, "expected.hex", change, tmp_path))
    assert code
    assert f"beat {beat} of the output" in text
    assert "FAIL: 1 beats and counters differ" in text


def test_a_program_for_another_design_fails(folder, tmp_path):
    """The digest lies in the command of descriptor 0."""
    digest = f"{int(small_machine().digest[:8], 16):08x}"

    def change(lines):
        index = next(i for i, line in enumerate(lines[:32]) if digest in line)
        lines[index] = lines[index].replace(digest, "00000001")

    code, text = run(with_file(folder, "memory.hex", change, tmp_path))
    assert code
    assert "FAIL: error 2 at descriptor 0" in text


def test_other_inputs_fail(work, folder, tmp_path):
    program = work[0].compiled.program
    first = program.bases()[1] // program.arch.bus.bytes

    def change(lines):
        lines[first:] = ["0" * len(line) for line in lines[first:]]

    code, text = run(with_file(folder, "memory.hex", change, tmp_path))
    assert code
    assert "FAIL" in text


def test_the_same_bytes_twice(folder, tmp_path):
    prepared, run = workload(3)
    write_network(prepared, MEMORY, run, tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert "README.md" in names
    assert "program.txt" in names
    for name in names:
        assert (tmp_path / name).read_bytes() == (folder / name).read_bytes(), name


def test_the_page_says_where_maps_lie(tmp_path):
    """All regions of a network whose maps lie in memory: the machine writes to them, too."""
    network, rng = block("residual", (9, 13)), seeded(1)
    size = (1, network.input.channels, 9, 13)
    act = rng.integers(-128, 128, size).astype(np.int8)
    prepared = on_acts(cramped_machine("ws"), network, random_checkpoint(rng, network), act)
    program = prepared.compiled.program
    assert program.map_bytes
    write_network(prepared, MEMORY, simulate(program, MEMORY), tmp_path)
    page = (tmp_path / "README.md").read_text()
    described = json.loads((tmp_path / "program.json").read_text())
    assert f"{', '.join(map(str, described['sizes']))} as `sizes`" in page
    regions = list(zip(described["regions"], described["sizes"], strict=True))
    ends = []
    for region, (first, taken) in enumerate(regions):
        ends.append(first + taken)
        rows = [line for line in page.splitlines() if line.endswith(f"; region {region} |")]
        assert rows[0].startswith(f"| {first} .. "), region
        assert f" .. {first + taken - 1} |" in rows[-1], region
    assert ends[-1] == described["bytes"] == (tmp_path / "memory.bin").stat().st_size
    assert all(end <= first for end, (first, _) in zip(ends[:-1], regions[1:], strict=True))


def test_an_array_alone_runs_no_network(tmp_path):
    with pytest.raises(InputError, match="network = 'lenet5': must be absent: an array alone"):
        generate("dense_8x8_ws", tmp_path, network="lenet5")
    with pytest.raises(InputError, match="weights = 'lenet5_dense': needs a network"):
        generate("machine_dense_8x8_ws", tmp_path, weights="lenet5_dense")
    assert not list(tmp_path.iterdir())
