"""Widths of the machine around an array: what a word of each memory on chip holds."""

from __future__ import annotations

from dataclasses import dataclass, replace

from hwsim.config.arch import ArchConfig
from hwsim.errors import InputError

__all__ = ["MULTIPLIER_BITS", "SHIFT_BITS", "MachineShape"]

#: Bits of a channel's multiplier and shift (:func:`hwsim.fixedpoint.requantize`).
MULTIPLIER_BITS, SHIFT_BITS = 16, 6


@dataclass(frozen=True)
class MachineShape:
    """Words of the memories of a machine; both kinds of beats are powers of two of activations."""

    #: Activations of a beat that the array takes, and results of one that it gives.
    act_lanes: int
    ofmap_lanes: int
    #: Bits of a beat of weights.
    weight_bits: int
    act_width: int
    psum_width: int
    #: Words of an act bank, and of a half of weights and of scales: powers of two.
    act_depth: int
    weight_depth: int
    scale_depth: int
    #: Beats of activations that a word holds at least.
    word_beats: int = 1
    #: Lists of the beats that the lanes gather from: words of a half, and bits of a lane's entry,
    #: which says any beat of an act bank. A fold has a word, and at least ``act_lanes`` words of
    #: weights. 0 without lists.
    list_depth: int = 0
    list_entry: int = 0
    #: Whether there is a weight memory: not where the array's own ones have halves, of which each
    #: takes ``weight_depth`` words.
    has_weights: bool = True

    @classmethod
    def of(cls, arch: ArchConfig) -> MachineShape:
        """Shape of a design's machine.

        Raises
        ------
        InputError
            The design has no machine, or there is none for its family.
        """
        if arch.memory is None:
            rule = "must be given: the design is an array without a machine around it"
            raise InputError(arch.name, "memory", None, rule)
        acts, sums, weights = arch.array.machine_beats(arch.numbers)
        numbers, memory = arch.numbers, arch.memory
        beats = arch.array.word_beats
        found = cls(
            act_lanes=acts,
            ofmap_lanes=sums,
            weight_bits=weights,
            act_width=numbers.act_width,
            psum_width=numbers.psum_width,
            act_depth=memory.act_depth,
            weight_depth=memory.weight_depth,
            scale_depth=memory.scale_depth,
            word_beats=beats,
            has_weights=not arch.array.holds_halves,
        )
        if not memory.gather:
            return found
        entry = (memory.act_depth * found.feed_beats - 1).bit_length()
        return replace(found, list_depth=-(-memory.weight_depth // acts), list_entry=entry)

    @property
    def gathers(self) -> bool:
        """Whether each lane of an act bank has an address of its own."""
        return self.list_depth > 0

    @property
    def word_lanes(self) -> int:
        """Activations of a word of an act bank."""
        return max(self.act_lanes * self.word_beats, self.ofmap_lanes)

    @property
    def slices(self) -> int:
        """Memories of an act bank with an address each."""
        return self.act_lanes if self.gathers else 1

    @property
    def feed_beats(self) -> int:
        """Beats of the array in a word."""
        return self.word_lanes // self.act_lanes

    @property
    def post_beats(self) -> int:
        """Beats of results in a word."""
        return self.word_lanes // self.ofmap_lanes

    @property
    def raw_beats(self) -> int:
        """Beats of results that a beat of whole sums takes."""
        return -(-self.psum_width // self.act_width)

    @property
    def act_bits(self) -> int:
        """Bits of a word of an act bank."""
        return self.word_lanes * self.act_width

    @property
    def weight_word(self) -> int:
        """Bits of a word of the weight memory: whole bytes."""
        return _bytes(self.weight_bits)

    @property
    def weight_address(self) -> int:
        """Bits of the address of a word of weights in its half."""
        return max(1, (self.weight_depth - 1).bit_length())

    @property
    def scale_lane(self) -> int:
        """Bits that the postprocess needs of a channel: bias, multiplier, shift."""
        return self.psum_width + MULTIPLIER_BITS + SHIFT_BITS

    @property
    def scale_word(self) -> int:
        """Bits of a word of the scale memory: whole bytes."""
        return _bytes(self.ofmap_lanes * self.scale_lane)

    @property
    def list_word(self) -> int:
        """Bits of a word of the list memory, an entry per lane of a beat: whole bytes."""
        return _bytes(self.act_lanes * self.list_entry)

    @property
    def widths(self) -> dict[str, int]:
        """Bits of a word of each target of a load."""
        found = {"act": self.act_bits, "weight": self.weight_word, "scale": self.scale_word}
        return found | {"list": self.list_word} if self.gathers else found

    @property
    def depths(self) -> dict[str, int]:
        """Words of each target of a load: of a bank, or of a half."""
        found = {
            "act": self.act_depth, "weight": self.weight_depth, "scale": self.scale_depth,
            "list": self.list_depth,
        }  # fmt: skip
        return {name: found[name] for name in self.widths}


def _bytes(bits: int) -> int:
    return -(-bits // 8) * 8
