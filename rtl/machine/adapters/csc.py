"""Adapter of the index-decoding array csc."""

from amaranth import Module, ResetInserter, Signal

from hwsim.config import CSCConfig
from hwsim.rtl.machine.adapters import interface
from hwsim.rtl.machine.adapters.decoding import add_array, fill_later
from hwsim.rtl.machine.adapters.interface import connect
from hwsim.rtl.machine.command import pixels
from hwsim.rtl.machine.transpose import Transposer

__all__ = ["Adapter"]


class Adapter(interface.Adapter):
    """The array csc in a machine: its lanes are pixels, whose words a transposer turns.

    The first loop of the feeder is over the pixels of a group, one word of each; from their words
    the transposer makes as many words of the detector as the array has lanes. It is filled while
    weights are loaded, and where none are, the array waits for its first block. In a group of few
    pixels it fills faster than it empties, and never slower.

    The weights of a job stay in the array for the next one. Where its memories are double-buffered,
    the load engine writes them, a register later.

    ``command_0``: words of activations that each pixel reads, local rows. ``command_1``: groups,
    words of weights, or 0 where those of the job before stay or the load engine writes them.

    Parameters and members are those of :class:`~hwsim.rtl.machine.adapters.interface.Adapter`.
    """

    def elaborate(self, platform):
        m = Module()
        config, job, act_width = self.arch.array_as(CSCConfig), self.job, self.shape.act_width
        array = add_array(m, self)
        group = Signal(range(config.lanes + 1), name="group_pixels")
        command = array.command.p
        m.d.comb += group.eq(job.feed0_bound)
        if not config.double_buffered:
            m.d.comb += command.weight_beats.eq(job.command_1[16:])
        m.d.comb += [
            command.words.eq(job.command_0[:16] * config.lanes),
            command.groups.eq(pixels(job)),
            command.rows.eq(job.command_0[16:]),
            command.beats.eq(group),
            command.tail.eq(group),
        ]
        if config.double_buffered:
            valid, half, word = fill_later(m, self.fill)
            m.d.comb += [array.weight.valid.eq(valid), array.weight.payload.as_value().eq(word)]
            m.d.comb += array.weight.p.half.eq(half)
        else:
            connect(m, self.weight, array.weight)
        connect(m, array.ofmap, self.sums)

        # what a job has left behind is dropped, as the feeder does
        transposer = Transposer(
            words=config.lanes, lanes=config.lanes, width=config.window * act_width
        )
        m.submodules.act_transposer = ResetInserter(self.start | self.abort)(transposer)
        m.d.comb += [transposer.taken.eq(group), transposer.given.eq(config.lanes)]
        connect(m, self.act, transposer.word)
        beat = transposer.beat
        m.d.comb += [array.act.valid.eq(beat.valid), beat.ready.eq(array.act.ready)]
        for lane in range(config.lanes):
            for position in range(config.window):
                value = beat.payload[lane].word_select(position, act_width)
                with m.If(lane < group):
                    m.d.comb += array.act.p.act[position][lane].eq(value)
        m.d.comb += self.takes.eq(array.act.valid & array.act.ready)
        return m
