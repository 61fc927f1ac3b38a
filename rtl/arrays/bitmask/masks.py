"""Front of a bitmask PE: the masks of its filters, each with that of a buffered chunk."""

from amaranth import Array, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.formats.base import index_width
from hwsim.formats.bitmask import PIECE
from hwsim.rtl.arrays.bitmask.layout import masks_layout, step_layout
from hwsim.rtl.blocks.halved_memory import HalvedMemory

__all__ = ["MaskWalk"]


class MaskWalk(wiring.Component):
    """Walk the buffered chunks, and under each the local filters: give both masks of every step.

    Masks of weights lie in the order of the walk: chunk by chunk, filter by filter, from address
    0 for every pixel, so they are fetched one ahead of the chunks. The memory is slow: what it
    gives goes into a register, from which the step is offered.

    * Latency: two cycles from the push that completes a chunk to ``step.valid``; the first chunk of
      a layer must not be completed in the first cycle of the run.
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
    halves : int
        Halves of the memory of masks: 1 or 2.

    Members
    -------
    write_en, write_addr, write_data : ``In``
        Write a piece of a mask of weights; only while no layer runs, or into the half that is not
        read.
    write_half, half : ``In(1)``
        Half that is written, and that is read: holds while a layer runs. Only where there are two.
    run : ``In(1)``
        A layer is running.
    rows, masks : ``In``
        Local filters, and masks of all their chunks; both hold while a layer runs.
    push_en : ``In(1)``
        The next chunk is completed in the buffer.
    acts : ``In(masks_layout(chunk, buffer_depth))``
        Masks of the buffer.
    room : ``Out(1)``
        As far as this PE goes, the buffer can take a chunk.
    available : ``Out(1)``
        A complete chunk is in the buffer, not yet walked.
    fetches : ``Out(1)``
        A mask of weights is fetched in this cycle.
    step : ``Out(stream.Signature(step_layout(chunk, filters, buffer_depth)))``
        Pairs of masks.
    release : ``In(1)``
        The oldest chunk's values are not needed any more in the next cycle.
    """

    write_en: Signal
    write_addr: Signal
    write_data: Signal
    write_half: Signal
    half: Signal
    run: Signal
    rows: Signal
    masks: Signal
    push_en: Signal
    acts: data.View
    room: Signal
    available: Signal
    fetches: Signal
    step: stream.Interface
    release: Signal

    def __init__(
        self, *, chunk: int, mask_depth: int, buffer_depth: int, filters: int, halves: int = 1
    ) -> None:
        pieces = chunk // PIECE
        if chunk < PIECE or chunk % PIECE or pieces & (pieces - 1):
            raise ValueError(f"chunk must be a power of two times {PIECE}, not {chunk}")
        sizes = {"mask_depth": mask_depth, "buffer_depth": buffer_depth, "filters": filters}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.chunk, self.mask_depth, self.buffer_depth = chunk, mask_depth, buffer_depth
        self.halves = halves
        super().__init__(
            {
                "write_en": In(1),
                "write_addr": In(index_width(mask_depth * pieces)),
                "write_data": In(PIECE),
                "run": In(1),
                "rows": In(range(filters + 1)),
                "masks": In(range(mask_depth + 1)),
                "push_en": In(1),
                "acts": In(masks_layout(chunk, buffer_depth)),
                "room": Out(1),
                "available": Out(1),
                "fetches": Out(1),
                "step": Out(stream.Signature(step_layout(chunk, filters, buffer_depth))),
                "release": In(1),
            }
            | ({"write_half": In(1), "half": In(1)} if halves == 2 else {})
        )

    def elaborate(self, platform):
        m = Module()
        step, fetches = self.step, self.fetches

        waiting = Signal(range(self.buffer_depth + 1))  # chunks that are not walked
        held = Signal.like(waiting)  # chunks that are not released
        slot = Signal.like(step.p.slot)
        row = Signal.like(step.p.row)
        addr = Signal(range(self.mask_depth))
        fetched = Signal()
        is_last = Signal(reset_less=True)
        moves = Signal()
        ends_chunk = Signal()
        ends_pixel = Signal()
        m.d.comb += [
            self.room.eq(held != self.buffer_depth),
            self.available.eq(waiting != 0),
            fetches.eq(self.run & (~fetched | moves)),
            moves.eq(fetched & self.available & (~step.valid | step.ready)),
            ends_pixel.eq(addr + 1 == self.masks),
            ends_chunk.eq(row + 1 == self.rows),
            step.p.act.eq(Array(self.acts[i] for i in range(self.buffer_depth))[step.p.slot]),
        ]
        m.d.sync += [
            waiting.eq(waiting + self.push_en - (moves & ends_chunk)),
            held.eq(held + self.push_en - self.release),
        ]
        # Masks are fetched ahead of the chunks, the first of the layer in its first cycle.
        with m.If(fetches):
            m.d.sync += [
                fetched.eq(1),
                is_last.eq(ends_pixel),
                addr.eq(Mux(ends_pixel, 0, addr + 1)),
            ]
        with m.If(~self.run):
            m.d.sync += [fetched.eq(0), addr.eq(0)]
        weight = self._weights(m, addr)
        with m.If(moves | step.ready):
            m.d.sync += step.valid.eq(moves)
        with m.If(moves):
            m.d.sync += [
                step.p.weight.eq(weight),
                step.p.row.eq(row),
                step.p.slot.eq(slot),
                step.p.ends_chunk.eq(ends_chunk),
                step.p.ends_pixel.eq(is_last),
                row.eq(Mux(ends_chunk, 0, row + 1)),
            ]
            with m.If(ends_chunk):
                m.d.sync += slot.eq(Mux(slot == self.buffer_depth - 1, 0, slot + 1))
        return m

    def _weights(self, m: Module, addr: Signal) -> Value:
        """Masks of weights; give the one that was fetched."""
        pieces = self.chunk // PIECE
        fills, reads = (self.write_half, self.half) if self.halves == 2 else (Const(0), Const(0))
        memory = HalvedMemory(
            m,
            "weights",
            data.ArrayLayout(PIECE, pieces),
            self.mask_depth,
            halves=self.halves,
            fills=fills,
            reads=reads,
            granularity=1,
        )
        write, read = memory.write, memory.read
        shift = (pieces - 1).bit_length()
        piece = self.write_addr[:shift] if shift else 0
        m.d.comb += [
            write.en.eq(Mux(self.write_en, 1 << piece, 0) if shift else self.write_en),
            write.addr.eq(self.write_addr >> shift),
            *(write.data[i].eq(self.write_data) for i in range(pieces)),
            read.en.eq(self.fetches),
            read.addr.eq(addr),
        ]
        return Value.cast(read.data)
