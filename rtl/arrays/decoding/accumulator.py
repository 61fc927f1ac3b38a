"""Accumulators of an index-decoding PE."""

from amaranth import Array, Cat, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config.arrays.decoding import Banks
from hwsim.formats.base import index_width
from hwsim.rtl.arrays.decoding.drain_layout import drain_layout, lane_psums

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """Banks of rows of partial sums, one per lane: one bank adds up while another is drained.

    A bank is one memory with a read and a write port, shared by the two users in turn: the PE
    never adds to a bank that is being drained, nor is a sum drained in the cycle in which it is
    stored. One adder per lane serves all banks. It takes the sum of the cycle before from a
    register if that is of the same row, so a row may be addressed in every cycle.

    * Latency: two cycles from ``add`` to the sum being stored: fetch, then add ``product`` (which
      arrives one cycle after ``add``) and write. One cycle from ``drain.read`` to ``psum``.
    * Throughput: one addition per lane and cycle. Never stalls.

    Parameters
    ----------
    banks : :class:`~hwsim.config.arrays.decoding.Banks`
        Number and size of the banks.
    product_width, psum_width : int
        Bits of a product and of a partial sum, which wraps.

    Members
    -------
    add, bank, row : ``In``
        Add the next cycle's ``product`` to this row of this bank.
    product : ``In(ArrayLayout(signed(product_width), lanes))``
        Products, one per lane.
    drain : ``In(drain_layout(banks))``
        Fetch and zero of the bank that is not in use.
    psum : ``Out(lane_psums(banks, psum_width))``
        Lanes of beat ``drain.beat`` of the row fetched last from bank ``drain.bank``.
    reads, writes : ``Out(banks.count)``
        A row of the bank is read, or written, in this cycle.
    """

    add: Signal
    bank: Signal
    row: Signal
    product: data.View
    drain: data.View
    psum: data.View
    reads: Signal
    writes: Signal

    def __init__(self, banks: Banks, *, product_width: int, psum_width: int) -> None:
        self.banks, self.psum_width = banks, psum_width
        if product_width > psum_width:
            raise ValueError(
                f"psum_width must hold one product ({product_width} bits), not {psum_width}"
            )
        super().__init__(
            {
                "add": In(1),
                "bank": In(index_width(banks.count)),
                "row": In(index_width(banks.depth)),
                "product": In(data.ArrayLayout(signed(product_width), banks.lanes)),
                "drain": In(drain_layout(banks)),
                "psum": Out(lane_psums(banks, psum_width)),
                "reads": Out(banks.count),
                "writes": Out(banks.count),
            }
        )

    def elaborate(self, platform):
        m = Module()
        banks, drain = self.banks, self.drain
        psums = data.ArrayLayout(signed(self.psum_width), banks.lanes)
        beats = data.ArrayLayout(self.psum.shape(), banks.beats)

        add_q = Signal()
        bank_q = Signal.like(self.bank, reset_less=True)
        row_q = Signal.like(self.row, reset_less=True)
        m.d.sync += [add_q.eq(self.add), bank_q.eq(self.bank), row_q.eq(self.row)]

        # the row that is added to now is that of the cycle before, and not yet in the memory
        is_same = Signal()
        total = data.View(psums, Signal(psums.size, name="total"))
        total_q = data.View(psums, Signal(psums.size, name="total_q", reset_less=True))
        m.d.sync += [
            is_same.eq(add_q & (self.bank == bank_q) & (self.row == row_q)),
            total_q.eq(total),
        ]

        fetched, psum, reads, writes = [], [], [], []
        for index in range(banks.count):
            bank: Memory = Memory(shape=psums, depth=banks.depth, init=[])
            m.submodules[f"bank_{index}"] = bank
            write = bank.write_port()
            read = bank.read_port()
            is_fetching = self.add & (self.bank == index)
            is_adding = add_q & (bank_q == index)
            m.d.comb += [
                read.en.eq(is_fetching | (drain.read & (drain.read_bank == index))),
                read.addr.eq(Mux(is_fetching, self.row, drain.read_row)),
                write.en.eq(is_adding | (drain.zero & (drain.bank == index)) | drain.clear),
                write.addr.eq(Mux(is_adding, row_q, drain.row)),
            ]
            m.d.comb += write.data.as_value().eq(Mux(is_adding, total, 0))
            fetched.append(read.data.as_value())
            psum.append(data.View(beats, read.data.as_value())[drain.beat].as_value())
            reads.append(read.en)
            writes.append(write.en)

        before = data.View(psums, Mux(is_same, total_q.as_value(), Array(fetched)[bank_q]))
        m.d.comb += [
            *(total[lane].eq(before[lane] + self.product[lane]) for lane in range(banks.lanes)),
            self.psum.as_value().eq(Array(psum)[drain.bank]),
            self.reads.eq(Cat(reads)),
            self.writes.eq(Cat(writes)),
        ]
        return m
