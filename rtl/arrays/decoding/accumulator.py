"""Accumulators of an index-decoding PE: csc and bitmask."""

from amaranth import Array, Module, Mux, Signal, signed
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig
from hwsim.formats.base import index_width
from hwsim.rtl.arrays.decoding.drain_layout import array_config, drain_layout, lane_psums
from hwsim.rtl.blocks.multiplier import product_shape

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """Banks of ``acc_depth`` rows of ``lanes`` partial sums: one adds up while one is drained.

    A bank is one memory with a read and a write port, shared by the two users in turn: the PE
    never adds to a bank that is being drained. The memories are transparent, so a row may be
    addressed in every clock.

    * Latency: two clocks from ``add`` to the sum being stored: fetch, then add ``product`` (which
      arrives one clock after ``add``) and write.
    * Throughput: one addition a lane and clock. Never stalls.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family csc or bitmask.

    Members
    -------
    add, bank, row : ``In``
        Add the next clock's ``product`` to this row of this bank.
    product : ``In(ArrayLayout(signed(...), lanes))``
        Products, one a lane.
    clear : ``In(1)``
        Zero row ``drain.row`` of all banks.
    drain : ``In(drain_layout(arch))``
        Fetch and zero of the bank that is not in use.
    psum : ``Out(lane_psums(arch))``
        Lanes of beat ``drain.beat`` of the row fetched last from bank ``drain.bank``.
    """

    add: Signal
    bank: Signal
    row: Signal
    product: data.View
    clear: Signal
    drain: data.View
    psum: data.View

    def __init__(self, arch: ArchConfig) -> None:
        self.numbers, self.array = arch.numbers, array_config(arch)
        numbers, array = self.numbers, self.array
        product = product_shape(numbers)
        super().__init__(
            {
                "add": In(1),
                "bank": In(index_width(array.acc_banks)),
                "row": In(index_width(array.acc_depth)),
                "product": In(data.ArrayLayout(product, array.lanes)),
                "clear": In(1),
                "drain": In(drain_layout(arch)),
                "psum": Out(lane_psums(arch)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array, drain = self.array, self.drain
        psums = data.ArrayLayout(signed(self.numbers.psum_width), array.lanes)
        beats = data.ArrayLayout(self.psum.shape(), array.lanes // array.drain_lanes)

        add_q = Signal()
        bank_q = Signal.like(self.bank, reset_less=True)
        row_q = Signal.like(self.row, reset_less=True)
        m.d.sync += [add_q.eq(self.add), bank_q.eq(self.bank), row_q.eq(self.row)]

        psum = []
        for index in range(array.acc_banks):
            bank: Memory = Memory(shape=psums, depth=array.acc_depth, init=[])
            m.submodules[f"bank_{index}"] = bank
            write = bank.write_port()
            read = bank.read_port(transparent_for=(write,))
            is_fetching = self.add & (self.bank == index)
            is_adding = add_q & (bank_q == index)
            m.d.comb += [
                read.en.eq(is_fetching | (drain.read & (drain.read_bank == index))),
                read.addr.eq(Mux(is_fetching, self.row, drain.read_row)),
                write.en.eq(is_adding | (drain.zero & (drain.bank == index)) | self.clear),
                write.addr.eq(Mux(is_adding, row_q, drain.row)),
            ]
            for lane in range(array.lanes):
                total = read.data[lane] + self.product[lane]
                m.d.comb += write.data[lane].eq(Mux(is_adding, total, 0))
            psum.append(data.View(beats, read.data.as_value())[drain.beat].as_value())

        m.d.comb += self.psum.as_value().eq(Array(psum)[drain.bank])
        return m
