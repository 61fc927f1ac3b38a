"""The memory outside, as a testbench has it: an AXI4 slave whose time is ``MemoryConfig``'s."""

from collections.abc import Iterable
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In
from amaranth.utils import exact_log2

from hwsim.config import BusConfig
from hwsim.rtl.bus.axi import LEN_BITS, OKAY, RESP_BITS, SLVERR, read_port, write_port

__all__ = ["MemoryModel", "inject_layout", "model_layout"]

#: Bursts that can be queued, the most that ``MemoryConfig.outstanding`` allows.
_DEPTH = 16
#: Bits of a point in time, in cycles.
_TIME = 48


def model_layout() -> data.StructLayout:
    """Numbers of ``MemoryConfig``; ``interval`` as it has it for the bus."""
    return data.StructLayout({"latency": 16, "interval": 16, "overhead": 16, "outstanding": 5})


def inject_layout(bus: BusConfig) -> data.StructLayout:
    """Addresses that are answered with an error while ``enable``: ``first`` to ``last``."""
    return data.StructLayout({"enable": 1, "first": bus.addr_width, "last": bus.addr_width})


class MemoryModel(wiring.Component):
    """Serve reads in order and writes in order, one burst at a time, in exactly computable time.

    * A read's first beat is offered ``latency`` cycles after its address is taken, or ``interval +
      overhead`` after the last beat of the read before, whichever is later; each further beat
      ``interval`` cycles after the one before.
    * A write's beats are taken likewise, the first one cycle after its address at the earliest;
      its response is offered ``latency`` cycles after its last beat.
    * ``outstanding`` addresses of reads, and of writes, are taken before one has ended; the end
      makes room in the next cycle.

    Parameters
    ----------
    bus : BusConfig
    size : int
        Bytes, a power of two; every beat beyond them is answered with an error and not written.
    init : Iterable[int]
        Beats of the image from address 0 on; zeros follow.

    Members
    -------
    read : ``In(read_port)``
    write : ``In(write_port)``
    model : ``In(model_layout())``
        Does not change while a burst is under way.
    inject : ``In(inject_layout(bus))``
    """

    read: Any
    write: Any
    model: data.View
    inject: data.View

    def __init__(self, bus: BusConfig, *, size: int, init: Iterable[int] = ()) -> None:
        self.bus = bus
        self.addr_bits = exact_log2(size)
        self.data: Memory = Memory(shape=bus.data_width, depth=size // bus.bytes, init=init)
        self.now = Signal(_TIME)
        super().__init__(
            {
                "read": In(read_port(bus.addr_width, bus.data_width)),
                "write": In(write_port(bus.addr_width, bus.data_width)),
                "model": In(model_layout()),
                "inject": In(inject_layout(bus)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.data = self.data
        m.d.sync += self.now.eq(self.now + 1)
        self._reads(m)
        self._writes(m)
        return m

    def _reads(self, m: Module) -> None:
        r = self.read.r
        port = self.data.read_port(domain="comb")
        taken = Signal(name="read_taken")
        addr, last, due = self._bursts(m, "read", self.read.ar, taken, taken & r.last)
        resp = self._resp(addr)
        m.d.comb += [
            r.valid.eq(due),
            taken.eq(r.valid & r.ready),
            port.addr.eq(addr[exact_log2(self.bus.bytes) : self.addr_bits]),
            r.data.eq(Mux(addr[self.addr_bits :].any(), 0, port.data)),
            r.resp.eq(resp),
            r.last.eq(last),
        ]

    def _writes(self, m: Module) -> None:
        w, b = self.write.w, self.write.b
        port = self.data.write_port(granularity=8)
        taken = Signal(name="write_taken")
        ended = Signal(name="write_ended")
        addr, last, due = self._bursts(m, "write", self.write.aw, taken, ended)
        m.submodules.responses = responses = SyncFIFO(width=RESP_BITS + _TIME, depth=_DEPTH)
        bad = Signal()
        resp = Signal(RESP_BITS)
        m.d.comb += [
            w.ready.eq(due),
            taken.eq(w.valid & w.ready),
            port.addr.eq(addr[exact_log2(self.bus.bytes) : self.addr_bits]),
            port.data.eq(w.data),
            port.en.eq(Mux(taken & ~addr[self.addr_bits :].any(), w.strb, 0)),
            resp.eq(self._resp(addr) | Mux(bad, SLVERR, OKAY)),
            responses.w_en.eq(taken & last),
            responses.w_data.eq(Cat(resp, (self.now + self.model.latency)[:_TIME])),
            b.valid.eq(responses.r_rdy & (self.now >= responses.r_data[RESP_BITS:])),
            b.resp.eq(responses.r_data[:RESP_BITS]),
            responses.r_en.eq(b.valid & b.ready),
            ended.eq(b.valid & b.ready),
        ]
        with m.If(taken):
            m.d.sync += bad.eq(Mux(last, 0, resp != OKAY))

    def _resp(self, addr: Value) -> Value:
        """Response for the beat at an address."""
        inside = (addr >= self.inject.first) & (addr <= self.inject.last)
        beyond = addr[self.addr_bits :].any()
        return Mux((self.inject.enable & inside) | beyond, SLVERR, OKAY)

    def _bursts(self, m: Module, name: str, ax, taken, ended):
        """Queue bursts; returns address and last of the oldest one's beat, and whether it is due.

        ``taken``: this beat is transferred. ``ended``: a burst no longer counts as outstanding.
        """
        layout = data.StructLayout({"addr": self.bus.addr_width, "len": LEN_BITS, "due": _TIME})
        m.submodules[f"{name}_bursts"] = queue = SyncFIFO(width=layout.size, depth=_DEPTH)
        pushed, head = data.View(layout, queue.w_data), data.View(layout, queue.r_data)
        under_way = Signal(range(_DEPTH + 1), name=f"{name}_under_way")
        beat = Signal(LEN_BITS, name=f"{name}_beat")
        gap_over = Signal(_TIME, name=f"{name}_gap_over")
        last = Signal(name=f"{name}_last")
        addr = Signal(self.bus.addr_width, name=f"{name}_addr")
        # a write's beats may come one cycle after their address, a read's after the latency
        latency = self.model.latency if name == "read" else 1
        m.d.comb += [
            ax.ready.eq(under_way < self.model.outstanding),
            queue.w_en.eq(ax.valid & ax.ready),
            pushed.addr.eq(ax.addr),
            pushed.len.eq(ax.len),
            pushed.due.eq(self.now + latency),
            addr.eq(head.addr + Cat(Const(0, exact_log2(self.bus.bytes)), beat)),
            last.eq(beat == head.len),
            queue.r_en.eq(taken & last),
        ]
        m.d.sync += under_way.eq(under_way + (ax.valid & ax.ready) - ended)
        with m.If(taken):
            m.d.sync += beat.eq(Mux(last, 0, beat + 1))
            pause = Mux(last, self.model.overhead, 0)
            m.d.sync += gap_over.eq(self.now + self.model.interval + pause)
        due = queue.r_rdy & (self.now >= head.due) & (self.now >= gap_over)
        return addr, last, due
