"""Front of a bitmask PE: the masks of its filters and of the buffered activations."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.formats.bitmask import PIECE
from hwsim.rtl.arrays.bitmask.layout import (
    command_layout,
    load_layout,
    push_layout,
    step_layout,
)

__all__ = ["MaskWalk"]


class MaskWalk(wiring.Component):
    """Walk the buffered chunks, and under each the local filters; fetch both masks of every step.

    Masks of weights lie in the order of the walk: chunk by chunk, filter by filter, from address
    0 for every pixel. The next step is fetched in the clock in which the one before it is taken.

    * Latency: two clocks from the push that completes a chunk to ``step.valid``.
    * Throughput: one step a clock.
    * Stalls: ``room`` is low while the buffer is full. It comes from a register: a chunk that is
      released in this clock does not make room in this clock.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family bitmask.

    Members
    -------
    load_en, load : ``In(1)``, ``In(load_layout(arch))``
        Write a piece of a mask (``kind`` 0); only while no layer runs.
    rows, chunks : ``In``
        Local filters, and chunks of a pixel; both hold while a layer runs.
    push_en, push : ``In(1)``, ``In(push_layout(arch))``
        A beat of activations, of which the last one's mask is kept.
    room : ``Out(1)``
        The buffer can take a chunk.
    available : ``Out(1)``
        A complete chunk is in the buffer, not yet walked.
    step : ``Out(stream.Signature(step_layout(arch)))``
        Pairs of masks.
    release : ``In(1)``
        The oldest chunk's values are not needed any more.
    """

    load_en: Signal
    load: data.View
    rows: Signal
    chunks: Signal
    push_en: Signal
    push: data.View
    room: Signal
    available: Signal
    step: stream.Interface
    release: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.arch, self.array = arch, arch.array_as(BitmaskConfig)
        command = command_layout(arch)
        super().__init__(
            {
                "load_en": In(1),
                "load": In(load_layout(arch)),
                "rows": In(command["rows"].shape),
                "chunks": In(command["chunks"].shape),
                "push_en": In(1),
                "push": In(push_layout(arch)),
                "room": Out(1),
                "available": Out(1),
                "step": Out(stream.Signature(step_layout(arch))),
                "release": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array, step = self.array, self.step

        waiting = Signal(range(array.buffer_depth + 1))  # chunks that are not walked
        held = Signal.like(waiting)  # chunks that are not released
        head = Signal.like(step.p.slot)
        row = Signal.like(step.p.row)
        chunk = Signal(range(array.mask_depth))
        addr = Signal(range(array.mask_depth))
        fetches, pushes, ends_chunk, ends_pixel = Signal(), Signal(), Signal(), Signal()
        m.d.comb += [
            self.room.eq(held != array.buffer_depth),
            self.available.eq(waiting != 0),
            fetches.eq(self.available & (~step.valid | step.ready)),
            pushes.eq(self.push_en & self.push.last),
            ends_chunk.eq(row + 1 == self.rows),
            ends_pixel.eq(ends_chunk & (chunk + 1 == self.chunks)),
        ]
        m.d.sync += [
            waiting.eq(waiting + pushes - (fetches & ends_chunk)),
            held.eq(held + pushes - self.release),
        ]
        with m.If(fetches | step.ready):
            m.d.sync += step.valid.eq(fetches)
        with m.If(fetches):
            m.d.sync += [
                step.p.row.eq(row),
                step.p.slot.eq(head),
                step.p.ends_chunk.eq(ends_chunk),
                step.p.ends_pixel.eq(ends_pixel),
                row.eq(row + 1),
                addr.eq(Mux(ends_pixel, 0, addr + 1)),
            ]
            with m.If(ends_chunk):
                m.d.sync += [
                    row.eq(0),
                    chunk.eq(Mux(ends_pixel, 0, chunk + 1)),
                    head.eq(Mux(head == array.buffer_depth - 1, 0, head + 1)),
                ]

        self._memories(m, fetches, pushes, addr, head)
        return m

    def _memories(
        self, m: Module, fetches: Signal, pushes: Signal, addr: Signal, head: Signal
    ) -> None:
        """Masks stay in the memories' output registers while the step does."""
        array, step = self.array, self.step
        pieces = array.chunk // PIECE
        weights: Memory = Memory(
            shape=data.ArrayLayout(PIECE, pieces), depth=array.mask_depth, init=[]
        )
        m.submodules.weights = weights
        write, read = weights.write_port(granularity=1), weights.read_port()
        place = (pieces - 1).bit_length()
        piece = self.load.addr[:place] if place else 0
        m.d.comb += [
            write.en.eq(
                Mux(self.load_en & (self.load.kind == 0), 1 << piece, 0)
                if place
                else self.load_en & (self.load.kind == 0)
            ),
            write.addr.eq(self.load.addr >> place),
            *(write.data[i].eq(self.load.data) for i in range(pieces)),
            read.en.eq(fetches),
            read.addr.eq(addr),
            step.p.weight.eq(read.data.as_value()),
        ]

        acts: Memory = Memory(shape=array.chunk, depth=array.buffer_depth, init=[])
        m.submodules.acts = acts
        write, read = acts.write_port(), acts.read_port()
        m.d.comb += [
            write.en.eq(pushes),
            write.addr.eq(self.push.slot),
            write.data.eq(self.push.mask),
            read.en.eq(fetches),
            read.addr.eq(head),
            step.p.act.eq(read.data),
        ]
