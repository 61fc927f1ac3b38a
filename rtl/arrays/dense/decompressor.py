"""Decompressor of a bitmask weight stream: masks and packed non-zeros in, rows of weights out."""

from amaranth import Cat, Const, Module, Mux, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.formats.weight_stream import Packing
from hwsim.rtl.arrays.dense.layout import row_layout, walk_layout, word_layout

__all__ = ["Decompressor", "prefix_counts"]


def prefix_counts(bits: Value) -> list[Value]:
    """Set bits up to and with each bit: a tree of adders in which the halves share their sums."""
    if len(bits) == 1:
        return [bits]
    half = len(bits) // 2
    low, high = prefix_counts(bits[:half]), prefix_counts(bits[half:])
    return low + [low[-1] + count for count in high]


class Decompressor(wiring.Component):
    """Unpack rows of weights from the words of a compressed stream (:class:`Packing`).

    Slots wait in a shift register, the next row's mask at its head. The prefix sums of the mask
    say which of the slots behind it belongs to each lane; the row leaves to an output register,
    and everything behind it moves to the head.

    * Throughput: one word and one row per cycle; rows without a zero, ``longest / port`` words
      each, come one word at a time. Words are taken while less than two of the longest rows wait.
    * Latency: two cycles from the word that completes a row to the row's offer.
    * A pass ends with a word: the cycle after its last row skips what is left of that word, and
      gives no row.
    * Stalls: rows wait in the register while ``row`` is not taken. ``word.ready`` is a function of
      registers alone: words are taken while there is room, before a command too.

    Parameters
    ----------
    packing : Packing
        Sizes of the stream.

    Members
    -------
    command : ``In(stream.Signature(walk_layout()))``
        Rows of a pass, and passes; taken when the last row of the command before has left the
        shift register.
    word : ``In(stream.Signature(word_layout(packing)))``
        The compressed stream.
    row : ``Out(stream.Signature(row_layout(packing)))``
        Codes of the lanes.

    Raises
    ------
    ValueError
        The port is not a power of two.
    """

    command: stream.Interface
    word: stream.Interface
    row: stream.Interface

    def __init__(self, packing: Packing) -> None:
        port = packing.port
        if port < 1 or port & (port - 1):
            raise ValueError(f"port must be a power of two, not {port}")
        self.packing = packing
        super().__init__(
            {
                "command": In(stream.Signature(walk_layout())),
                "word": In(stream.Signature(word_layout(packing))),
                "row": Out(stream.Signature(row_layout(packing))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        packing = self.packing
        lanes, port, longest = packing.lanes, packing.port, packing.longest
        depth = 2 * longest - 1 + port

        slots = Signal(data.ArrayLayout(packing.width, depth), reset_less=True)
        level = Signal(range(depth + 1))
        accept = Signal()
        m.d.comb += self.word.ready.eq(level < 2 * longest)
        m.d.comb += accept.eq(self.word.ready & self.word.valid)

        # slots from the level on hold nothing: the word may lie there before it is accepted
        rotated = list(self.word.p.slots)
        for bit in range(port.bit_length() - 1):
            turn = 1 << bit
            rotated = [Mux(level[bit], rotated[n - turn], rotated[n]) for n in range(port)]
        filled = [Mux(level > n, slots[n], rotated[n % port]) for n in range(depth)]

        mask = Signal(lanes)
        size = Signal(range(longest + 1))
        m.d.comb += mask.eq(Cat(slots[n] for n in range(packing.mask_slots)))
        ranks = prefix_counts(mask)
        m.d.comb += size.eq(packing.mask_slots + ranks[-1])

        # everything behind the row, or behind the end of a pass, moves to the head
        skip = Signal()
        emit = Signal()
        amount = Signal(range(max(longest + 1, port)))
        m.d.comb += amount.eq(Mux(skip, level & (port - 1), size))
        moved = filled
        for bit, moves in enumerate(amount):
            step = 1 << bit
            near, far = moved, moved[step:] + moved[:step]  # what comes round lies above the level
            moved = [Mux(moves, *slot) for slot in zip(far, near, strict=True)]
        held = level + Mux(accept, port, 0)
        with m.If(skip | emit):
            m.d.sync += [Cat(slots).eq(Cat(moved)), level.eq(held - amount)]
        with m.Else():
            m.d.sync += [Cat(slots).eq(Cat(filled)), level.eq(held)]

        ready = ~self.row.valid | self.row.ready
        running = Signal()
        m.d.comb += emit.eq(running & ~skip & (level >= size) & ready)
        row = Signal.like(self.row.payload, name="row_q", reset_less=True)
        m.d.comb += self.row.payload.eq(row)
        with m.If(ready):
            m.d.sync += self.row.valid.eq(emit)
            for lane, below in enumerate([Const(0, 1), *ranks[:-1]]):
                codes = [slots[packing.mask_slots + n] for n in range(lane + 1)]
                m.d.sync += row.weight[lane].eq(Mux(mask[lane], _select(codes, below), 0))

        self._walk(m, running, skip, emit)
        return m

    def _walk(self, m: Module, running: Signal, skip: Signal, emit: Signal) -> None:
        """Add the counters of rows and passes; ``skip`` is the cycle after a pass's last row."""
        job = self.command.payload
        rows = Signal.like(job.weight_rows, reset_less=True)
        rows_left = Signal.like(job.weight_rows, reset_less=True)
        passes_left = Signal.like(job.passes, reset_less=True)
        ends_pass = Signal()
        m.d.comb += ends_pass.eq(emit & (rows_left == 1))
        m.d.sync += skip.eq(ends_pass)
        with m.If(emit):
            m.d.sync += rows_left.eq(rows_left - 1)
        with m.If(ends_pass):
            m.d.sync += [rows_left.eq(rows), passes_left.eq(passes_left - 1)]
            m.d.sync += running.eq(passes_left != 1)

        m.d.comb += self.command.ready.eq(~running)
        with m.If(self.command.ready & self.command.valid):
            m.d.sync += [
                rows.eq(job.weight_rows),
                rows_left.eq(job.weight_rows),
                passes_left.eq(job.passes),
            ]
            m.d.sync += running.eq(1)


def _select(options: list[Value], index: Value) -> Value:
    """Pick one of the options; the index is less than their number."""
    for bit in index:
        pairs = zip(options[::2], options[1::2], strict=False)
        last = options[len(options) & ~1 :]
        options = [Mux(bit, high, low) for low, high in pairs] + last
    return options[0]
