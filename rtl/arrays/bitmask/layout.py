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
    "beat_layout",
    "command_layout",
    "load_layout",
    "mask_word",
    "push_layout",
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
    window
        Activations of one word of the buffer.
    buffer_depth
        Chunks of activations that the buffer holds.
    mask_depth, entry_depth
        Masks and values that the weight memories hold.
    banks
        Accumulators; their depth is the most local filters.
    numbers
        Word widths, and what the code of a weight means.
    """

    chunk: int
    window: int
    buffer_depth: int
    mask_depth: int
    entry_depth: int
    banks: Banks
    numbers: NumberConfig

    def __post_init__(self) -> None:
        for key in ("chunk", "window", "buffer_depth", "mask_depth", "entry_depth"):
            if getattr(self, key) < 1:
                raise ValueError(f"{key} must be at least 1, not {getattr(self, key)}")
        for key in ("chunk", "window"):
            power_of_two(getattr(self, key), key)
        if self.window > self.chunk:
            raise ValueError(f"window must be at most chunk ({self.chunk}), not {self.window}")

    @classmethod
    def of(cls, arch: ArchConfig) -> Self:
        """Sizes of the PEs of a design."""
        array = arch.array_as(BitmaskConfig)
        return cls(
            chunk=array.chunk,
            window=array.window,
            buffer_depth=array.buffer_depth,
            mask_depth=array.mask_depth,
            entry_depth=array.entry_depth,
            banks=array.banks,
            numbers=arch.numbers,
        )

    @property
    def words(self) -> int:
        """Words of activations that a chunk may need."""
        return self.chunk // self.window


def mask_word(arch: ArchConfig) -> int:
    """Bits of one of the words that a mask is cut into on the activation stream."""
    return min(arch.array_as(BitmaskConfig).chunk, 32)


def command_layout(arch: ArchConfig) -> data.StructLayout:
    """One M tile.

    ``weight_beats`` to load; then ``chunks`` chunks of activations for each of ``groups`` groups
    of pixels, one per cluster; ``rows`` local filters come out of each group.
    """
    array = arch.array_as(BitmaskConfig)
    banks = array.cluster_pes // array.load_pes
    per_bank = array.mask_depth * (array.chunk // PIECE) + array.entry_depth
    return data.StructLayout(
        {
            "weight_beats": range(banks * per_bank + 1),
            "chunks": range(array.mask_depth + 1),
            "groups": unsigned(32),
            "rows": range(array.acc_depth + 1),
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
        }
    )


def load_layout(arch: ArchConfig) -> data.StructLayout:
    """What one PE sees of a weight beat."""
    return tiles.load_layout(weight_layout(arch))


def act_layout(arch: ArchConfig) -> data.StructLayout:
    """One beat of activations: ``window`` packed non-zeros of a chunk of each cluster's pixel.

    The chunk's mask comes with its ``last`` beat, lowest positions in the first word.
    """
    array = arch.array_as(BitmaskConfig)
    word = mask_word(arch)
    mask = data.ArrayLayout(unsigned(word), array.chunk // word)
    values = data.ArrayLayout(signed(arch.numbers.act_width), array.window)
    return data.StructLayout(
        {
            "mask": data.ArrayLayout(mask, array.clusters),
            "act": data.ArrayLayout(values, array.clusters),
            "last": unsigned(1),
        }
    )


def beat_layout(buffer_depth: int, words: int, beat: data.StructLayout) -> data.StructLayout:
    """A ``beat`` of activations, and where in every buffer it goes.

    That is word ``word``, of at most ``words``, of slot ``slot``.
    """
    return data.StructLayout(
        {
            "slot": unsigned(index_width(buffer_depth)),
            "word": unsigned(index_width(words)),
            "beat": beat,
        }
    )


def push_layout(sizes: PESizes) -> data.StructLayout:
    """What one PE sees of a beat: word ``word`` of slot ``slot`` of its buffer.

    ``last`` completes the chunk, and ``mask`` is its mask.
    """
    return data.StructLayout(
        {
            "slot": unsigned(index_width(sizes.buffer_depth)),
            "word": unsigned(index_width(sizes.words)),
            "last": unsigned(1),
            "mask": unsigned(sizes.chunk),
            "act": data.ArrayLayout(signed(sizes.numbers.act_width), sizes.window),
        }
    )


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
