"""Words that travel between the parts of the index-decoding array."""

from amaranth import signed, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, CSCConfig
from hwsim.formats.base import index_width
from hwsim.formats.csc import entry_width

__all__ = [
    "act_layout",
    "command_layout",
    "entry_layout",
    "lane_acts",
    "load_layout",
    "token_layout",
    "weight_layout",
]


def command_layout(arch: ArchConfig) -> data.StructLayout:
    """One M tile.

    ``weight_beats`` to load; then ``words`` of activations for each of ``groups`` groups of
    pixels; ``rows`` local rows come out of each group, each in ``lanes / drain_lanes`` beats, or
    ``tail`` beats for the last group.
    """
    array = arch.array_as(CSCConfig)
    banks = array.pes // array.load_pes
    table = _table_size(array)
    return data.StructLayout(
        {
            "weight_beats": range(table + banks * (array.col_depth + 1 + array.entry_depth) + 1),
            "words": range(-(-array.col_depth // array.window) + 1),
            "groups": unsigned(32),
            "rows": range(array.acc_depth + 1),
            "tail": range(array.lanes // array.drain_lanes + 1),
        }
    )


def _table_size(array: CSCConfig) -> int:
    return 0 if array.codebook_bits is None else 1 << array.codebook_bits


def entry_layout(arch: ArchConfig) -> data.StructLayout:
    """One word of a PE's weight memory; :mod:`hwsim.formats.csc` says which is padding."""
    return data.StructLayout(
        {
            "code": unsigned(entry_width(arch)),
            "rel_idx": unsigned(arch.array_as(CSCConfig).index_bits),
        }
    )


def _word_width(arch: ArchConfig) -> int:
    widths = [arch.array_as(CSCConfig).entry_depth.bit_length(), entry_layout(arch).size]
    if arch.array_as(CSCConfig).codebook_bits is not None:
        widths.append(arch.numbers.weight_width)
    return max(widths)


def weight_layout(arch: ArchConfig) -> data.StructLayout:
    """One write to the memories of ``load_pes`` PEs.

    ``kind`` 0 writes column pointer ``addr``, 1 writes entry ``addr``, each with its word of
    ``data``; ``bank`` b is PEs ``b * load_pes`` on. With a codebook, 2 writes weight ``addr`` of
    the table of every PE, whatever the bank; each word of ``data`` must be the same.
    """
    array = arch.array_as(CSCConfig)
    depths = (array.col_depth + 1, array.entry_depth, _table_size(array))
    return data.StructLayout(
        {
            "kind": unsigned(1 if array.codebook_bits is None else 2),
            "bank": unsigned(index_width(array.pes // array.load_pes)),
            "addr": unsigned(index_width(max(depths))),
            "data": data.ArrayLayout(unsigned(_word_width(arch)), array.load_pes),
        }
    )


def load_layout(arch: ArchConfig) -> data.StructLayout:
    """What one PE sees of a weight beat."""
    fields = weight_layout(arch)
    return data.StructLayout(
        {
            "kind": fields["kind"].shape,
            "addr": fields["addr"].shape,
            "data": unsigned(_word_width(arch)),
        }
    )


def lane_acts(arch: ArchConfig) -> data.ArrayLayout:
    """Activations of one position, one a lane."""
    return data.ArrayLayout(signed(arch.numbers.act_width), arch.array_as(CSCConfig).lanes)


def act_layout(arch: ArchConfig) -> data.StructLayout:
    """``window`` consecutive positions of one group."""
    return data.StructLayout(
        {"act": data.ArrayLayout(lane_acts(arch), arch.array_as(CSCConfig).window)}
    )


def token_layout(arch: ArchConfig) -> data.StructLayout:
    """One broadcast: a position with a non-zero activation.

    ``last`` closes the group; ``null`` carries nothing but ``last``.
    """
    return data.StructLayout(
        {
            "k": unsigned(index_width(arch.array_as(CSCConfig).col_depth)),
            "act": lane_acts(arch),
            "last": unsigned(1),
            "null": unsigned(1),
        }
    )
