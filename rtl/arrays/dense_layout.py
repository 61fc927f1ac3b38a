"""Words that travel between the parts of the dense array, and the codes of its status."""

from amaranth import signed, unsigned
from amaranth.lib import data, stream
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, DenseConfig
from hwsim.config.causes import CAUSES
from hwsim.formats.base import index_width

__all__ = [
    "acc_depth",
    "act_lanes",
    "array_members",
    "cause",
    "command_layout",
    "dense",
    "load_layout",
    "mac_layout",
    "ofmap_lanes",
    "tag_layout",
    "weight_lanes",
]

_NAMES = CAUSES["dense"]["array"]


def cause(name: str) -> int:
    """Status code of a cause."""
    return _NAMES.index(name)


def dense(arch: ArchConfig) -> DenseConfig:
    """Array of a design of this family."""
    if not isinstance(arch.array, DenseConfig):
        raise TypeError(f"{arch.name} must be of family dense, not {arch.array.family}")
    return arch.array


def acc_depth(arch: ArchConfig) -> int:
    """Pixels of a full tile of a ``ws`` array."""
    depth = dense(arch).acc_depth
    assert depth is not None
    return depth


def act_lanes(arch: ArchConfig) -> data.ArrayLayout:
    """One beat of activations: a pixel's K slice (``ws``), or one k of each pixel (``os``)."""
    array = dense(arch)
    lanes = array.rows if array.dataflow == "ws" else array.cols
    return data.ArrayLayout(signed(arch.numbers.act_width), lanes)


def weight_lanes(arch: ArchConfig) -> data.ArrayLayout:
    """One beat of weights: one k of each filter."""
    array = dense(arch)
    lanes = array.cols if array.dataflow == "ws" else array.rows
    return data.ArrayLayout(signed(arch.numbers.weight_width), lanes)


def ofmap_lanes(arch: ArchConfig) -> data.ArrayLayout:
    """One beat of partial sums: a pixel of each filter (``ws``) or the reverse (``os``)."""
    return data.ArrayLayout(signed(arch.numbers.psum_width), dense(arch).cols)


def load_layout(arch: ArchConfig) -> data.StructLayout:
    """A row of weights on its way down: rows 0 to ``row`` take it, each a clock after another."""
    return data.StructLayout({"valid": 1, "row": range(dense(arch).rows)})


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
    last M fold; ``k_size`` beats a fold.
    """
    array = dense(arch)
    count = unsigned(array.COUNT_WIDTH)
    if array.dataflow == "os":
        edge = range(array.rows + 1)
        return data.StructLayout(
            {"k_size": count, "m_folds": count, "n_folds": count, "m_edge": edge}
        )
    return data.StructLayout(
        {
            "k_folds": count,
            "m_folds": count,
            "n_tiles": count,
            "k_edge": range(array.rows + 1),
            "n_edge": range(acc_depth(arch) + 1),
        }
    )


def array_members(arch: ArchConfig) -> dict:
    """Members of the array component of either dataflow."""
    code = unsigned(index_width(len(_NAMES)))
    return {
        "command": In(stream.Signature(command_layout(arch))),
        "weight": In(stream.Signature(data.StructLayout({"weight": weight_lanes(arch)}))),
        "act": In(stream.Signature(data.StructLayout({"act": act_lanes(arch)}))),
        "ofmap": Out(stream.Signature(data.StructLayout({"psum": ofmap_lanes(arch)}))),
        "status": Out(data.StructLayout({"array": data.ArrayLayout(code, 1)})),
    }
