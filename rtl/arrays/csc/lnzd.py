"""Leading non-zero detection."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.arrays.csc.layout import act_layout, token_layout

__all__ = ["LNZD"]


class LNZD(wiring.Component):
    """Turn words of activations into tokens, one for each position that is not zero in every lane.

    The word register holds a word and the mask of its positions still to be sent. The last token
    of a group has ``last`` set; if the group's last word holds no non-zero, a ``null`` token says
    so.

    * Latency: one cycle from the transfer of a word to its first token.
    * Throughput: one token per cycle. A word with z non-zeros stays max(1, z) cycles, and the next
      one is accepted in its last cycle.
    * Stalls while a token is not taken, or the register is empty.

    Parameters
    ----------
    window : int
        Positions of a word.
    col_depth : int
        Most positions of a group.
    acts : :class:`amaranth.lib.data.ArrayLayout`
        Activations of one position.

    Members
    -------
    start : ``In(1)``
        Begin a layer of ``groups`` groups of ``words`` words; both hold until it is over.
    act : ``In(stream.Signature(act_layout(window, acts)))``
        Words of activations.
    token : ``Out(stream.Signature(token_layout(col_depth, acts)))``
        Tokens, to be broadcast.
    scan : ``Out(1)``
        The register holds a word without a non-zero, which goes away by itself.
    busy : ``Out(1)``
        Words are still to come, or one is in the register.
    """

    start: Signal
    words: Signal
    groups: Signal
    act: stream.Interface
    token: stream.Interface
    scan: Signal
    busy: Signal

    def __init__(self, *, window: int, col_depth: int, acts: data.ArrayLayout) -> None:
        for name, value in (("window", window), ("col_depth", col_depth)):
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        self.window, self.col_depth = window, col_depth
        super().__init__(
            {
                "start": In(1),
                "words": In(range(-(-col_depth // window) + 1)),
                "groups": In(32),
                "act": In(stream.Signature(act_layout(window, acts))),
                "token": Out(stream.Signature(token_layout(col_depth, acts))),
                "scan": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        word = Signal.like(self.act.p.act, reset_less=True)
        pending = Signal(self.window, reset_less=True)
        base = Signal(range(self.col_depth + self.window), reset_less=True)
        is_last = Signal(reset_less=True)
        valid = Signal()

        # The token: lowest pending position, its index and its lanes.
        position = Signal(range(max(self.window, 2)))
        for i in reversed(range(self.window)):
            with m.If(pending[i]):
                m.d.comb += position.eq(i)
        remaining = Signal.like(pending)
        is_null = Signal()
        m.d.comb += [
            remaining.eq(pending & (pending - 1)),
            is_null.eq(pending == 0),
            self.token.valid.eq(valid & (~is_null | is_last)),
            self.token.p.k.eq(base + position),
            self.token.p.act.eq(word[position]),
            self.token.p.last.eq(is_last & (remaining == 0)),
            self.token.p.null.eq(is_null),
            self.scan.eq(valid & is_null & ~is_last),
        ]

        # The word register: refilled in the cycle in which its last token is taken.
        more = Signal()
        is_taken = self.token.valid & self.token.ready
        is_free = ~valid | self.scan | (is_taken & (remaining == 0))
        m.d.comb += self.act.ready.eq(more & is_free)
        with m.If(is_taken):
            m.d.sync += pending.eq(remaining)
        with m.If(is_free):
            m.d.sync += valid.eq(0)

        words_left = Signal.like(self.words)
        groups_left = Signal.like(self.groups)
        next_base = Signal.like(base)
        ends_group = words_left == 1
        m.d.comb += [more.eq(groups_left != 0), self.busy.eq(more | valid)]
        with m.If(self.act.valid & self.act.ready):
            m.d.sync += [
                valid.eq(1),
                word.eq(self.act.p.act),
                pending.eq(Cat(lanes.as_value().any() for lanes in self.act.p.act)),
                base.eq(next_base),
                is_last.eq(ends_group),
                next_base.eq(Mux(ends_group, 0, next_base + self.window)),
                words_left.eq(Mux(ends_group, self.words, words_left - 1)),
                groups_left.eq(groups_left - ends_group),
            ]
        with m.If(self.start):
            m.d.sync += [
                next_base.eq(0),
                words_left.eq(self.words),
                groups_left.eq(self.groups),
            ]

        return m
