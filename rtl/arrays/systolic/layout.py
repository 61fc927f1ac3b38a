"""Words that travel between the parts of the systolic arrays, and the codes of their status.

The families differ in what a PE holds and sees alone: :mod:`hwsim.rtl.arrays.systolic.cell`.
"""

from amaranth import signed, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.config.arrays.systolic import SYSTOLIC_CAUSES
from hwsim.contract.causes import cause_code
from hwsim.rtl.arrays.interface import border
from hwsim.rtl.arrays.systolic.cell import cell_of, streamed_cell_of

__all__ = [
    "acc_depth",
    "act_lanes",
    "array_members",
    "cause",
    "command_layout",
    "load_layout",
    "mac_layout",
    "ofmap_layout",
    "psum_lanes",
    "tag_layout",
    "weight_lanes",
]


def cause(name: str) -> int:
    """Status code of a cause."""
    return cause_code(SYSTOLIC_CAUSES, "array", name)


def acc_depth(arch: ArchConfig) -> int:
    """Pixels of a full tile of a ``ws`` array."""
    depth = arch.array_as(SystolicConfig).acc_depth
    assert depth is not None
    return depth


def _lanes(arch: ArchConfig) -> tuple[int, int]:
    """PEs that a beat of weights, of activations is for."""
    array = arch.array_as(SystolicConfig)
    return (array.cols, array.rows) if array.dataflow == "ws" else (array.rows, array.cols)


def act_lanes(arch: ArchConfig) -> data.ArrayLayout:
    """One beat of activations: a pixel's K slice (``ws``), or one k of each pixel (``os``)."""
    return data.ArrayLayout(cell_of(arch).act, _lanes(arch)[1])


def weight_lanes(arch: ArchConfig) -> data.ArrayLayout:
    """One beat of weights: one k of each filter."""
    return data.ArrayLayout(cell_of(arch).weight, _lanes(arch)[0])


def psum_lanes(cols: int, psum_width: int) -> data.ArrayLayout:
    """One beat of partial sums: a pixel of each filter (``ws``) or the reverse (``os``)."""
    return data.ArrayLayout(signed(psum_width), cols)


def ofmap_layout(arch: ArchConfig) -> data.StructLayout:
    """Payload of the ofmap stream."""
    lanes = psum_lanes(arch.array_as(SystolicConfig).cols, arch.numbers.psum_width)
    return data.StructLayout({"psum": lanes})


def load_layout(rows: int) -> data.StructLayout:
    """A row of weights on its way down: rows 0 to ``row`` take it, each a cycle after another."""
    return data.StructLayout({"valid": 1, "row": range(rows)})


def tag_layout() -> data.StructLayout:
    """What the accumulator must know of a pixel: in the first, last K fold; end of its fold."""
    return data.StructLayout({"valid": 1, "first": 1, "last": 1, "end": 1})


def mac_layout() -> data.StructLayout:
    """What an output-stationary PE must know of two operands: the first, the last of a fold."""
    return data.StructLayout({"valid": 1, "first": 1, "last": 1})


def command_layout(arch: ArchConfig) -> data.StructLayout:
    """One job.

    ``ws``: ``n_tiles`` tiles of ``acc_depth`` pixels, ``n_edge`` in the last; ``m_folds`` and
    ``k_folds`` of each; ``k_edge`` rows hold weights in the last K fold.
    ``os``: ``n_folds`` pixel folds and ``m_folds`` of each; ``m_edge`` rows hold filters in the
    last M fold; ``k_size`` beats per fold.
    With ``carries``: ``carry`` begins with the sums that lie in the accumulator or in the PEs,
    ``keep`` leaves its own there and sends none; both of one M fold and one fold of pixels.
    A PE's k is a block of K where it sees one; then, with binary activations, ``block_edge`` is the
    number of positions in the last block.
    """
    array = arch.array_as(SystolicConfig)
    count, edge = unsigned(array.COUNT_WIDTH), range(array.rows + 1)
    if array.dataflow == "os":
        fields = {"k_size": count, "m_folds": count, "n_folds": count, "m_edge": edge}
    else:
        fields = {
            "k_folds": count,
            "m_folds": count,
            "n_tiles": count,
            "k_edge": edge,
            "n_edge": range(acc_depth(arch) + 1),
        }
    if array.carries:
        fields |= {"carry": unsigned(1), "keep": unsigned(1)}
    if array.block > 1 and arch.numbers.act_width == 1:
        fields["block_edge"] = range(array.block + 1)
    return data.StructLayout(fields)


def array_members(arch: ArchConfig) -> dict:
    """Members of the array component of either dataflow."""
    cell, (weights, acts) = streamed_cell_of(arch), _lanes(arch)
    return border(
        arch,
        command=command_layout(arch),
        weight=cell.weight_stream(weights),
        act=cell.act_stream(acts),
        ofmap=ofmap_layout(arch),
    )
