"""Memory, or two that take turns: one is written while the other is read."""

from typing import Any

from amaranth import Module, Mux, Value
from amaranth.hdl import ShapeLike
from amaranth.lib.memory import Memory, ReadPort, WritePort

from hwsim.formats.base import index_width

__all__ = ["HalvedMemory"]


class HalvedMemory:
    """Memory with a read and a write port, in one piece or in two halves.

    * Throughput: one word read and one written per cycle.
    * Latency: a word read comes in the cycle after its address, and stays until the next read.

    Parameters
    ----------
    m
        Module that has the memory.
    name
        Of its submodule; those of halves end with their number.
    shape, depth
        Of a word; words, of each half.
    halves
        1 or 2.
    fills, reads
        Half that is written, and that is read: ``reads`` must not change between a read and the use
        of its word. Without halves, not for use.
    granularity
        As of :meth:`amaranth.lib.memory.Memory.write_port`.

    Attributes
    ----------
    write, read
        Ports as those of :class:`amaranth.lib.memory.Memory`.
    """

    def __init__(
        self,
        m: Module,
        name: str,
        shape: ShapeLike,
        depth: int,
        *,
        halves: int,
        fills: Value,
        reads: Value,
        granularity: int | None = None,
    ) -> None:
        memories: list[Memory] = [Memory(shape=shape, depth=depth, init=[]) for _ in range(halves)]
        if halves == 1:
            m.submodules[name] = memory = memories[0]
            write, read = memory.write_port(granularity=granularity), memory.read_port()
            self.write: Any = write
            self.read: Any = read
            return
        fields: dict[str, Any] = {"addr_width": index_width(depth), "shape": shape}
        written = WritePort.Signature(granularity=granularity, **fields)
        self.write = written.create(path=(name, "write"))
        self.read = ReadPort.Signature(**fields).create(path=(name, "read"))
        words = []
        for half, memory in enumerate(memories):
            m.submodules[f"{name}_{half}"] = memory
            write, read = memory.write_port(granularity=granularity), memory.read_port()
            m.d.comb += [
                write.en.eq(Mux(fills == half, self.write.en, 0)),
                write.addr.eq(self.write.addr),
                write.data.eq(self.write.data),
                read.en.eq(self.read.en & (reads == half)),
                read.addr.eq(self.read.addr),
            ]
            words.append(Value.cast(read.data))
        m.d.comb += Value.cast(self.read.data).eq(Mux(reads, words[1], words[0]))
