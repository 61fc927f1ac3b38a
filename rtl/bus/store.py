"""Store engine: strided blocks from the act banks into the memory outside."""

from typing import Any

from amaranth import Cat, Module, ResetInserter, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hwsim.config import BusConfig
from hwsim.contract.descriptors import ADDRESS_BITS, INDEX_BITS
from hwsim.contract.machine import STORE_AHEAD
from hwsim.rtl.blocks.ports import memory_read
from hwsim.rtl.bus.axi import LEN_BITS, OKAY, write_port
from hwsim.rtl.bus.bursts import Bursts
from hwsim.rtl.bus.gearbox import Pack

__all__ = ["Store", "block_layout"]


def block_layout(bus: BusConfig) -> data.StructLayout:
    """Block that the engine stores: rows on chip, and where they go."""
    return data.StructLayout(
        {
            "address": bus.addr_width,
            "row_step": 32,
            "rows": 16,
            "words": 16,
            "from_": 16,
            "from_step": 16,
            "index": 3,
        }
    )


class Store(wiring.Component):
    """Store one block after the other.

    One walker requests bursts, the other reads words, which are packed into beats. A row begins on
    a beat; zeros fill its last one up, and are written.

    * Throughput: one word read and one beat written per cycle, without a gap between rows.
    * Latency: the first burst is requested, and the first word read, one cycle after the block's
      transfer; a beat is offered three cycles after its last word is read (bank, queue, gearbox).
    * Stalls: reads stop while three words wait for the memory. ``hwsim.accelerator.store`` gives
      the exact time.

    Parameters
    ----------
    bus : BusConfig
    width : int
        Bits of a word, a power of two, at least 8.

    Members
    -------
    block : ``In(stream.Signature(block_layout(bus)))``
        ``address`` and ``row_step`` are bytes, multiples of a beat. Nothing may be 0, but steps of
        a single row. Taken while the engine is not busy.
    cancel : ``In(1)``
        Drop the block; hold it for two cycles and until the engine is no longer ``busy``, when the
        bursts under way are written and answered. No block may be offered meanwhile.
    read : ``Out(memory_read(...))``
    axi : ``Out(write_port)``
    busy : ``Out(1)``
        A block is under way; 0 from the first cycle on in which the memory has answered everything.
    error : ``Out(1)``
        A burst was answered with an error since the engine was last idle; stays until the next
        block.
    beat : ``Out(1)``
        A beat is written.

    Raises
    ------
    ValueError
        The width is no power of two.
    """

    block: stream.Interface
    cancel: Signal
    read: Any
    axi: Any
    busy: Signal
    error: Signal
    beat: Signal

    def __init__(self, *, bus: BusConfig, width: int) -> None:
        if width < 8 or width & (width - 1):
            raise ValueError(f"width must be a power of two, at least 8, not {width}")
        self.bus, self.width = bus, width
        super().__init__(
            {
                "block": In(stream.Signature(block_layout(bus))),
                "cancel": In(1),
                "read": Out(memory_read(ADDRESS_BITS, width, index=INDEX_BITS)),
                "axi": Out(write_port(bus.addr_width, bus.data_width)),
                "busy": Out(1),
                "error": Out(1),
                "beat": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        block, taken = self.block.p, Signal()
        m.d.comb += [
            self.block.ready.eq(~self.busy),
            taken.eq(self.block.valid & ~self.busy),
        ]

        # bits of a beat's words, or of a word's beats
        ratio = exact_log2(max(self.width, self.bus.data_width))
        ratio -= exact_log2(min(self.width, self.bus.data_width))
        wide = self.width >= self.bus.data_width
        m.submodules.bursts = bursts = Bursts(self.bus, 16 + (ratio if wide else 0))
        beats = block.words << ratio if wide else (block.words + ((1 << ratio) - 1)) >> ratio
        m.d.comb += [
            bursts.block.valid.eq(taken),
            bursts.block.p.address.eq(block.address),
            bursts.block.p.row_step.eq(block.row_step),
            bursts.block.p.rows.eq(block.rows),
            bursts.block.p.beats.eq(beats),
            bursts.cancel.eq(self.cancel),
            self.busy.eq(bursts.busy),
        ]
        # words that no burst takes any more
        dropped = Signal()
        m.d.comb += dropped.eq(self.cancel & ~bursts.busy)

        # the data of a burst may go from the cycle on after its address
        aw, w, b = self.axi.aw, self.axi.w, self.axi.b
        m.submodules.lengths = lengths = SyncFIFO(width=LEN_BITS, depth=self.bus.outstanding)
        m.d.comb += [
            aw.valid.eq(bursts.burst.valid),
            aw.addr.eq(bursts.burst.p.addr),
            aw.len.eq(bursts.burst.p.len),
            bursts.burst.ready.eq(aw.ready),
            lengths.w_en.eq(aw.valid & aw.ready),
            lengths.w_data.eq(aw.len),
            b.ready.eq(1),
            bursts.done.eq(b.valid),
        ]
        pack = Pack(self.width, self.bus.data_width)
        m.submodules.pack = ResetInserter(dropped)(pack)
        position = Signal(LEN_BITS)
        m.d.comb += [
            w.valid.eq(pack.o.valid & lengths.r_rdy),
            w.data.eq(pack.o.payload),
            w.strb.eq(~0),
            w.last.eq(position == lengths.r_data),
            pack.o.ready.eq(w.ready & lengths.r_rdy),
            self.beat.eq(w.valid & w.ready),
            lengths.r_en.eq(self.beat & w.last),
        ]
        with m.If(self.beat):
            m.d.sync += position.eq(position + 1)
        with m.If(lengths.r_en):
            m.d.sync += position.eq(0)

        with m.If(b.valid & (b.resp != OKAY)):
            m.d.sync += self.error.eq(1)
        with m.Elif(taken):
            m.d.sync += self.error.eq(0)

        self._read(m, taken, dropped, pack)
        return m

    def _read(self, m: Module, taken: Signal, dropped: Signal, pack: Pack) -> None:
        """Read the words of a block, no more than there is room for."""
        block = self.block.p
        words = SyncFIFO(width=self.width + 1, depth=STORE_AHEAD)
        m.submodules.words = ResetInserter(dropped)(words)
        ahead = Signal(range(STORE_AHEAD + 1))
        active = Signal()
        addr = Signal(16, reset_less=True)
        row = Signal(16, reset_less=True)
        step = Signal(16, reset_less=True)
        per_row = Signal(16, reset_less=True)
        left = Signal(16, reset_less=True)
        rows = Signal(16, reset_less=True)
        index = Signal(3, reset_less=True)
        ends_row = Signal()
        next_row = Signal(16)
        m.d.comb += [
            self.read.en.eq(active & (ahead != STORE_AHEAD)),
            self.read.index.eq(index),
            self.read.addr.eq(addr),
            ends_row.eq(left == 1),
            next_row.eq(row + step),
        ]
        with m.If(self.read.en & ends_row):
            m.d.sync += [addr.eq(next_row), row.eq(next_row), left.eq(per_row)]
            m.d.sync += [rows.eq(rows - 1), active.eq(rows != 1)]
        with m.Elif(self.read.en):
            m.d.sync += [addr.eq(addr + 1), left.eq(left - 1)]
        with m.If(taken):
            m.d.sync += [
                active.eq(1),
                addr.eq(block.from_),
                row.eq(block.from_),
                step.eq(block.from_step),
                per_row.eq(block.words),
                left.eq(block.words),
                rows.eq(block.rows),
                index.eq(block.index),
            ]

        comes = Signal()
        comes_last = Signal(reset_less=True)
        m.d.sync += [comes.eq(self.read.en), comes_last.eq(ends_row)]
        m.d.sync += ahead.eq(ahead + self.read.en - (words.r_rdy & words.r_en))
        m.d.comb += [
            words.w_en.eq(comes),
            words.w_data.eq(Cat(self.read.data, comes_last)),
            pack.i.valid.eq(words.r_rdy),
            pack.i.payload.eq(words.r_data),
            words.r_en.eq(pack.i.ready),
        ]
        with m.If(dropped):
            m.d.sync += [active.eq(0), comes.eq(0), ahead.eq(0)]
