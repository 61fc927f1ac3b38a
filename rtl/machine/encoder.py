"""Encoder: words of activations become beats of masks and packed non-zeros."""

from collections.abc import Sequence

from amaranth import Cat, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hwsim.config.arrays.base import power_of_two
from hwsim.rtl.arrays.bitmask.bits import prefix_sums, select

__all__ = ["Encoder"]


class Encoder(wiring.Component):
    """Give of each word its mask, then its non-zeros, the lowest first, ``window`` per beat.

    A word is a chunk. The first register finds which activations are no zeros, the second one holds
    a chunk with the number of non-zeros below each position, from which every beat selects its own.

    * Throughput: one beat per cycle; a word of z non-zeros takes ceil(chunk / (window * width)) +
      ceil(z / window) of them. Words may come as fast: where they do, ``beat.valid`` stays high.
    * Latency: two cycles from the transfer of a word to the first beat of its mask.
    * Stalls: ``word`` waits while both registers hold a chunk, but for the cycle in which the last
      beat of the older one leaves.

    Parameters
    ----------
    chunk : int
        Activations of a word.
    window : int
        Activations of a beat, a power of two, at most ``chunk``.
    width : int
        Bits of an activation.

    Members
    -------
    word : ``In(stream.Signature(ArrayLayout(width, chunk)))``
    beat : ``Out(stream.Signature(StructLayout))``
        ``data``, ``window`` activations or as many bits of a mask, the lowest positions first, and
        ``last``: it completes the chunk. Behind the last non-zero, 0 follows.

    Raises
    ------
    ValueError
        A size is less than 1, or ``window`` is no power of two or more than ``chunk``.
    """

    word: stream.Interface
    beat: stream.Interface

    def __init__(self, *, chunk: int, window: int, width: int) -> None:
        for name, size in (("chunk", chunk), ("window", window), ("width", width)):
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        power_of_two(window, "window")
        if window > chunk:
            raise ValueError(f"window must be at most chunk ({chunk}), not {window}")
        self.chunk, self.window, self.width = chunk, window, width
        self.mask_beats = -(-chunk // (window * width))
        activation = unsigned(width)
        beat = {"data": data.ArrayLayout(activation, window), "last": unsigned(1)}
        super().__init__(
            {
                "word": In(stream.Signature(data.ArrayLayout(activation, chunk))),
                "beat": Out(stream.Signature(data.StructLayout(beat))),
            }
        )

    def elaborate(self, platform):
        m = Module()
        beat = self.beat

        # found: which activations are no zeros
        found, found_mask = Signal(), Signal(self.chunk, reset_less=True)
        found_word = Signal.like(self.word.payload, name="found_word", reset_less=True)
        # held: how many non-zeros lie below each position, and in all
        held, mask = Signal(), Signal(self.chunk, reset_less=True)
        word = Signal.like(self.word.payload, name="word_q", reset_less=True)
        counts = prefix_sums(m, list(found_mask), "ones")
        ranks = [
            Signal(len(count), name=f"rank_{position}", reset_less=True)
            for position, count in enumerate(counts)
        ]

        ends, moves = Signal(), Signal()
        m.d.comb += [
            ends.eq(beat.ready & beat.p.last),
            moves.eq(found & (~held | ends)),
            self.word.ready.eq(~found | moves),
        ]
        with m.If(ends):
            m.d.sync += held.eq(0)
        with m.If(moves):
            m.d.sync += [held.eq(1), found.eq(0), mask.eq(found_mask), word.eq(found_word)]
            m.d.sync += [rank.eq(count) for rank, count in zip(ranks, counts, strict=True)]
        with m.If(self.word.valid & self.word.ready):
            m.d.sync += [found.eq(1), found_word.eq(self.word.payload)]
            m.d.sync += found_mask.eq(Cat(value.any() for value in self.word.payload))

        # beats of the mask, then of values
        has_mask, ends_mask, ends_values = Signal(), Signal(), Signal()
        index = Signal(range(max(self.mask_beats, -(-self.chunk // self.window))))
        total, shift = ranks[-1], exact_log2(self.window)
        m.d.comb += [
            ends_mask.eq(index == self.mask_beats - 1),
            ends_values.eq((total - 1)[shift:] == index),
            beat.valid.eq(held),
            beat.p.last.eq(Mux(has_mask, ends_values, ends_mask & (total == 0))),
        ]
        with m.If(has_mask):
            m.d.comb += beat.p.data.as_value().eq(self._values(m, word, mask, ranks, index))
        with m.Else():
            m.d.comb += beat.p.data.as_value().eq(
                mask.word_select(index, self.window * self.width) if self.mask_beats > 1 else mask
            )
        with m.If(beat.valid & beat.ready):
            m.d.sync += index.eq(index + 1)
            with m.If(~has_mask & ends_mask):
                m.d.sync += [index.eq(0), has_mask.eq(1)]
            with m.If(beat.p.last):
                m.d.sync += [index.eq(0), has_mask.eq(0)]

        return m

    def _values(
        self,
        m: Module,
        word: data.View,
        mask: Signal,
        ranks: Sequence[Signal],
        index: Signal,
    ) -> Value:
        """Non-zeros of the beat ``index``: each lane takes the position whose rank is its own."""
        shift = exact_log2(self.window)
        here = [Signal(name=f"is_here_{position}") for position in range(self.chunk)]
        for position, is_here in enumerate(here):
            m.d.comb += is_here.eq(mask[position] & (ranks[position][shift:] == index))
        lanes = []
        for lane in range(self.window):
            line = Signal(self.chunk, name=f"line_{lane}")
            for position, is_here in enumerate(here):
                m.d.comb += line[position].eq(is_here & (ranks[position][:shift] == lane))
            lanes.append(select(line, list(word)))
        return Cat(lanes)
