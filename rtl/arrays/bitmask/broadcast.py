"""Broadcast of activation chunks to the buffers of all PEs."""

from amaranth import Module, Mux, Signal, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.formats.base import index_width
from hwsim.rtl.arrays.bitmask.layout import act_layout, chunk_words, command_layout

__all__ = ["Broadcast", "beat_layout"]


def beat_layout(arch: ArchConfig) -> data.StructLayout:
    """A beat of activations with its place in every buffer."""
    return data.StructLayout(
        {
            "slot": unsigned(index_width(arch.array_as(BitmaskConfig).buffer_depth)),
            "word": unsigned(index_width(chunk_words(arch))),
            "beat": act_layout(arch),
        }
    )


class Broadcast(wiring.Component):
    """Hold a beat of activations until every buffer has room, and tell where it goes.

    * Latency: one clock from the transfer of a beat to its broadcast.
    * Throughput: one beat a clock; the next one is accepted in the clock of the broadcast.
    * Stalls while ``beat`` is not taken, or the register is empty.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family bitmask.

    Members
    -------
    start : ``In(1)``
        Begin a layer of ``groups`` groups of ``chunks`` chunks; both hold until it is over.
    act : ``In(stream.Signature(act_layout(arch)))``
        Beats of activations.
    beat : ``Out(stream.Signature(beat_layout(arch)))``
        Beats, to be broadcast.
    busy : ``Out(1)``
        Beats are still to come, or one is in the register.
    """

    start: Signal
    chunks: Signal
    groups: Signal
    act: stream.Interface
    beat: stream.Interface
    busy: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.array = arch.array_as(BitmaskConfig)
        command = command_layout(arch)
        super().__init__(
            {
                "start": In(1),
                "chunks": In(command["chunks"].shape),
                "groups": In(command["groups"].shape),
                "act": In(stream.Signature(act_layout(arch))),
                "beat": Out(stream.Signature(beat_layout(arch))),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat = self.beat

        chunks_left = Signal.like(self.chunks)
        groups_left = Signal.like(self.groups)
        more = Signal()
        m.d.comb += [
            more.eq(groups_left != 0),
            self.busy.eq(more | beat.valid),
            self.act.ready.eq(more & (~beat.valid | beat.ready)),
        ]
        with m.If(beat.ready):
            m.d.sync += beat.valid.eq(0)
        with m.If(self.act.valid & self.act.ready):
            m.d.sync += [beat.valid.eq(1), beat.p.beat.eq(self.act.payload)]
            with m.If(self.act.p.last):
                ends_group = chunks_left == 1
                m.d.sync += [
                    chunks_left.eq(Mux(ends_group, self.chunks, chunks_left - 1)),
                    groups_left.eq(groups_left - ends_group),
                ]
        with m.If(self.start):
            m.d.sync += [chunks_left.eq(self.chunks), groups_left.eq(self.groups)]

        # every buffer gets the same chunks, so one count of places serves all of them
        slot, word = beat.p.slot, beat.p.word
        with m.If(beat.valid & beat.ready):
            m.d.sync += word.eq(word + 1)
            with m.If(beat.p.beat.last):
                m.d.sync += [
                    word.eq(0),
                    slot.eq(Mux(slot == self.array.buffer_depth - 1, 0, slot + 1)),
                ]
        return m
