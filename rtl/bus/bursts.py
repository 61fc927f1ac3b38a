"""Bursts of a strided block: rows cut at the longest burst and at the pages of AXI."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hwsim.config import BusConfig
from hwsim.config.machine import PAGE
from hwsim.rtl.bus.axi import LEN_BITS

__all__ = ["Bursts"]


class Bursts(wiring.Component):
    """Walk over the rows of blocks and request their bursts, no more at once than is allowed.

    * Throughput: one burst per cycle, without a gap between rows or between blocks.
    * Latency: one cycle from a block's transfer to its first burst.
    * Stalls: no burst is offered while ``outstanding`` are under way. A register counts them: the
      end of one makes room in the next cycle.

    Parameters
    ----------
    bus : BusConfig
    beats_width : int
        Bits of the beats in a row.

    Members
    -------
    block : ``In(stream.Signature(StructLayout))``
        ``address``, ``row_step`` (bytes, multiples of a beat), ``rows``, ``beats`` (per row).
    burst : ``Out(stream.Signature(StructLayout))``
        ``addr`` and ``len`` as AXI has them.
    done : ``In(1)``
        A burst has ended.
    cancel : ``In(1)``
        Request no other burst of the block than the one that is offered.
    busy : ``Out(1)``
        A burst will be requested or is under way.
    """

    block: stream.Interface
    burst: stream.Interface
    done: Signal
    cancel: Signal
    busy: Signal

    def __init__(self, bus: BusConfig, beats_width: int = 16) -> None:
        self.bus = bus
        block = {"address": bus.addr_width, "row_step": 32, "rows": 16, "beats": beats_width}
        burst = {"addr": bus.addr_width, "len": LEN_BITS}
        super().__init__(
            {
                "block": In(stream.Signature(data.StructLayout(block))),
                "burst": Out(stream.Signature(data.StructLayout(burst))),
                "done": In(1),
                "cancel": In(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        bus, block = self.bus, self.block.p
        active = Signal()
        under_way = Signal(range(bus.outstanding + 1))
        address = Signal(bus.addr_width, reset_less=True)
        row = Signal(bus.addr_width, reset_less=True)
        row_step = Signal(32, reset_less=True)
        rows = Signal(16, reset_less=True)
        beats = Signal.like(block.beats, reset_less=True)
        left = Signal.like(block.beats, reset_less=True)

        # beats of this burst: up to the longest, to the end of the row, to the end of the page; the
        # page counts only in its last part as long as a burst
        lsb, bits = exact_log2(bus.bytes), exact_log2(bus.burst)
        low, part = address[lsb:][:bits], address[lsb + bits :]
        last_part = part[: exact_log2(PAGE) - lsb - bits].all()
        longest = Signal()
        in_row = Mux(longest, bus.burst, left[:bits])
        crosses = Signal()
        m.d.comb += [
            longest.eq(left[bits:].any()),
            crosses.eq(last_part & Mux(longest, low.any(), low + left[:bits] > bus.burst)),
        ]

        taken = Signal()
        ends_row = Signal()
        ends_block = Signal()
        m.d.comb += [
            self.burst.valid.eq(active & (under_way != bus.outstanding)),
            self.burst.p.addr.eq(address),
            self.burst.p.len.eq(Mux(crosses, bus.burst - low, in_row) - 1),
            taken.eq(self.burst.valid & self.burst.ready),
            ends_row.eq(~crosses & (left <= bus.burst)),
            ends_block.eq(ends_row & (rows == 1)),
            self.block.ready.eq(~active | (taken & ends_block)),
            self.busy.eq(active | (under_way != 0)),
        ]
        m.d.sync += under_way.eq(under_way + taken - self.done)

        next_row = Signal(bus.addr_width)
        m.d.comb += next_row.eq(row + row_step)
        with m.If(taken & ends_row):
            m.d.sync += [row.eq(next_row), address.eq(next_row), left.eq(beats), rows.eq(rows - 1)]
        with m.Elif(taken):
            # a burst that ends neither row nor page is the longest
            m.d.sync += [part.eq(part + 1), low.eq(Mux(crosses, 0, low))]
            m.d.sync += left.eq(left - bus.burst + Mux(crosses, low, 0))
        with m.If(self.block.valid & self.block.ready):
            m.d.sync += [
                active.eq(1),
                row.eq(block.address),
                address.eq(block.address),
                row_step.eq(block.row_step),
                rows.eq(block.rows),
                beats.eq(block.beats),
                left.eq(block.beats),
            ]
        with m.Elif(taken & ends_block):
            m.d.sync += active.eq(0)
        # what is offered has to stay until it is taken
        with m.If(self.cancel & (~self.burst.valid | self.burst.ready)):
            m.d.sync += active.eq(0)
        return m
