"""Broadcast of activation chunks to the buffers of all PEs."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.arrays.bitmask.layout import place_layout

__all__ = ["Broadcast"]


class Broadcast(wiring.Component):
    """Hold a beat of activations until every buffer has room, and tell where it goes.

    * Latency: one cycle from the transfer of a beat to its broadcast.
    * Throughput: one beat per cycle; the next one is accepted in the cycle of the broadcast.
    * Stalls while ``beat`` is not taken, or the register is empty.

    Parameters
    ----------
    buffer_depth : int
        Chunks that a buffer holds.
    mask_beats, value_beats : int
        Beats of a chunk's mask, and most beats of its values.
    chunks : int
        Most chunks of a group.
    act : :class:`amaranth.lib.data.StructLayout`
        Of a beat; its field ``last`` completes a chunk.

    Members
    -------
    start : ``In(1)``
        Begin a layer of ``groups`` groups of ``chunks`` chunks; both hold until it is over.
    act : ``In(stream.Signature(act))``
        Beats of activations.
    beat : ``Out(stream.Signature(act))``
        Beats, to be broadcast.
    place : ``Out(place_layout(buffer_depth, max(mask_beats, value_beats)))``
        Where the beat goes.
    busy : ``Out(1)``
        Beats are still to come, or one is in the register.
    """

    start: Signal
    chunks: Signal
    groups: Signal
    act: stream.Interface
    beat: stream.Interface
    place: data.View
    busy: Signal

    def __init__(
        self,
        *,
        buffer_depth: int,
        mask_beats: int,
        value_beats: int,
        chunks: int,
        act: data.StructLayout,
    ) -> None:
        sizes = {
            "buffer_depth": buffer_depth,
            "mask_beats": mask_beats,
            "value_beats": value_beats,
            "chunks": chunks,
        }
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.buffer_depth, self.mask_beats = buffer_depth, mask_beats
        super().__init__(
            {
                "start": In(1),
                "chunks": In(range(chunks + 1)),
                "groups": In(32),
                "act": In(stream.Signature(act)),
                "beat": Out(stream.Signature(act)),
                "place": Out(place_layout(buffer_depth, max(mask_beats, value_beats))),
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
            m.d.sync += [beat.valid.eq(1), beat.payload.eq(self.act.payload)]
            with m.If(self.act.p.last):
                ends_group = chunks_left == 1
                m.d.sync += [
                    chunks_left.eq(Mux(ends_group, self.chunks, chunks_left - 1)),
                    groups_left.eq(groups_left - ends_group),
                ]
        with m.If(self.start):
            m.d.sync += [chunks_left.eq(self.chunks), groups_left.eq(self.groups)]

        # every buffer gets the same chunks, so one place serves all of them
        slot = Signal.like(self.place.slot)
        word = Signal.like(self.place.word)
        has_mask = Signal()
        m.d.comb += [
            self.place.slot.eq(slot),
            self.place.word.eq(word),
            self.place.is_mask.eq(~has_mask),
        ]
        with m.If(beat.valid & beat.ready):
            m.d.sync += word.eq(word + 1)
            with m.If(~has_mask & (word == self.mask_beats - 1)):
                m.d.sync += [word.eq(0), has_mask.eq(1)]
            with m.If(beat.p.last):
                m.d.sync += [
                    word.eq(0),
                    has_mask.eq(0),
                    slot.eq(Mux(slot == self.buffer_depth - 1, 0, slot + 1)),
                ]
        return m
