"""Window unit: pixels of a patch in raster order to the nine taps around each output pixel."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.blocks.registered_memory import RegisteredMemory

__all__ = ["WindowUnit", "window_job"]

SIDE = 3


def window_job(line_depth: int, count_width: int, window_width: int) -> data.StructLayout:
    """What the unit must know of a job.

    ``reads`` beats in all make ``windows`` windows; patches are ``height`` by ``width`` (at most
    ``line_depth``); ``stride`` less 1; whether the padding is at the ``edges`` top, bottom, left
    and right of a patch; ``direct``: a beat is the window.
    """
    return data.StructLayout(
        {
            "reads": window_width,
            "windows": window_width,
            "height": count_width,
            "width": range(line_depth + 1),
            "stride": 1,
            "edges": data.ArrayLayout(1, 4),
            "direct": 1,
        }
    )


class WindowUnit(wiring.Component):
    """Turn pixels into windows: two line buffers and 3 x 3 registers for each of ``rows`` lanes.

    All lanes step together. A step takes a pixel of each lane or, behind the last one of the job,
    none. The window around a pixel is complete ``width + 1`` steps after it; windows of the last
    line of a patch are completed while the next patch's pixels come in, so patches need no gap
    between them. Taps in the padding are zeros that cost no step. Pixels that are no output's
    centre (``stride`` 2, edges without padding) have no window. In a ``direct`` job every beat of
    four activations per lane is a window's first four taps; the others are undefined.

    * Throughput: one step per cycle; one window per step where each pixel is an output's centre.
    * Latency: one cycle from the step that completes a window to ``window.valid``.
    * Stalls while a window waits, while ``enable`` is 0, and for pixels.

    Parameters
    ----------
    rows : int
        Lanes.
    act_width : int
        Bits of an activation.
    line_depth : int
        Pixels of a line, the largest ``width``.
    count_width, window_width : int
        Bits of the counts in ``job``.

    Members
    -------
    enable : ``In(1)``
        Nothing but ``start`` happens while this is 0; ``window.ready`` must be 0, too.
    job : ``In(window_job(...))``
        Taken with ``start``, when all windows of the job before are.
    act : ``In(stream.Signature(ArrayLayout(ArrayLayout(signed(act_width), 4), rows)))``
        A pixel in lane 0 of each row, or four activations of a ``direct`` job.
    window : ``Out(stream.Signature(ArrayLayout(ArrayLayout(signed(act_width), 9), rows)))``
        Nine taps per row, row-major.
    starved : ``Out(1)``
        The next step needs a pixel, and none is offered.
    step : ``Out(1)``
        The unit steps: both line buffers are read and written.
    """

    enable: Signal
    start: Signal
    job: data.View
    act: stream.Interface
    window: stream.Interface
    starved: Signal
    step: Signal

    def __init__(
        self, rows: int, act_width: int, line_depth: int, count_width: int, window_width: int
    ) -> None:
        self.rows, self.line_depth = rows, line_depth
        self.pixel = signed(act_width)
        beat = data.ArrayLayout(data.ArrayLayout(self.pixel, SIDE + 1), rows)
        window = data.ArrayLayout(data.ArrayLayout(self.pixel, SIDE * SIDE), rows)
        super().__init__(
            {
                "enable": In(1),
                "start": In(1),
                "job": In(window_job(line_depth, count_width, window_width)),
                "act": In(stream.Signature(beat)),
                "window": Out(stream.Signature(window)),
                "starved": Out(1),
                "step": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        layout = self.job.shape()
        job = data.View(layout, Signal(layout.size, name="job", reset_less=True))
        running = Signal()
        valid = Signal()
        step = self.step
        needs_pixel = Signal()
        offer = Signal()
        m.d.comb += needs_pixel.eq(job.reads != 0)
        can_step = self.enable & running & (~valid | self.window.ready)
        m.d.comb += self.starved.eq(needs_pixel & ~self.act.valid)
        m.d.comb += self.act.ready.eq(can_step & needs_pixel)
        m.d.comb += step.eq(can_step & ~self.starved)
        m.d.comb += self.window.valid.eq(valid)

        with m.If(step):
            m.d.sync += valid.eq(offer)
            # conditions enable the counters: behind a condition an adder would be slow
            with m.If(needs_pixel):
                m.d.sync += job.reads.eq(job.reads - 1)
            with m.If(offer):
                m.d.sync += job.windows.eq(job.windows - 1)
            m.d.sync += running.eq(~(offer & (job.windows == 1)))
        with m.Elif(self.window.ready):
            m.d.sync += valid.eq(0)
        with m.If(self.start):
            m.d.sync += [job.eq(self.job), running.eq(1)]

        outside = self._centres(m, job, step, offer)
        self._taps(m, job, step, outside, platform)
        return m

    def _centres(self, m: Module, job, step: Signal, offer: Signal) -> Signal:
        """Walk the pixel whose window a step completes; return which edges it lies at."""
        lag = Signal(range(self.line_depth + 2))
        row = Signal.like(Value.cast(job.height), name="row")
        col = Signal.like(Value.cast(job.width), name="col")
        # where a row and a patch end: compared as they are, with no adder before them
        last_row = Signal.like(row, reset_less=True)
        last_col = Signal.like(col, reset_less=True)
        ends = Signal(4)
        outside = Signal(4, reset_less=True)
        top, _, left, _ = job.edges
        m.d.comb += ends.eq(Cat(row == 0, row == last_row, col == 0, col == last_col))
        inside = ~(ends & ~Value.cast(job.edges)).any()
        on_stride = ~job.stride | ((row[0] != top) & (col[0] != left))
        m.d.comb += offer.eq((lag == 0) & inside & on_stride)
        with m.If(step):
            with m.If(lag != 0):
                m.d.sync += lag.eq(lag - 1)
            with m.Else():
                m.d.sync += outside.eq(Mux(job.direct, 0, ends))
                m.d.sync += col.eq(Mux(ends[3], 0, col + 1))
                with m.If(ends[3]):
                    m.d.sync += row.eq(Mux(ends[1], 0, row + 1))
        with m.If(self.start):
            m.d.sync += lag.eq(Mux(self.job.direct, 0, self.job.width + 1))
            m.d.sync += [row.eq(0), col.eq(0)]
            m.d.sync += [last_row.eq(self.job.height - 1), last_col.eq(self.job.width - 1)]
        return outside

    def _taps(self, m: Module, job, step: Signal, outside: Signal, platform: object) -> None:
        """Line buffers, and the window's registers.

        A buffer is read two steps before its word is shifted into the registers, and has a register
        behind it. The words of patches of one or two pixels are newer: they are still in the
        registers of the line below.
        """
        addr, ahead = (Signal(range(self.line_depth), name=name) for name in ("addr", "ahead"))
        width_is = Signal(2)
        with m.If(step):
            for column in (addr, ahead):
                m.d.sync += column.eq(Mux(column + 1 == job.width, 0, column + 1))
        with m.If(self.start):
            m.d.sync += [addr.eq(0), ahead.eq(Mux(self.job.width < SIDE, 0, 2))]
            m.d.sync += width_is.eq(Cat(self.job.width == 1, self.job.width == 2))

        pixels = data.ArrayLayout(self.pixel, self.rows)
        taps = [
            Signal(self.window.payload[r].shape(), name=f"taps_{r}", reset_less=True)
            for r in range(self.rows)
        ]
        lines = [Signal(pixels, name="pixel")]
        for r in range(self.rows):
            m.d.comb += lines[0][r].eq(self.act.payload[r][0])
        for line in range(SIDE - 1):
            memory = RegisteredMemory(
                m, f"line_{line}", pixels, self.line_depth, transparent=False, platform=platform
            )
            write, read = memory.write, memory.read
            m.d.comb += [write.addr.eq(addr), write.data.eq(lines[line]), write.en.eq(step)]
            m.d.comb += [read.addr.eq(ahead), read.en.eq(step)]
            word, _ = memory.registered(m, enable=step, clear=Const(0), name=f"word_{line}")
            above = Signal(pixels, name=f"above_{line}")
            last = SIDE * (SIDE - line) - 1
            for r in range(self.rows):
                newer = Mux(width_is[0], taps[r][last], taps[r][last - 1])
                m.d.comb += above[r].eq(Mux(width_is.any(), newer, word[r]))
            lines.append(above)

        with m.If(step):
            for r in range(self.rows):
                for y in range(SIDE):
                    for x in range(SIDE):
                        tap = SIDE * y + x
                        new = taps[r][tap + 1] if x < SIDE - 1 else lines[SIDE - 1 - y][r]
                        if tap <= SIDE:
                            new = Mux(job.direct, self.act.payload[r][tap], new)
                        m.d.sync += taps[r][tap].eq(new)
        for r in range(self.rows):
            for y in range(SIDE):
                for x in range(SIDE):
                    hidden = Cat(
                        *([outside[0]] if y == 0 else []),
                        *([outside[1]] if y == SIDE - 1 else []),
                        *([outside[2]] if x == 0 else []),
                        *([outside[3]] if x == SIDE - 1 else []),
                    ).any()
                    tap = SIDE * y + x
                    m.d.comb += self.window.payload[r][tap].eq(Mux(hidden, 0, taps[r][tap]))
