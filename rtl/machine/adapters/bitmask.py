"""Adapter of the bitmask array."""

from amaranth import Module, ResetInserter
from amaranth.utils import exact_log2

from hwsim.config import BitmaskConfig
from hwsim.rtl.arrays.bitmask.layout import weight_layout
from hwsim.rtl.machine.adapters import interface
from hwsim.rtl.machine.adapters.decoding import add_array, fill_later
from hwsim.rtl.machine.adapters.interface import connect
from hwsim.rtl.machine.command import pixels
from hwsim.rtl.machine.encoder import Encoder
from hwsim.rtl.machine.writer import Writer

__all__ = ["Adapter"]


class Adapter(interface.Adapter):
    """A bitmask array of one cluster in a machine: each word of an act bank is a chunk.

    An encoder makes masks and non-zeros of the words, a beat per cycle. Its first beat is offered
    four cycles after ``start``, when at least two beats of weights are loaded, so the array never
    waits for it.

    Words of weights do not say where they go: a writer counts.

    ``command_0``: words of activations that each pixel reads, and beats of partial sums that it
    gives. ``command_1``: pixels, words of weights.

    Parameters and members are those of :class:`~hwsim.rtl.machine.adapters.interface.Adapter`.
    """

    def elaborate(self, platform):
        m = Module()
        bitmask, job = self.arch.array_as(BitmaskConfig), self.job
        array = add_array(m, self)

        # sums leave in slices of the PEs, of the last local filters only those that are used
        command, chunks = array.command.p, job.command_0[:16]
        last = (job.command_0[16:] - 1)[:16]
        slices = exact_log2(bitmask.drain_slices)
        rows = (last >> slices) + 1
        if not bitmask.double_buffered:
            m.d.comb += command.weight_beats.eq(job.command_1[16:])
        m.d.comb += [
            command.chunks.eq(chunks),
            command.groups.eq(pixels(job)),
            command.rows.eq(rows),
            command.edge.eq(last[:slices] + 1),
            command.masks.eq(rows * chunks),
        ]
        writer = Writer(weight_layout(self.arch))
        m.submodules.writer = writer
        if bitmask.double_buffered:
            valid, half, word = fill_later(m, self.fill)
            m.d.comb += [
                writer.start.eq(self.fill.valid & (self.fill.addr == 0)),
                writer.word.valid.eq(valid),
                writer.word.payload.as_value().eq(word),
            ]
        else:
            m.d.comb += writer.start.eq(self.start)
            connect(m, self.weight, writer.word)
        connect(m, writer.write, array.weight)
        if bitmask.double_buffered:
            m.d.comb += array.weight.p.half.eq(half)
        encoder = Encoder(chunk=bitmask.chunk, window=bitmask.window, width=self.shape.act_width)
        # what a job has left behind is dropped, as the feeder does
        m.submodules.encoder = ResetInserter(self.start | self.abort)(encoder)
        connect(m, self.act, encoder.word)
        connect(m, encoder.beat, array.act)
        connect(m, array.ofmap, self.sums)
        m.d.comb += self.takes.eq(array.act.valid & array.act.ready)
        return m
