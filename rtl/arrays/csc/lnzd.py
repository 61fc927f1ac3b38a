"""Leading non-zero detection."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, CSCConfig
from hwsim.rtl.arrays.csc.layout import act_layout, command_layout, token_layout

__all__ = ["LNZD"]


class LNZD(wiring.Component):
    """Turn words of activations into tokens, one for each position that is not zero in every lane.

    The word register holds a word and the mask of its positions still to be sent. The last token
    of a group has ``last`` set; if the group's last word holds no non-zero, a ``null`` token says
    so.

    * Latency: one clock from the transfer of a word to its first token.
    * Throughput: one token a clock. A word with z non-zeros stays max(1, z) clocks, and the next
      one is accepted in its last clock.
    * Stalls while a token is not taken, or the register is empty.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family csc.

    Members
    -------
    start : ``In(1)``
        Begin a layer of ``groups`` groups of ``words`` words; both hold until it is over.
    act : ``In(stream.Signature(act_layout(arch)))``
        Words of activations.
    token : ``Out(stream.Signature(token_layout(arch)))``
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

    def __init__(self, arch: ArchConfig) -> None:
        self.array = arch.array_as(CSCConfig)
        command = command_layout(arch)
        super().__init__(
            {
                "start": In(1),
                "words": In(command["words"].shape),
                "groups": In(command["groups"].shape),
                "act": In(stream.Signature(act_layout(arch))),
                "token": Out(stream.Signature(token_layout(arch))),
                "scan": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        array = self.array

        word = Signal.like(self.act.p.act, reset_less=True)
        pending = Signal(array.window, reset_less=True)
        base = Signal(range(array.col_depth + array.window), reset_less=True)
        is_last = Signal(reset_less=True)
        valid = Signal()

        # The token: lowest pending position, its index and its lanes.
        position = Signal(range(max(array.window, 2)))
        for i in reversed(range(array.window)):
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

        # The word register: refilled in the clock in which its last token is taken.
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
                next_base.eq(Mux(ends_group, 0, next_base + array.window)),
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
