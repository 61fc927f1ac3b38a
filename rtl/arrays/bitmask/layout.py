"""Words that travel between the parts of the bitmask array, and the sizes of its PEs."""

from dataclasses import dataclass
from typing import Self

from amaranth import signed, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, BitmaskConfig, NumberConfig
from hwsim.config.arrays.base import power_of_two
from hwsim.config.arrays.decoding import Banks
from hwsim.formats.base import index_width
from hwsim.formats.bitmask import PIECE
from hwsim.rtl.arrays.decoding import tiles

__all__ = [
    "PESizes",
    "act_layout",
    "acts_layout",
    "command_layout",
    "load_layout",
    "masks_layout",
    "place_layout",
    "step_layout",
    "weight_layout",
]


@dataclass(frozen=True)
class PESizes:
    """What a bitmask PE is built from.

    Attributes
    ----------
    chunk
        Positions that one mask covers.
    buffer_depth
        Chunks of activations that the buffer of its cluster holds.
    mask_depth, entry_depth
        Masks and values that the weight memories hold.
    banks
        Accumulators; their depth is the most local filters.
    carries
        Whether sums may stay from one command to the next.
    halves
        Halves of its memories of weights: 1 or 2.
    numbers
        Word widths, and what the code of a weight means.
    """

    chunk: int
    buffer_depth: int
    mask_depth: int
    entry_depth: int
    banks: Banks
    carries: bool
    halves: int
    numbers: NumberConfig

    def __post_init__(self) -> None:
        for key in ("chunk", "buffer_depth", "mask_depth", "entry_depth"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, not {getattr(self, key)}")
        power_of_two(self.chunk, "chunk")

    @classmethod
    def of(cls, arch: ArchConfig) -> Self:
        """Sizes of the PEs of a design."""
        array = arch.array_as(BitmaskConfig)
        return cls(
            chunk=array.chunk,
            buffer_depth=array.buffer_depth,
            mask_depth=array.mask_depth,
            entry_depth=array.entry_depth,
            banks=array.banks,
            carries=array.carries,
            halves=array.halves,
            numbers=arch.numbers,
        )


def command_layout(arch: ArchConfig) -> data.StructLayout:
    """One M tile.

    ``weight_beats`` to load, or the ``half`` of the memories that is read
    (:func:`~hwsim.rtl.arrays.decoding.tiles.begin_fields`); then ``chunks`` chunks of activations
    for each of ``groups`` groups of pixels, one per cluster; ``rows`` local filters come out of
    each group, the last one in ``edge`` beats. ``masks`` is rows times chunks. With ``carries``
    also flags (:func:`~hwsim.rtl.arrays.decoding.tiles.carry_fields`).
    """
    array = arch.array_as(BitmaskConfig)
    banks = array.cluster_pes // array.load_pes
    per_bank = array.mask_depth * (array.chunk // PIECE) + array.entry_depth
    return data.StructLayout(
        {
            **tiles.begin_fields(array, banks * per_bank),
            "chunks": range(array.mask_depth + 1),
            "groups": unsigned(32),
            "rows": range(array.acc_depth + 1),
            "masks": range(array.mask_depth + 1),
            "edge": range(array.drain_slices + 1),
            **tiles.carry_fields(array),
        }
    )


def _word_width(arch: ArchConfig) -> int:
    return max(PIECE, arch.numbers.weight_width)


def weight_layout(arch: ArchConfig) -> data.StructLayout:
    """One write to the memories of ``load_pes`` PEs of every cluster.

    ``kind`` 0 writes piece ``addr`` of the masks, ``chunk / PIECE`` pieces per mask, 1 writes
    value ``addr``, each with its word of ``data``; ``bank`` b is PEs ``b * load_pes`` on.
    """
    array = arch.array_as(BitmaskConfig)
    pieces = array.mask_depth * (array.chunk // PIECE)
    return data.StructLayout(
        {
            "kind": unsigned(1),
            "bank": unsigned(index_width(array.cluster_pes // array.load_pes)),
            "addr": unsigned(index_width(max(pieces, array.entry_depth))),
            "data": data.ArrayLayout(unsigned(_word_width(arch)), array.load_pes),
            **tiles.half_field(array),
        }
    )


def load_layout(arch: ArchConfig) -> data.StructLayout:
    """What one PE sees of a weight beat."""
    return tiles.load_layout(weight_layout(arch))


def act_layout(arch: ArchConfig) -> data.StructLayout:
    """One beat of activations of a chunk of each cluster's pixel.

    First comes the chunk's mask, lowest positions first, then its packed non-zeros; the ``last``
    beat completes the chunk.
    """
    array = arch.array_as(BitmaskConfig)
    word = data.ArrayLayout(unsigned(arch.numbers.act_width), array.window)
    return data.StructLayout({"data": data.ArrayLayout(word, array.clusters), "last": unsigned(1)})


def place_layout(buffer_depth: int, words: int) -> data.StructLayout:
    """Where in every buffer a beat goes.

    It is word ``word``, of at most ``words``, of the mask (``is_mask``) or of the values of slot
    ``slot``.
    """
    return data.StructLayout(
        {
            "slot": unsigned(index_width(buffer_depth)),
            "is_mask": unsigned(1),
            "word": unsigned(index_width(words)),
        }
    )


def masks_layout(chunk: int, buffer_depth: int) -> data.ArrayLayout:
    """Masks of a buffer, slot by slot."""
    return data.ArrayLayout(unsigned(chunk), buffer_depth)


def acts_layout(chunk: int, buffer_depth: int, act_width: int) -> data.ArrayLayout:
    """Activations of a buffer, slot by slot and position by position."""
    return data.ArrayLayout(data.ArrayLayout(signed(act_width), chunk), buffer_depth)


def step_layout(chunk: int, filters: int, buffer_depth: int) -> data.StructLayout:
    """One chunk of one of ``filters`` local filters, with the chunk of activations it meets.

    ``ends_chunk`` marks the last local filter, ``ends_pixel`` that of the pixel's last chunk.
    """
    return data.StructLayout(
        {
            "weight": unsigned(chunk),
            "act": unsigned(chunk),
            "row": unsigned(index_width(filters)),
            "slot": unsigned(index_width(buffer_depth)),
            "ends_chunk": unsigned(1),
            "ends_pixel": unsigned(1),
        }
    )
