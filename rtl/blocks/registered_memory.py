"""Memory whose words wait in a register: flip-flops, or that of an ECP5's block RAM."""

import math
from typing import Any

from amaranth import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value
from amaranth.lib import data
from amaranth.lib.memory import Memory, ReadPort, WritePort

from hwsim.formats.base import index_width
from hwsim.rtl.blocks.delay import delayed

__all__ = ["RegisteredMemory"]

#: Words and bits of a PDPW16KD.
_DEPTH, _WIDTH = 512, 36


class RegisteredMemory:
    """Memory with a read and a write port, and a register behind the read port.

    An ECP5's block RAM is slow from clock to output, unless through its own output register, which
    synthesis does not use by itself: for the platform ``"ecp5"`` blocks are instantiated, where
    they are deep enough and more than a quarter full.

    * Throughput: one word read and one written per cycle.
    * Latency: one cycle from ``read`` to the register's input, one enabled cycle through it.

    Parameters
    ----------
    m
        Module that has the memory.
    name
        Of its submodules.
    lanes
        Layout of a word.
    depth
        Words.
    transparent
        A read of the word that is being written gets the new one; else it gets anything.
    platform
        As ``elaborate`` has it.

    Attributes
    ----------
    write, read
        Ports as those of :class:`amaranth.lib.memory.Memory`. Drive them; ``read.data`` is not for
        use.
    """

    def __init__(
        self,
        m: Module,
        name: str,
        lanes: data.ArrayLayout,
        depth: int,
        *,
        transparent: bool,
        platform: object,
    ) -> None:
        self.name, self.lanes = name, lanes
        self.is_blocks = platform == "ecp5" and _DEPTH // 4 < depth <= _DEPTH and not transparent
        if self.is_blocks:
            addr_width = index_width(depth)
            self.write: Any = WritePort.Signature(addr_width=addr_width, shape=lanes).create()
            self.read: Any = ReadPort.Signature(addr_width=addr_width, shape=lanes).create()
            return
        memory: Memory = Memory(shape=lanes, depth=depth, init=[])
        m.submodules[name] = memory
        self.write = memory.write_port()
        self.read = memory.read_port(transparent_for=(self.write,) if transparent else ())

    def registered(
        self, m: Module, *, enable: Value, clear: Value, name: str
    ) -> tuple[Any, Value | None]:
        """Register behind the read port, and what clears it: ``None`` where it is cleared itself.

        Parameters
        ----------
        enable
            It moves in the cycles in which this is 1.
        clear
            It counts as 0 instead of as the word.
        name
            Of the register.
        """
        kept: Any = Signal(self.lanes, name=name, reset_less=True)
        if not self.is_blocks:
            with m.If(enable):
                for lane in range(self.lanes.length):
                    m.d.sync += kept[lane].eq(Mux(clear, 0, self.read.data[lane]))
            return kept, None
        words = Signal(self.lanes.size, name=f"{self.name}_words")
        m.d.comb += kept.as_value().eq(words)
        for index in range(math.ceil(len(words) / _WIDTH)):
            bits = slice(index * _WIDTH, (index + 1) * _WIDTH)
            written = self.write.data.as_value()[bits]
            self._block(m, f"{self.name}_{index}", written, words[bits], enable)
        return kept, delayed(m, clear, 1, enable=enable, name=f"{name}_clear")

    def _block(self, m: Module, name: str, written: Value, read: Value, enable: Value) -> None:
        """PDPW16KD of some bits of the words."""
        ports: dict[str, Value] = {f"o_DO{bit}": read[bit] for bit in range(len(read))}
        # the read port counts bits: a word of 36 is 32 of them
        read_addr = Cat(Const(0, 5), self.read.addr)
        pins = {"DI": (written, _WIDTH), "ADW": (self.write.addr, 9), "ADR": (read_addr, 14)}
        pins |= {"BE": (Const(-1, 4), 4), "CSW": (Const(0), 3), "CSR": (Const(0), 3)}
        for pin, (value, width) in pins.items():
            # none is left open
            bits = Cat(value, Const(0, width - len(value)))
            ports |= {f"i_{pin}{bit}": bits[bit] for bit in range(width)}
        m.submodules[name] = Instance(
            "PDPW16KD",
            p_DATA_WIDTH_W=_WIDTH,
            p_DATA_WIDTH_R=_WIDTH,
            p_REGMODE="OUTREG",
            p_RESETMODE="SYNC",
            p_GSR="DISABLED",
            i_CLKW=ClockSignal(),
            i_CEW=self.write.en,
            i_CLKR=ClockSignal(),
            i_CER=self.read.en,
            i_OCER=enable,
            i_RST=Const(0, 1),
            **ports,
        )
