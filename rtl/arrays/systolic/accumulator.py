"""Accumulator of the weight-stationary array."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.arrays.systolic.layout import psum_lanes, tag_layout
from hwsim.rtl.blocks.cleared_sum import cleared_sum
from hwsim.rtl.blocks.delay import delayed
from hwsim.rtl.blocks.registered_memory import RegisteredMemory
from hwsim.rtl.blocks.skid import Skid

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """Add up the partial sums of a tile's K folds; offer the sum of the last one.

    The memory holds ``depth`` words of one partial sum per column; pixels take its addresses in
    order, from 0 in every fold. It has one read and one write port. A pixel's word is read two
    cycles before its partial sum comes, waits in the register ``kept`` one cycle before, and is
    written in the cycle in which the sum comes. So a pixel must not return before ``reuse`` cycles:
    3, or 2 where a read of the word being written gets the new one.

    * Throughput: one pixel per cycle.
    * Latency: one cycle from ``psum`` to ``ofmap``; ``tag`` comes ``delay`` cycles before ``psum``.
    * Stalls (``enable`` is 0) from the cycle after an offer of ``ofmap`` that is not taken to that
      of its transfer; the sum of the first of these cycles waits in a skid buffer.

    Parameters
    ----------
    cols : int
        Partial sums of a pixel.
    psum_width : int
        Bits of a partial sum; sums wrap modulo ``2**psum_width``.
    depth : int
        Pixels of the largest fold.
    delay : int
        Enabled cycles from a pixel's ``tag`` to its ``psum``, at least 2.
    reuse : int
        Enabled cycles, 2 or 3, from a pixel to the same one of the next fold at the least.

    Members
    -------
    tag : ``In(tag_layout())``
        The pixel that has entered the mesh.
    psum : ``In(psum_lanes(cols, psum_width))``
        The partial sums that leave it.
    ofmap : ``Out(stream.Signature(StructLayout({"psum": psum_lanes(cols, psum_width)})))``
    enable : ``Out(1)``
        Everything up to ``psum`` may move: a register.
    busy : ``Out(1)``
        A pixel is on its way or on offer.
    reads, writes : ``Out(1)``
        A word of the memory is used, or written.

    Raises
    ------
    ValueError
        No column, no pixel, or numbers of cycles in which the memory cannot be read.
    """

    tag: data.View
    psum: data.View
    ofmap: stream.Interface
    enable: Signal
    busy: Signal
    reads: Signal
    writes: Signal

    def __init__(
        self, *, cols: int, psum_width: int, depth: int, delay: int, reuse: int = 3
    ) -> None:
        least = (("cols", cols, 1), ("depth", depth, 1), ("delay", delay, 2))
        for name, value, bound in least:
            if value < bound:
                raise ValueError(f"{name} must be at least {bound}, not {value}")
        if reuse not in (2, 3):
            raise ValueError(f"reuse must be 2 or 3, not {reuse}")
        self.depth, self.delay, self.reuse = depth, delay, reuse
        self.lanes = lanes = psum_lanes(cols, psum_width)
        super().__init__(
            {
                "tag": In(tag_layout()),
                "psum": In(lanes),
                "ofmap": Out(stream.Signature(data.StructLayout({"psum": lanes}))),
                "enable": Out(1),
                "busy": Out(1),
                "reads": Out(1),
                "writes": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        lanes, enable = self.lanes, self.enable
        m.submodules.skid = skid = Skid(self.ofmap.payload.shape())
        wiring.connect(m, skid.o, wiring.flipped(self.ofmap))
        m.d.comb += enable.eq(skid.i.ready)

        acc = RegisteredMemory(
            m, "acc", lanes, self.depth, transparent=self.reuse == 2, platform=platform
        )
        write, read = acc.write, acc.read

        offered = Signal()
        tags, valid = [self.tag], offered
        for stage in range(self.delay):
            tag = delayed(m, tags[-1], 1, enable=enable, name=f"tag_{stage}", reset_less=False)
            tags.append(tag)
            valid = valid | tag.valid
        m.d.comb += self.busy.eq(valid)
        early, late, tag = tags[-3:]

        # two cycles before the partial sum
        read_addr = Signal.like(read.addr)
        m.d.comb += read.addr.eq(read_addr)
        m.d.comb += read.en.eq(enable & early.valid & ~early.first)
        with m.If(enable & early.valid):
            m.d.sync += read_addr.eq(Mux(early.end, 0, read_addr + 1))

        # one cycle before it
        kept, cleared = acc.registered(m, enable=enable, clear=late.first, name="kept")

        # with it
        payload = Signal(lanes, reset_less=True)
        total = Signal(lanes)
        for c in range(lanes.length):
            word, psum = kept[c], self.psum[c]
            both = (
                word + psum
                if cleared is None
                else cleared_sum(m, word, psum, cleared, name=f"total_{c}", platform=platform)
            )
            m.d.comb += total[c].eq(both)
        m.d.comb += write.addr.eq(delayed(m, read_addr, 2, enable=enable, name="write_addr"))
        m.d.comb += write.data.eq(total)
        m.d.comb += write.en.eq(enable & tag.valid & ~tag.last)
        m.d.comb += self.writes.eq(write.en)
        m.d.comb += self.reads.eq(enable & tag.valid & ~tag.first)
        m.d.comb += [skid.i.valid.eq(offered), skid.i.p.psum.eq(payload)]
        with m.If(enable):
            m.d.sync += offered.eq(tag.valid & tag.last)
            with m.If(tag.valid & tag.last):
                m.d.sync += payload.eq(total)

        return m
