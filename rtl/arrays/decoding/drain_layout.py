"""Words of the drain that the index-decoding arrays share."""

from amaranth import signed, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, DecodingConfig
from hwsim.config.arrays.decoding import Banks
from hwsim.formats.base import index_width

__all__ = ["drain_layout", "lane_psums", "ofmap_layout"]


def drain_layout(banks: Banks) -> data.StructLayout:
    """What the drain does to every PE's accumulators in a cycle.

    ``read`` fetches row ``read_row`` of bank ``read_bank``; ``zero`` clears row ``row`` of bank
    ``bank``, ``clear`` that of all banks; the row fetched last is seen through ``bank`` and
    ``beat``.
    """
    row = unsigned(index_width(banks.depth))
    bank = unsigned(index_width(banks.count))
    return data.StructLayout(
        {
            "read": unsigned(1),
            "read_bank": bank,
            "read_row": row,
            "zero": unsigned(1),
            "clear": unsigned(1),
            "bank": bank,
            "row": row,
            "beat": unsigned(index_width(banks.beats)),
        }
    )


def lane_psums(banks: Banks, psum_width: int) -> data.ArrayLayout:
    """Partial sums of the lanes of one PE that go out together."""
    return data.ArrayLayout(signed(psum_width), banks.drain_lanes)


def ofmap_layout(arch: ArchConfig) -> data.StructLayout:
    """Partial sums of one local row and ``drain_lanes`` lanes, PE after PE of one slice."""
    array = arch.array_as(DecodingConfig)
    psum = signed(arch.numbers.psum_width)
    return data.StructLayout({"psum": data.ArrayLayout(psum, array.beat_psums)})
