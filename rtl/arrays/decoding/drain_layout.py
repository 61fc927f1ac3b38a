"""Words of the drain that the index-decoding arrays share: csc and bitmask."""

from amaranth import signed, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, BitmaskConfig, CSCConfig
from hwsim.formats.base import index_width

__all__ = ["array_config", "drain_layout", "lane_psums", "ofmap_layout"]


def array_config(arch: ArchConfig) -> CSCConfig | BitmaskConfig:
    """Array of a design whose PEs add up in banks of accumulators.

    Raises
    ------
    TypeError
        It has none.
    """
    if not isinstance(arch.array, CSCConfig | BitmaskConfig):
        raise TypeError(
            f"design {arch.name!r} must be of the family csc or bitmask, not {arch.array.family}"
        )
    return arch.array


def drain_layout(arch: ArchConfig) -> data.StructLayout:
    """What the drain does to every PE's accumulators in a clock.

    ``read`` fetches row ``read_row`` of bank ``read_bank``; ``zero`` clears row ``row`` of bank
    ``bank``; the row fetched last is seen through ``bank`` and ``beat``.
    """
    array = array_config(arch)
    row = unsigned(index_width(array.acc_depth))
    bank = unsigned(index_width(array.acc_banks))
    return data.StructLayout(
        {
            "read": unsigned(1),
            "read_bank": bank,
            "read_row": row,
            "zero": unsigned(1),
            "bank": bank,
            "row": row,
            "beat": unsigned(index_width(array.lanes // array.drain_lanes)),
        }
    )


def lane_psums(arch: ArchConfig) -> data.ArrayLayout:
    """Partial sums of the lanes of one PE that go out together."""
    return data.ArrayLayout(signed(arch.numbers.psum_width), array_config(arch).drain_lanes)


def ofmap_layout(arch: ArchConfig) -> data.StructLayout:
    """Partial sums of one local row and ``drain_lanes`` lanes, PE after PE."""
    array = array_config(arch)
    psum = signed(arch.numbers.psum_width)
    return data.StructLayout({"psum": data.ArrayLayout(psum, array.pes * array.drain_lanes)})
