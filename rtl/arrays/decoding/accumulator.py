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
    stored. One adder per lane serves all banks. What a memory gives goes into a register in front
    of the adder: read, addition and write take a cycle each. A sum that is not yet in the memory
    when its row is read again is taken on its way there, so a row may be addressed in every cycle.

    * Latency: three cycles from ``add`` to the sum being stored: fetch, capture, then add
      ``product`` (which arrives two cycles after ``add``) and write. One cycle from ``drain.read``
      to ``psum``.
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
        Add the ``product`` of the cycle after next to this row of this bank.
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

        # bank and row of each stage: fetch, capture, add
        fetches = Signal(banks.count)
        captures = Signal.like(fetches)
        adds = Signal.like(fetches)
        captured_bank = Signal.like(self.bank, reset_less=True)
        captured_row = Signal.like(self.row, reset_less=True)
        added_row = Signal.like(self.row, reset_less=True)
        m.d.comb += fetches.eq(Cat(self.add & (self.bank == i) for i in range(banks.count)))
        m.d.sync += [
            captures.eq(fetches),
            adds.eq(captures),
            captured_bank.eq(self.bank),
            captured_row.eq(self.row),
            added_row.eq(captured_row),
        ]

        # the row that is captured now is added to in this cycle, or was in the one before
        is_next = Signal()
        is_after_next = Signal()
        before = data.View(psums, Signal(psums.size, name="before", reset_less=True))
        total = data.View(psums, Signal(psums.size, name="total"))
        total_q = data.View(psums, Signal(psums.size, name="total_q", reset_less=True))
        m.d.sync += [
            is_next.eq((captures & fetches).any() & (self.row == captured_row)),
            is_after_next.eq((adds & fetches).any() & (self.row == added_row)),
            total_q.eq(total),
        ]

        fetched, psum, reads, writes = [], [], [], []
        for index in range(banks.count):
            bank: Memory = Memory(shape=psums, depth=banks.depth, init=[])
            m.submodules[f"bank_{index}"] = bank
            write = bank.write_port()
            read = bank.read_port()
            is_zeroing = (drain.zero & (drain.bank == index)) | drain.clear
            m.d.comb += [
                read.en.eq(fetches[index] | (drain.read & (drain.read_bank == index))),
                read.addr.eq(Mux(fetches[index], self.row, drain.read_row)),
                write.en.eq(adds[index] | is_zeroing),
                write.addr.eq(Mux(adds[index], added_row, drain.row)),
            ]
            m.d.comb += write.data.as_value().eq(Mux(adds[index], total, 0))
            fetched.append(read.data.as_value())
            row = data.View(beats, read.data.as_value())
            # one beat of several lanes is no choice: shifting wide rows by nothing stops Verilator
            is_whole = banks.beats == 1 and banks.lanes > 1
            psum.append(row[0 if is_whole else drain.beat].as_value())
            reads.append(read.en)
            writes.append(write.en)

        stored = Mux(is_after_next, total_q.as_value(), Array(fetched)[captured_bank])
        m.d.sync += before.as_value().eq(Mux(is_next, total.as_value(), stored))
        m.d.comb += [
            *(total[lane].eq(before[lane] + self.product[lane]) for lane in range(banks.lanes)),
            self.psum.as_value().eq(Array(psum)[drain.bank]),
            self.reads.eq(Cat(reads)),
            self.writes.eq(Cat(writes)),
        ]
        return m
