"""Front of a bitmask PE: the masks of its filters and of the buffered activations."""

from amaranth import Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.formats.base import index_width
from hwsim.formats.bitmask import PIECE
from hwsim.rtl.arrays.bitmask.layout import step_layout

__all__ = ["MaskWalk"]


class MaskWalk(wiring.Component):
    """Walk the buffered chunks, and under each the local filters; fetch both masks of every step.

    Masks of weights lie in the order of the walk: chunk by chunk, filter by filter, from address
    0 for every pixel. The next step is fetched in the cycle in which the one before it is taken.

    * Latency: two cycles from the push that completes a chunk to ``step.valid``.
    * Throughput: one step per cycle.
    * Stalls: ``room`` is low while the buffer is full. It comes from a register: a chunk that is
      released in this cycle does not make room in this cycle.

    Parameters
    ----------
    chunk : int
        Bits of a mask, whole pieces of ``PIECE`` bits, a power of two of them.
    mask_depth : int
        Masks that the weight memory holds.
    buffer_depth : int
        Chunks that the buffer holds.
    filters : int
        Most local filters.

    Members
    -------
    write_en, write_addr, write_data : ``In``
        Write a piece of a mask of weights; only while no layer runs.
    rows, chunks : ``In``
        Local filters, and chunks of a pixel; both hold while a layer runs.
    push_en, push_slot, push_mask : ``In``
        Complete the chunk in this slot of the buffer, of which this is the mask.
    room : ``Out(1)``
        The buffer can take a chunk.
    available : ``Out(1)``
        A complete chunk is in the buffer, not yet walked.
    fetches : ``Out(1)``
        Both masks of a step are fetched in this cycle.
    step : ``Out(stream.Signature(step_layout(chunk, filters, buffer_depth)))``
        Pairs of masks.
    release : ``In(1)``
        The oldest chunk's values are not needed any more.
    """

    write_en: Signal
    write_addr: Signal
    write_data: Signal
    rows: Signal
    chunks: Signal
    push_en: Signal
    push_slot: Signal
    push_mask: Signal
    room: Signal
    available: Signal
    fetches: Signal
    step: stream.Interface
    release: Signal

    def __init__(self, *, chunk: int, mask_depth: int, buffer_depth: int, filters: int) -> None:
        pieces = chunk // PIECE
        if chunk < PIECE or chunk % PIECE or pieces & (pieces - 1):
            raise ValueError(f"chunk must be a power of two times {PIECE}, not {chunk}")
        sizes = {"mask_depth": mask_depth, "buffer_depth": buffer_depth, "filters": filters}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.chunk, self.mask_depth, self.buffer_depth = chunk, mask_depth, buffer_depth
        super().__init__(
            {
                "write_en": In(1),
                "write_addr": In(index_width(mask_depth * pieces)),
                "write_data": In(PIECE),
                "rows": In(range(filters + 1)),
                "chunks": In(range(mask_depth + 1)),
                "push_en": In(1),
                "push_slot": In(index_width(buffer_depth)),
                "push_mask": In(chunk),
                "room": Out(1),
                "available": Out(1),
                "fetches": Out(1),
                "step": Out(stream.Signature(step_layout(chunk, filters, buffer_depth))),
                "release": In(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        step, fetches = self.step, self.fetches

        waiting = Signal(range(self.buffer_depth + 1))  # chunks that are not walked
        held = Signal.like(waiting)  # chunks that are not released
        head = Signal.like(step.p.slot)
        row = Signal.like(step.p.row)
        chunk = Signal(range(self.mask_depth))
        addr = Signal(range(self.mask_depth))
        ends_chunk = Signal()
        ends_pixel = Signal()
        m.d.comb += [
            self.room.eq(held != self.buffer_depth),
            self.available.eq(waiting != 0),
            fetches.eq(self.available & (~step.valid | step.ready)),
            ends_chunk.eq(row + 1 == self.rows),
            ends_pixel.eq(ends_chunk & (chunk + 1 == self.chunks)),
        ]
        m.d.sync += [
            waiting.eq(waiting + self.push_en - (fetches & ends_chunk)),
            held.eq(held + self.push_en - self.release),
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
                    head.eq(Mux(head == self.buffer_depth - 1, 0, head + 1)),
                ]

        self._weights(m, addr)
        self._acts(m, head)
        return m

    def _weights(self, m: Module, addr: Signal) -> None:
        """Masks of weights, which stay in the memory's output register while the step does."""
        pieces = self.chunk // PIECE
        memory: Memory = Memory(
            shape=data.ArrayLayout(PIECE, pieces), depth=self.mask_depth, init=[]
        )
        m.submodules.weights = memory
        write, read = memory.write_port(granularity=1), memory.read_port()
        shift = (pieces - 1).bit_length()
        piece = self.write_addr[:shift] if shift else 0
        m.d.comb += [
            write.en.eq(Mux(self.write_en, 1 << piece, 0) if shift else self.write_en),
            write.addr.eq(self.write_addr >> shift),
            *(write.data[i].eq(self.write_data) for i in range(pieces)),
            read.en.eq(self.fetches),
            read.addr.eq(addr),
            self.step.p.weight.eq(read.data.as_value()),
        ]

    def _acts(self, m: Module, head: Signal) -> None:
        """Masks of activations, which stay as those of weights do."""
        memory: Memory = Memory(shape=self.chunk, depth=self.buffer_depth, init=[])
        m.submodules.acts = memory
        write, read = memory.write_port(), memory.read_port()
        m.d.comb += [
            write.en.eq(self.push_en),
            write.addr.eq(self.push_slot),
            write.data.eq(self.push_mask),
            read.en.eq(self.fetches),
            read.addr.eq(head),
            self.step.p.act.eq(read.data),
        ]
