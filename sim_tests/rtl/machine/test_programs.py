# amaranth: UnusedElaboratable=no
"""Tiles of compiled networks on the execution alone: values of every layer, cycles of every job."""

import numpy as np
import pytest
from harness.component import play, seeded
from harness.machine import ARRAYS, small_machine

from hwsim.accelerator.execute import execute_cycles
from hwsim.compiler.compile import compile_network
from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.contract.descriptors import ADDRESS_BITS
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.rtl.machine.descriptor import execute_layout
from hwsim.rtl.machine.execute import Execute
from hwsim.verification.networks import random_checkpoint, random_work

OUTPUTS = [
    "done", "stalled", "write.valid", "write.index", "write.addr", "write.data",
    "feed.en", "feed.addr", "feed.index", "weight.en", "weight.addr", "scale.en", "scale.addr",
    "list.en", "list.addr",
]  # fmt: skip
FIELDS = {name for name, _ in execute_layout()}


class Chip:
    """Memories on chip, as bytes: words of act banks, and of the halves of all others."""

    def __init__(self, program, memory):
        self.program, self.memory, self.shape = program, memory, program.shape
        bits, on_chip = self.shape.widths, program.arch.memory
        depths = {"act": on_chip.act_depth, "weight": on_chip.weight_depth,
                  "scale": on_chip.scale_depth, "list": self.shape.list_depth}  # fmt: skip
        count = {"act": on_chip.act_banks}
        self.words = {
            name: np.zeros((count.get(name, 2), depths[name], width // 8), np.uint8)
            for name, width in bits.items()
        }

    def load(self, load):
        """Do what the load engine does."""
        words, size = self.words[load.target][load.index], self.shape.widths[load.target] // 8
        for row in range(load.rows):
            at = self.program.address(load.region, load.address) + row * load.row_step
            block = self.memory[at : at + load.words * size].reshape(-1, size)
            to = load.to + row * load.to_step
            words[to : to + load.words] = block

    def feed(self, index, addr):
        """Word whose lanes lie at an address for each slice."""
        lanes, slices = np.arange(self.shape.word_lanes), self.shape.slices
        at = [addr >> (ADDRESS_BITS * each) & ((1 << ADDRESS_BITS) - 1) for each in range(slices)]
        return number(self.words["act"][index, np.array(at)[lanes % slices], lanes])

    def write(self, index, addr, data):
        """A beat of results."""
        lanes = self.shape.ofmap_lanes
        bank = self.words["act"][index].reshape(-1, lanes)
        bank[addr] = np.frombuffer(data.to_bytes(lanes, "little"), np.uint8)


def number(word):
    return int.from_bytes(word.tobytes(), "little")


def executed(simulate, program, memory):
    """Memories after a program, and the cycles of each of its jobs."""
    chip, starts, jobs = Chip(program, memory), [], []

    def stimuli(rows):
        for tile in program.tiles:
            for load in tile.loads:
                chip.load(load)
            if tile.job is None:
                continue
            job = {name: value for name, value in tile.fields().items() if name in FIELDS}
            starts.append(len(rows))
            jobs.append(tile)
            answer = {"start": 1, "job": job}
            while True:
                yield answer
                row, answer = rows[-1], {"start": 0}
                assert not row["stalled"]
                if row["feed.en"]:
                    answer["feed.data"] = chip.feed(row["feed.index"], row["feed.addr"])
                for port, half in (
                    ("weight", getattr(tile.job, "weight_half", 0)),
                    ("scale", tile.job.scale_half),
                    ("list", getattr(tile.job, "weight_half", 0)),
                ):  # fmt: skip
                    if row.get(f"{port}.en"):
                        words = chip.words[port][half]
                        answer[f"{port}.data"] = number(words[row[f"{port}.addr"] % len(words)])
                if row["write.valid"]:
                    chip.write(row["write.index"], row["write.addr"], row["write.data"])
                if row["done"]:
                    break
                assert len(rows) < starts[-1] + 20_000

    dut = Execute(program.arch)
    outputs = [name for name in OUTPUTS if dut.shape.gathers or not name.startswith("list")]
    rows = play(simulate, dut, stimuli, outputs)
    return chip, jobs, np.diff([*starts, len(rows)]).tolist()


def carried(program):
    return any(getattr(tile.job, "carry", False) for tile in program.tiles)


def case(arch, seed):
    """A random network that fits, compiled for an image, with its image and its results.

    Where the array carries sums, K of one of its layers is cut.
    """
    rng = seeded(seed)
    while True:
        network, checkpoint = random_work(rng, arch)
        size = (1, network.input.channels, network.input.height, network.input.width)
        act = rng.integers(-128, 128, size=size).astype(np.int8)
        try:
            compiled = compile_network(arch, network, checkpoint)
        except InputError:
            continue
        if carried(compiled.program) == arch.array.machine_carries:
            return compiled, act, golden.logits(network, checkpoint, act)


@pytest.mark.parametrize("kind", ["gather", "pattern"])
@pytest.mark.parametrize("seed", [0, 2, 3])
def test_random_networks(simulate, kind, seed):
    check(simulate, *case(small_machine(kind), seed))


@pytest.mark.parametrize("seed", [5, 6])
@pytest.mark.parametrize(
    ("kind", "memory"), [("gather", {"weight_depth": 16, "gather": True}), ("bitmask", {})]
)
def test_sums_are_carried(simulate, kind, memory, seed):
    memory = {"act_banks": 3, "act_depth": 256, "weight_depth": 64, "scale_depth": 4} | memory
    arch = small_machine(kind, array=ARRAYS[kind] | {"carries": True}, memory=memory)
    check(simulate, *case(arch, seed))


def test_block_punched_weights_have_lists_of_their_own(simulate):
    layers = [
        {"name": "a", "type": "conv", "M": 24, "R": 3, "relu": True},
        {"name": "b", "type": "conv", "M": 16, "R": 2, "relu": True},
        {"name": "c", "type": "fc", "M": 5},
    ]
    size = {"channels": 8, "height": 7, "width": 6}
    raw = {"name": "punched", "input": size, "layers": layers}
    network, arch, rng = parse(NetworkConfig, raw, "test"), small_machine("gather"), seeded(4)
    checkpoint = random_checkpoint(rng, network)
    for weights in checkpoint.layers.values():
        flat = weights.weight.reshape(len(weights.weight), -1)
        flat[...] = rng.integers(1, 128, size=flat.shape)
        for first in range(0, len(flat), arch.array.cols):
            flat[first : first + arch.array.cols, rng.random(flat.shape[1]) < 0.7] = 0
    act = rng.integers(-128, 128, size=(1, 8, 7, 6)).astype(np.int8)
    compiled = compile_network(arch, network, checkpoint)
    loads = [load for tile in compiled.program.tiles for load in tile.loads]
    assert sum(load.target == "list" for load in loads) >= 3 + 2 + 1
    check(simulate, compiled, act, golden.logits(network, checkpoint, act))


@pytest.mark.parametrize("kind", ["ws", "os", "pattern", "gather"])
def test_windows_that_differ_by_direction_and_side(simulate, kind):
    """Padding of TensorFlow's SAME, kernels of one row, a layer of padding alone."""
    window = {"type": "conv", "relu": True}
    layers = [
        {**window, "M": 6, "R": 3, "stride": 2, "padding": [0, 0, 1, 1]},
        {**window, "M": 4, "R": 1, "S": 3, "padding": [0, 1], "dilation": [2, 1]},
        {"type": "avgpool", "R": 1, "padding": [2, 0, 0, 1], "relu": True},
        {**window, "M": 4, "G": 4, "R": 3, "stride": [2, 1], "padding": [1, 0, 0, 2]},
        {"type": "maxpool", "R": 2, "S": 3, "stride": [1, 2], "padding": [0, 0, 0, 1]},
        {"type": "fc", "M": 3},
    ]
    raw = {
        "name": "sides",
        "input": {"channels": 3, "height": 8, "width": 10},
        "layers": [{"name": f"l{index}", **layer} for index, layer in enumerate(layers)],
    }
    network, arch, rng = parse(NetworkConfig, raw, "test"), small_machine(kind), seeded(3)
    act = rng.integers(-128, 128, size=(1, 3, 8, 10)).astype(np.int8)
    # scales with which the output of every layer varies
    for _ in range(1000):
        checkpoint = random_checkpoint(rng, network, 3 if kind == "pattern" else 0)
        maps = golden.run(network, checkpoint, act).ifmap.values()
        if min(len(np.unique(values)) for values in maps) > 8:
            break
    else:
        pytest.fail("no such scales")
    compiled = compile_network(arch, network, checkpoint)
    check(simulate, compiled, act, golden.logits(network, checkpoint, act))


def check(simulate, compiled, act, expected):
    """Hold values and cycles of all jobs of a network to what is expected."""
    program = compiled.program
    chip, jobs, cycles = executed(simulate, program, compiled.image(act))
    assert cycles == [execute_cycles(program.arch, tile) for tile in jobs]
    store = program.tiles[-1].store
    words = chip.words["act"][store.bank, store.start : store.start + store.words]
    assert (compiled.outputs(words.reshape(-1)) == expected).all()
