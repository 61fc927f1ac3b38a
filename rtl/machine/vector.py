"""Vector unit: pools and sums of words, lane by lane."""

from amaranth import Module, Mux, Signal, Value, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config.shape import MULTIPLIER_BITS
from hwsim.contract.descriptors import OPS, places
from hwsim.rtl.blocks.fold_counter import FoldCounter

__all__ = ["Vector", "vector_job_layout"]

_WINDOW_WIDTH = 16


def vector_job_layout() -> data.StructLayout:
    """What a job of the vector unit is told."""
    return data.StructLayout(
        {
            "op": places()["op"][1],
            "window": _WINDOW_WIDTH,
            "multipliers": data.ArrayLayout(MULTIPLIER_BITS, 2),
        }
    )


class Vector(wiring.Component):
    """Make one result per lane of each window of words, and give it as beats of partial sums.

    ``max`` keeps the largest activation of a lane. ``sum`` adds up the activations, the first of a
    window times ``multipliers[0]``, all others times ``multipliers[1]``; sums wrap. A window of one
    word is a copy; one of two words adds two feature maps of different scales.

    * Throughput: one word per cycle, or one window per ``word_lanes / lanes`` cycles where a window
      has fewer words.
    * Latency: three cycles from the last word of a window to its first beat; the lowest lanes leave
      first.
    * Stalls: all registers hold still while a finished window waits for the beats of the one
      before, which ``psum`` takes.

    Parameters
    ----------
    word_lanes : int
        Activations of a word, a multiple of ``lanes``.
    lanes : int
        Partial sums of a beat.
    act_width, psum_width : int
        Bits of an activation, of a partial sum.

    Members
    -------
    job : ``In(vector_job_layout())``
        Operation (a code of ``OPS``), words of a window, multipliers; taken with ``start``.
    start : ``In(1)``
        Words belong to the job from the next cycle on, those before have left.
    word : ``In(stream.Signature(ArrayLayout(signed(act_width), word_lanes)))``
    psum : ``Out(stream.Signature(ArrayLayout(signed(psum_width), lanes)))``
    rests : ``Out(1)``
        It holds nothing of a window, neither words nor beats.

    Raises
    ------
    ValueError
        A size is less than 1; the lanes of a word do not fill beats; a partial sum cannot hold an
        activation.
    """

    job: data.View
    start: Signal
    word: stream.Interface
    psum: stream.Interface
    rests: Signal

    def __init__(self, *, word_lanes: int, lanes: int, act_width: int, psum_width: int) -> None:
        for name, size in (("lanes", lanes), ("act_width", act_width)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        if word_lanes < 1 or word_lanes % lanes:
            raise ValueError(f"word_lanes must be a multiple of {lanes}, not {word_lanes}")
        if psum_width < act_width:
            raise ValueError(f"psum_width must be at least {act_width}, not {psum_width}")
        self.word_lanes, self.lanes = word_lanes, lanes
        self.act_width, self.psum_width = act_width, psum_width
        self.beats = word_lanes // lanes
        super().__init__(
            {
                "job": In(vector_job_layout()),
                "start": In(1),
                "word": In(stream.Signature(data.ArrayLayout(signed(act_width), word_lanes))),
                "psum": Out(stream.Signature(data.ArrayLayout(signed(psum_width), lanes))),
                "rests": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        op = Signal.like(self.job.op, name="op", reset_less=True)
        multipliers = Signal.like(self.job.multipliers, name="multipliers", reset_less=True)
        with m.If(self.start):
            m.d.sync += [op.eq(self.job.op), multipliers.eq(self.job.multipliers)]

        moves, transfer = Signal(), Signal()
        m.d.comb += self.word.ready.eq(moves)
        m.d.comb += transfer.eq(self.word.valid & moves)
        # a loop that begins again after its last word
        m.submodules.window = window = FoldCounter(1, _WINDOW_WIDTH)
        m.d.comb += [window.bounds[0].eq(self.job.window), window.start.eq(self.start)]
        m.d.comb += window.step.eq(transfer)

        word = Signal.like(self.word.payload, name="word_q", reset_less=True)
        product = Signal(
            data.ArrayLayout(signed(self.act_width + MULTIPLIER_BITS), self.word_lanes),
            reset_less=True,
        )
        factor = Signal(MULTIPLIER_BITS, reset_less=True)
        firsts, lasts, valids = (
            [Signal(name=f"{name}_{stage}", reset_less=name != "valid") for stage in range(2)]
            for name in ("first", "last", "valid")
        )
        with m.If(transfer):
            m.d.sync += word.eq(self.word.payload)
            m.d.sync += factor.eq(Mux(window.first, multipliers[0], multipliers[1]))
            with m.If(op == OPS["max"]):
                m.d.sync += factor.eq(1)
        with m.If(moves):
            m.d.sync += [firsts[0].eq(window.first), lasts[0].eq(window.last)]
            m.d.sync += valids[0].eq(transfer)
            m.d.sync += [firsts[1].eq(firsts[0]), lasts[1].eq(lasts[0]), valids[1].eq(valids[0])]
            for lane in range(self.word_lanes):
                m.d.sync += product[lane].eq(word[lane] * factor)

        # the window so far, and the beats of the window before
        sums = data.ArrayLayout(signed(self.psum_width), self.word_lanes)
        partial, result = (Signal(sums, name=n, reset_less=True) for n in ("partial", "result"))
        total = Signal(sums)
        for lane in range(self.word_lanes):
            with m.If(firsts[1]):
                m.d.comb += total[lane].eq(product[lane])
            with m.Elif(op == OPS["sum"]):
                m.d.comb += total[lane].eq(partial[lane] + product[lane])
            with m.Else():
                # with the factor 1 both have the range of activations
                kept = partial[lane][: self.act_width].as_signed()
                new = product[lane][: self.act_width].as_signed()
                m.d.comb += total[lane].eq(Mux(new > kept, new, kept))

        left = Signal(range(self.beats + 1))
        ends, leaves = Signal(), Signal()
        m.d.comb += ends.eq(valids[1] & lasts[1])
        m.d.comb += leaves.eq(self.psum.valid & self.psum.ready)
        m.d.comb += moves.eq(~ends | (left == 0) | ((left == 1) & leaves))
        with m.If(valids[1] & moves):
            m.d.sync += partial.eq(total)
        with m.If(ends & moves):
            m.d.sync += [result.eq(total), left.eq(self.beats)]
        with m.Elif(leaves):
            beat = self.lanes * self.psum_width
            m.d.sync += Value.cast(result).eq(Value.cast(result)[beat:])
            m.d.sync += left.eq(left - 1)
        m.d.comb += self.psum.valid.eq(left != 0)
        # a window begins with its first word
        begun = Signal()
        with m.If(self.start):
            m.d.sync += begun.eq(0)
        with m.Elif(transfer):
            m.d.sync += begun.eq(~window.last)
        m.d.comb += self.rests.eq(~begun & ~valids[0] & ~valids[1] & (left == 0))
        m.d.comb += Value.cast(self.psum.payload).eq(
            Value.cast(result)[: self.lanes * self.psum_width]
        )

        return m
