"""Words that travel between the parts of the index-decoding array, and the sizes of its PEs."""

from dataclasses import dataclass
from typing import Self

from amaranth import signed, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, CSCConfig, NumberConfig
from hwsim.config.arrays.decoding import Banks
from hwsim.formats.base import index_width
from hwsim.formats.csc import entry_has_zero, entry_width
from hwsim.rtl.arrays.decoding import tiles

__all__ = [
    "PESizes",
    "act_layout",
    "command_layout",
    "entry_layout",
    "lane_acts",
    "load_layout",
    "token_layout",
    "weight_layout",
]


@dataclass(frozen=True)
class PESizes:
    """What an index-decoding PE is built from.

    Attributes
    ----------
    col_depth, entry_depth
        Columns and entries that its memories hold.
    fifo_depth
        Tokens that its queue holds.
    pointer_width
        Bits of a column pointer.
    code_width, index_bits
        Bits of the two fields of an entry.
    has_zero
        Whether the code 0 marks padding; else the largest relative index does.
    has_codebook
        Whether the code selects a weight of a table; else it is that of the weight.
    carries
        Whether sums may stay from one command to the next.
    halves
        Halves of its memories of weights: 1 or 2.
    banks
        Accumulators.
    numbers
        Word widths, and what the code of a weight means.
    """

    col_depth: int
    entry_depth: int
    fifo_depth: int
    pointer_width: int
    code_width: int
    index_bits: int
    has_zero: bool
    has_codebook: bool
    carries: bool
    halves: int
    banks: Banks
    numbers: NumberConfig

    @classmethod
    def of(cls, arch: ArchConfig) -> Self:
        """Sizes of the PEs of a design."""
        array = arch.array_as(CSCConfig)
        return cls(
            col_depth=array.col_depth,
            entry_depth=array.entry_depth,
            fifo_depth=array.fifo_depth,
            pointer_width=array.pointer_width,
            code_width=entry_width(arch),
            index_bits=array.index_bits,
            has_zero=entry_has_zero(arch),
            has_codebook=array.codebook_bits is not None,
            carries=array.carries,
            halves=array.halves,
            banks=array.banks,
            numbers=arch.numbers,
        )

    @property
    def acts(self) -> data.ArrayLayout:
        """Activations of one position."""
        return lane_acts(self.banks.lanes, self.numbers.act_width)


def command_layout(arch: ArchConfig) -> data.StructLayout:
    """One M tile.

    ``weight_beats`` to load, or 0 where those of the tile before stay; or the ``half`` of the
    memories that is read (:func:`~hwsim.rtl.arrays.decoding.tiles.begin_fields`). Then ``words`` of
    activations for each of ``groups`` groups of pixels; ``rows`` local rows come out of each group,
    each in ``beats`` beats, or ``tail`` beats for the last group. With ``carries`` also flags
    (:func:`~hwsim.rtl.arrays.decoding.tiles.carry_fields`).
    """
    array = arch.array_as(CSCConfig)
    banks = array.pes // array.load_pes
    table = _table_size(array)
    return data.StructLayout(
        {
            **tiles.begin_fields(array, table + banks * (array.col_depth + 1 + array.entry_depth)),
            "words": range(-(-array.col_depth // array.window) + 1),
            "groups": unsigned(32),
            "rows": range(array.acc_depth + 1),
            "beats": range(array.banks.beats + 1),
            "tail": range(array.banks.beats + 1),
            **tiles.carry_fields(array),
        }
    )


def _table_size(array: CSCConfig) -> int:
    return 0 if array.codebook_bits is None else 1 << array.codebook_bits


def entry_layout(code_width: int, index_bits: int) -> data.StructLayout:
    """One word of a PE's weight memory; :mod:`hwsim.formats.csc` says which is padding."""
    return data.StructLayout({"code": unsigned(code_width), "rel_idx": unsigned(index_bits)})


def weight_layout(arch: ArchConfig) -> data.StructLayout:
    """One write to the memories of ``load_pes`` PEs.

    ``kind`` 0 writes column pointer ``addr``, 1 writes entry ``addr``, each with its word of
    ``data``; ``bank`` b is PEs ``b * load_pes`` on. With a codebook, 2 writes weight ``addr`` of
    the table of every PE, whatever the bank; each word of ``data`` must be the same.
    """
    array = arch.array_as(CSCConfig)
    depths = (array.col_depth + 1, array.entry_depth, _table_size(array))
    widths = [array.pointer_width, entry_layout(entry_width(arch), array.index_bits).size]
    if array.codebook_bits is not None:
        widths.append(arch.numbers.weight_width)
    return data.StructLayout(
        {
            "kind": unsigned(1 if array.codebook_bits is None else 2),
            "bank": unsigned(index_width(array.pes // array.load_pes)),
            "addr": unsigned(index_width(max(depths))),
            "data": data.ArrayLayout(unsigned(max(widths)), array.load_pes),
            **tiles.half_field(array),
        }
    )


def load_layout(arch: ArchConfig) -> data.StructLayout:
    """What one PE sees of a weight beat."""
    return tiles.load_layout(weight_layout(arch))


def lane_acts(lanes: int, act_width: int) -> data.ArrayLayout:
    """Activations of one position, one per lane."""
    return data.ArrayLayout(signed(act_width), lanes)


def act_layout(window: int, acts: data.ArrayLayout) -> data.StructLayout:
    """``window`` consecutive positions of one group, each with its ``acts``."""
    return data.StructLayout({"act": data.ArrayLayout(acts, window)})


def token_layout(col_depth: int, acts: data.ArrayLayout) -> data.StructLayout:
    """One broadcast: a position with a non-zero activation.

    ``last`` closes the group; ``null`` carries nothing but ``last``.
    """
    return data.StructLayout(
        {
            "k": unsigned(index_width(col_depth)),
            "act": acts,
            "last": unsigned(1),
            "null": unsigned(1),
        }
    )
