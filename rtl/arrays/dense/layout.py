"""Words of what may be before the array: a gathering scratchpad, a decompressor of weights."""

from amaranth import unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, DenseConfig
from hwsim.formats.base import index_width
from hwsim.formats.weight_stream import Packing
from hwsim.rtl.arrays.systolic.cell import streamed_cell_of
from hwsim.rtl.arrays.systolic.layout import command_layout

__all__ = [
    "act_layout",
    "bank_depth",
    "compressed_command_layout",
    "gather_command_layout",
    "load_layout",
    "row_layout",
    "walk_layout",
    "word_layout",
]


def bank_depth(arch: ArchConfig) -> int:
    """Depth of each activation bank, in K indices."""
    depth = arch.array_as(DenseConfig).gather_depth
    assert depth is not None
    return depth


def act_layout(arch: ArchConfig) -> data.StructLayout:
    """One beat of gathered activations: one word of each bank."""
    return streamed_cell_of(arch).act_stream(arch.array_as(DenseConfig).rows)


def gather_command_layout(arch: ArchConfig) -> data.StructLayout:
    """One job: the array's command, and ``k_blocks``, the K indices of each bank to be loaded."""
    fields = {name: field.shape for name, field in command_layout(arch)}
    return data.StructLayout(fields | {"k_blocks": range(bank_depth(arch) + 1)})


def load_layout(act: data.StructLayout, depth: int) -> data.StructLayout:
    """Beat of a load: one word of each bank for a pixel, and perhaps a word of the gather list."""
    acts = {name: field.shape for name, field in act}
    entry = data.ArrayLayout(unsigned(index_width(depth)), act["act"].shape.length)
    return data.StructLayout(acts | {"entry": entry})


def word_layout(packing: Packing) -> data.StructLayout:
    """Word of a compressed weight stream."""
    return data.StructLayout({"slots": data.ArrayLayout(unsigned(packing.width), packing.port)})


def row_layout(packing: Packing) -> data.StructLayout:
    """Row of weights, one code per lane: what the array takes."""
    return data.StructLayout({"weight": data.ArrayLayout(unsigned(packing.width), packing.lanes)})


def walk_layout() -> data.StructLayout:
    """How often a compressed stream is sent, and the rows of one pass."""
    rows, passes = unsigned(DenseConfig.ROWS_WIDTH), unsigned(DenseConfig.COUNT_WIDTH)
    return data.StructLayout({"weight_rows": rows, "passes": passes})


def compressed_command_layout(arch: ArchConfig) -> data.StructLayout:
    """One job: the array's command, and ``weight_rows``, the rows of weights of one pass."""
    fields = {name: field.shape for name, field in command_layout(arch)}
    return data.StructLayout(fields | {"weight_rows": walk_layout()["weight_rows"].shape})
