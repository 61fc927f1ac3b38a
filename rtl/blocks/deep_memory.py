"""Memory of many words: pieces of a fast macro's depth, and a register behind each."""

from typing import Any

from amaranth import Array, Const, Module, Signal
from amaranth.hdl import ShapeLike
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.contract.memories import PIECE_DEPTH
from hwsim.formats.base import index_width
from hwsim.rtl.blocks.delay import delayed

__all__ = ["DeepMemory"]


class DeepMemory(wiring.Component):
    """Memory that is read and written one piece at a time.

    A macro of few words is fast, and takes less energy per access. What a piece gives goes into a
    register of its own before the piece that was read is selected: both take most of a cycle.

    * Latency: two cycles from ``read_en`` to ``word``.
    * Throughput: one word read, or one written, per cycle; both where there are halves.
    * Stalls: never.

    Parameters
    ----------
    shape
        Of a word.
    depth : int
        Words.
    halves : int
        So many memories of ``depth`` words, a power of two then: one is written while another is
        read. The highest bits of an address say which.

    Members
    -------
    write_en, write_addr, write_data : ``In``
        Write a word.
    read_en, read_addr : ``In``
        Read a word.
    word : ``Out(shape)``
        The word that was read two cycles ago; it is held for no longer.
    """

    write_en: Signal
    write_addr: Signal
    write_data: Any
    read_en: Signal
    read_addr: Signal
    word: Any

    def __init__(self, shape: ShapeLike, depth: int, *, halves: int = 1) -> None:
        if depth < 1:
            raise ValueError(f"depth must be at least 1, not {depth}")
        self.shape, self.depth = shape, depth * halves
        self.piece = min(depth, PIECE_DEPTH)
        address = index_width(self.depth)
        super().__init__(
            {
                "write_en": In(1),
                "write_addr": In(address),
                "write_data": In(shape),
                "read_en": In(1),
                "read_addr": In(address),
                "word": Out(shape),
            }
        )

    def elaborate(self, platform):
        m = Module()
        count = -(-self.depth // self.piece)
        low = index_width(self.piece)
        written, read = self.write_addr[low:], self.read_addr[low:]
        words = []
        for index in range(count):
            depth = min(self.piece, self.depth - index * self.piece)
            memory: Memory = Memory(shape=self.shape, depth=depth, init=[])
            m.submodules[f"piece_{index}"] = memory
            write_port, read_port = memory.write_port(), memory.read_port()
            m.d.comb += [
                write_port.en.eq(self.write_en & (written == index)),
                write_port.addr.eq(self.write_addr[:low]),
                write_port.data.eq(self.write_data),
                read_port.en.eq(self.read_en & (read == index)),
                read_port.addr.eq(self.read_addr[:low]),
            ]
            word: Any = Signal(self.shape, name=f"word_{index}", reset_less=True)
            m.d.sync += word.eq(read_port.data)
            words.append(word)
        if count == 1:
            m.d.comb += self.word.eq(words[0])
        else:
            piece = delayed(m, read, 2, enable=Const(1), name="piece")
            m.d.comb += self.word.eq(Array(words)[piece])
        return m
