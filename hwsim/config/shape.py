"""Widths of the machine around an array: what a word of each memory on chip holds."""

from __future__ import annotations

from dataclasses import dataclass

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
        numbers = arch.numbers
        return cls(acts, sums, weights, numbers.act_width, numbers.psum_width)

    @property
    def word_lanes(self) -> int:
        """Activations of a word of an act bank."""
        return max(self.act_lanes, self.ofmap_lanes)

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
    def scale_lane(self) -> int:
        """Bits that the postprocess needs of a channel: bias, multiplier, shift."""
        return self.psum_width + MULTIPLIER_BITS + SHIFT_BITS

    @property
    def scale_word(self) -> int:
        """Bits of a word of the scale memory: whole bytes."""
        return _bytes(self.ofmap_lanes * self.scale_lane)

    @property
    def widths(self) -> dict[str, int]:
        """Bits of a word of each target of a load."""
        return {"act": self.act_bits, "weight": self.weight_word, "scale": self.scale_word}


def _bytes(bits: int) -> int:
    return -(-bits // 8) * 8
