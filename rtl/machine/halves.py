"""Two halves of a memory: one is filled while the other is read."""

from typing import Any

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from hwsim.rtl.blocks.ports import memory_read, memory_write

__all__ = ["Halves"]


class Halves(wiring.Component):
    """Two memories of one port each; no cycle reads and writes the same.

    * Throughput: one word read and one written per cycle.
    * Latency: a word read comes in the cycle after its address, and stays until the next read.

    Parameters
    ----------
    width, depth : int
        Bits of a word, words of a half: a power of two.

    Members
    -------
    fill : ``In``
        Write a word: ``valid``, ``half``, ``addr``, ``data``.
    read : ``In``
        ``en``, ``half``, ``addr``; ``data``.
    """

    fill: Any
    read: Any

    def __init__(self, *, width: int, depth: int) -> None:
        self.width, self.depth = width, depth
        address = max(1, exact_log2(depth))
        super().__init__(
            {
                "fill": In(memory_write(address, width, half=1)),
                "read": In(memory_read(address, width, half=1)),
            }
        )

    def elaborate(self, platform):
        m = Module()

        reading = Signal()
        with m.If(self.read.en):
            m.d.sync += reading.eq(self.read.half)
        words = []
        for half in range(2):
            memory: Memory = Memory(shape=unsigned(self.width), depth=self.depth, init=[])
            m.submodules[f"half_{half}"] = memory
            write, read = memory.write_port(), memory.read_port()
            m.d.comb += [
                write.addr.eq(self.fill.addr[: len(write.addr)]),
                write.data.eq(self.fill.data),
                write.en.eq(self.fill.valid & (self.fill.half == half)),
                read.addr.eq(self.read.addr[: len(read.addr)]),
                read.en.eq(self.read.en & (self.read.half == half)),
            ]
            words.append(read.data)
        m.d.comb += self.read.data.eq(Mux(reading, words[1], words[0]))

        return m
