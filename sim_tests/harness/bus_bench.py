"""Engines of the bus before the model of a memory, and random memories."""

from amaranth import Module
from amaranth.lib import wiring

from hwsim.accelerator.load import LoadBlock
from hwsim.config import MemoryConfig
from hwsim.contract.descriptors import DESCRIPTOR_TARGET
from hwsim.rtl.cosim.memory import MemoryModel

__all__ = ["MEMORY_BYTES", "Bench", "bits_of", "random_blocks", "random_memory", "set_model"]

#: Bytes of the memory: four pages.
MEMORY_BYTES = 1 << 14


class Bench(wiring.Component):
    """An engine and the model of a memory, wired together."""

    def __init__(self, engine, bus, image=()):
        self.engine = engine
        self.memory = MemoryModel(bus, size=MEMORY_BYTES, init=image)
        super().__init__({})

    def elaborate(self, platform):
        m = Module()
        m.submodules.engine = self.engine
        m.submodules.memory = self.memory
        reads = hasattr(self.engine.axi, "ar")
        wiring.connect(m, self.engine.axi, self.memory.read if reads else self.memory.write)
        return m


def bits_of(widths, bus):
    """Bits of the words of each target's code."""
    return dict(enumerate(widths)) | {DESCRIPTOR_TARGET: bus.data_width}


def random_blocks(rng, bus, widths, count):
    """Blocks of a few hundred beats together, rows anywhere in memory, some across pages."""
    bits = bits_of(widths, bus)
    blocks = []
    for _ in range(count):
        target = int(rng.choice(list(bits)))
        rows = int(rng.choice([1, 1, 2, 5]))
        beats = int(rng.integers(1, 1 + 60 // rows))
        words = max(1, beats * bus.data_width // bits[target])
        words = int(rng.integers(max(1, words // 2), words + 1))
        beats = -(-words * bits[target] // bus.data_width)
        row_step = bus.bytes * int(rng.integers(beats, beats + 60))
        address = bus.bytes * int(
            rng.integers((MEMORY_BYTES - row_step * (rows - 1)) // bus.bytes - beats + 1)
        )
        # every other block begins shortly before a page's end
        if rng.random() < 0.5 and row_step * rows < MEMORY_BYTES // 2:
            address = 4096 - bus.bytes * int(rng.integers(1, 9))
        blocks.append(
            LoadBlock(address, row_step, rows, beats, words, int(rng.integers(1000)),
                      int(rng.integers(words, words + 9)), target, int(rng.integers(8)))
        )  # fmt: skip
    return blocks


def random_memory(rng, bus):
    """Memory with random latency, interval, pause and limit; half serve a beat per cycle."""
    slower, overhead = int(rng.choice([1, 1, 2, 4])), int(rng.integers(4) * rng.integers(2))
    return MemoryConfig(
        name="random",
        source="test",
        # a pause that outlasts the latency is refused
        latency=int(rng.integers(max(1, slower + overhead - 4), 30)),
        bytes_per_cycle=bus.bytes // slower,
        outstanding=int(rng.integers(1, 17)),
        overhead=overhead,
    )


def set_model(ctx, model, memory, bus):
    """Give the RTL's model the numbers of a memory."""
    ctx.set(model.latency, memory.latency)
    ctx.set(model.interval, memory.interval(bus))
    ctx.set(model.overhead, memory.overhead)
    ctx.set(model.outstanding, memory.outstanding)
