"""Words that travel between the parts of the bitmask array."""

from amaranth import signed, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.formats.base import index_width
from hwsim.formats.bitmask import PIECE
from hwsim.rtl.arrays.decoding import tiles

__all__ = [
    "act_layout",
    "chunk_words",
    "command_layout",
    "load_layout",
    "mask_word",
    "push_layout",
    "step_layout",
    "weight_layout",
]


def chunk_words(arch: ArchConfig) -> int:
    """Words of ``window`` values that a chunk may need."""
    array = arch.array_as(BitmaskConfig)
    return array.chunk // array.window


def mask_word(arch: ArchConfig) -> int:
    """Bits of one of the words that a mask is cut into on the activation stream."""
    return min(arch.array_as(BitmaskConfig).chunk, 32)


def command_layout(arch: ArchConfig) -> data.StructLayout:
    """One M tile.

    ``weight_beats`` to load; then ``chunks`` chunks of activations for each of ``groups`` groups
    of pixels, one a cluster; ``rows`` local filters come out of each group.
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

    ``kind`` 0 writes piece ``addr`` of the masks, ``chunk / PIECE`` pieces a mask, 1 writes value
    ``addr``, each with its word of ``data``; ``bank`` b is PEs ``b * load_pes`` on.
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


def push_layout(arch: ArchConfig) -> data.StructLayout:
    """What one PE sees of a beat: word ``word`` of place ``slot`` of its buffer.

    ``last`` completes the chunk, and ``mask`` is its mask.
    """
    array = arch.array_as(BitmaskConfig)
    return data.StructLayout(
        {
            "slot": unsigned(index_width(array.buffer_depth)),
            "word": unsigned(index_width(chunk_words(arch))),
            "last": unsigned(1),
            "mask": unsigned(array.chunk),
            "act": data.ArrayLayout(signed(arch.numbers.act_width), array.window),
        }
    )


def step_layout(arch: ArchConfig) -> data.StructLayout:
    """One chunk of one local filter, with the chunk of activations it meets.

    ``ends_chunk`` marks the last local filter, ``ends_pixel`` that of the pixel's last chunk.
    """
    array = arch.array_as(BitmaskConfig)
    return data.StructLayout(
        {
            "weight": unsigned(array.chunk),
            "act": unsigned(array.chunk),
            "row": unsigned(index_width(array.acc_depth)),
            "slot": unsigned(index_width(array.buffer_depth)),
            "ends_chunk": unsigned(1),
            "ends_pixel": unsigned(1),
        }
    )
