"""Accumulator of the weight-stationary array."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.rtl.arrays.systolic.layout import psum_lanes, tag_layout
from hwsim.rtl.blocks.delay import delayed

__all__ = ["Accumulator"]


class Accumulator(wiring.Component):
    """Add up the partial sums of a tile's K folds; offer the sum of the last one.

    The memory holds ``depth`` words of one partial sum per column; pixels take its addresses in
    order, from 0 in every fold. It has one read and one write port: a pixel is read one cycle
    before its partial sum comes and written in the cycle in which it comes. A read of the word
    being written gets the new one, so a fold may be a single pixel.

    * Throughput: one pixel per cycle.
    * Latency: one cycle from ``psum`` to ``ofmap``; ``tag`` comes ``delay`` cycles before ``psum``.
    * Stalls (``enable`` is 0) while ``ofmap`` is offered and not taken.

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

    Members
    -------
    tag : ``In(tag_layout())``
        The pixel that has entered the mesh.
    psum : ``In(psum_lanes(cols, psum_width))``
        The partial sums that leave it.
    ofmap : ``Out(stream.Signature(StructLayout({"psum": psum_lanes(cols, psum_width)})))``
    enable : ``Out(1)``
        Everything up to ``psum`` may move.
    busy : ``Out(1)``
        A pixel is on its way or on offer.
    reads, writes : ``Out(1)``
        A word of the memory is used, or written.

    Raises
    ------
    ValueError
        No column, no pixel, or a delay in which the memory cannot be read.
    """

    tag: data.View
    psum: data.View
    ofmap: stream.Interface
    enable: Signal
    busy: Signal
    reads: Signal
    writes: Signal

    def __init__(self, *, cols: int, psum_width: int, depth: int, delay: int) -> None:
        least = (("cols", cols, 1), ("depth", depth, 1), ("delay", delay, 2))
        for name, value, bound in least:
            if value < bound:
                raise ValueError(f"{name} must be at least {bound}, not {value}")
        self.depth, self.delay = depth, delay
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
        lanes, enable, ofmap = self.lanes, self.enable, self.ofmap
        m.d.comb += enable.eq(~ofmap.valid | ofmap.ready)

        acc: Memory = Memory(shape=lanes, depth=self.depth, init=[])
        m.submodules.acc = acc
        write = acc.write_port()
        read = acc.read_port(transparent_for=(write,))

        tags, valid = [], self.ofmap.valid
        tag = self.tag
        for stage in range(self.delay):
            tag = delayed(m, tag, 1, enable=enable, name=f"tag_{stage}", reset_less=False)
            tags.append(tag)
            valid = valid | tag.valid
        m.d.comb += self.busy.eq(valid)

        # a cycle before the partial sum
        read_addr = Signal.like(read.addr)
        m.d.comb += read.addr.eq(read_addr)
        m.d.comb += read.en.eq(enable)
        with m.If(enable & tags[-2].valid):
            m.d.sync += read_addr.eq(Mux(tags[-2].end, 0, read_addr + 1))

        # with it
        write_addr = Signal.like(write.addr, reset_less=True)
        payload = Signal(lanes, reset_less=True)
        total = Signal(lanes)
        for c in range(lanes.length):
            m.d.comb += total[c].eq(Mux(tag.first, 0, read.data[c]) + self.psum[c])
        m.d.comb += write.addr.eq(write_addr)
        m.d.comb += write.data.eq(total)
        m.d.comb += write.en.eq(enable & tag.valid & ~tag.last)
        m.d.comb += self.writes.eq(write.en)
        m.d.comb += self.reads.eq(enable & tag.valid & ~tag.first)
        m.d.comb += ofmap.p.psum.eq(payload)
        with m.If(enable):
            m.d.sync += write_addr.eq(read_addr)
            m.d.sync += ofmap.valid.eq(tag.valid & tag.last)
            with m.If(tag.valid & tag.last):
                m.d.sync += payload.eq(total)

        return m
