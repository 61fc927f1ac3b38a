"""Words of the gathering array: its command, and the beats that load its banks."""

from amaranth import unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, DenseConfig
from hwsim.formats.base import index_width
from hwsim.rtl.arrays.systolic.cell import streamed_cell_of
from hwsim.rtl.arrays.systolic.layout import command_layout

__all__ = ["act_layout", "bank_depth", "gather_command_layout", "load_layout"]


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
