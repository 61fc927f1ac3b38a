"""Activation buffer of a cluster, which all its PEs read."""

from amaranth import Array, Module, Signal, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config.arrays.base import power_of_two
from hwsim.rtl.arrays.bitmask.bits import prefix_sums
from hwsim.rtl.arrays.bitmask.layout import acts_layout, masks_layout, place_layout

__all__ = ["Buffer"]


class Buffer(wiring.Component):
    """Hold chunks of activations position by position, so that a PE needs no sums to find one.

    A chunk arrives as its mask, then its packed non-zeros. The sums of the mask are formed here,
    once for all PEs, in the cycle in which a beat of values is pushed: they tell every position
    whether it has a value of this beat, and which. In the next cycle the values go there.

    * Latency: a mask is in the buffer one cycle after its push, values two.
    * Throughput: one beat per cycle. Never stalls.

    Parameters
    ----------
    chunk : int
        Positions of a chunk.
    window : int
        Values of a beat, a power of two.
    buffer_depth : int
        Chunks that the buffer holds.
    act_width : int
        Bits of an activation.

    Members
    -------
    push_en, place : ``In(1)``, ``In(place_layout)``
        A beat is written here.
    word : ``In(ArrayLayout(unsigned(act_width), window))``
        The beat: bits of a mask, or values.
    masks : ``Out(masks_layout(chunk, buffer_depth))``
        Mask of each chunk.
    acts : ``Out(acts_layout(chunk, buffer_depth, act_width))``
        Activations of each chunk; where its mask is clear, of a chunk before.
    """

    push_en: Signal
    place: data.View
    word: data.View
    masks: data.View
    acts: data.View

    def __init__(self, *, chunk: int, window: int, buffer_depth: int, act_width: int) -> None:
        sizes = {"chunk": chunk, "window": window, "buffer_depth": buffer_depth}
        for name, value in sizes.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, not {value}")
        power_of_two(window, "window")
        if window > chunk:
            raise ValueError(f"window must be at most chunk ({chunk}), not {window}")
        self.chunk, self.window, self.buffer_depth = chunk, window, buffer_depth
        self.mask_bits = window * act_width
        words = max(-(-chunk // self.mask_bits), chunk // window)
        super().__init__(
            {
                "push_en": In(1),
                "place": In(place_layout(buffer_depth, words)),
                "word": In(data.ArrayLayout(unsigned(act_width), window)),
                "masks": Out(masks_layout(chunk, buffer_depth)),
                "acts": Out(acts_layout(chunk, buffer_depth, act_width)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        place, slots = self.place, range(self.buffer_depth)

        pushes = [Signal(name=f"push_{slot}") for slot in slots]
        for slot, pushed in enumerate(pushes):
            m.d.comb += pushed.eq(self.push_en & (place.slot == slot))
            self._write_mask(m, slot, pushed & place.is_mask)

        mask = Signal(self.chunk)
        m.d.comb += mask.eq(Array(self.masks[slot] for slot in slots)[place.slot])
        ranks = prefix_sums(m, list(mask), "ones")
        shift = (self.window - 1).bit_length()
        word_q = Signal.like(self.word, reset_less=True)
        values = Array(word_q)
        writes = [Signal(name=f"writes_{slot}") for slot in slots]
        m.d.sync += word_q.eq(self.word)
        for write, pushed in zip(writes, pushes, strict=True):
            m.d.sync += write.eq(pushed & ~place.is_mask)
        for position in range(self.chunk):
            rank = ranks[position]
            index = Signal(shift, name=f"index_{position}", reset_less=True)
            is_here = Signal(name=f"is_here_{position}", reset_less=True)
            m.d.sync += [
                index.eq(rank[:shift]),
                is_here.eq(mask[position] & (rank[shift:] == place.word)),
            ]
            for slot, write in enumerate(writes):
                with m.If(write & is_here):
                    m.d.sync += self.acts[slot][position].eq(values[index])
        return m

    def _write_mask(self, m: Module, slot: int, enable) -> None:
        bits = self.word.as_value()
        for word, first in enumerate(range(0, self.chunk, self.mask_bits)):
            part = self.masks[slot][first : first + self.mask_bits]
            with m.If(enable & (self.place.word == word)):
                m.d.sync += part.eq(bits)
