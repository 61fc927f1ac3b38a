"""Words that travel between the parts of the pattern array, and the codes of its status."""

from amaranth import unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, PatternConfig
from hwsim.contract.causes import cause_code
from hwsim.formats.base import index_width
from hwsim.formats.pattern import TAPS, WINDOW
from hwsim.rtl.arrays.interface import border
from hwsim.rtl.arrays.systolic.layout import ofmap_layout
from hwsim.rtl.blocks.multiplier import act_shape, code_shape

__all__ = [
    "array_members",
    "beat_layout",
    "cause",
    "command_layout",
    "row_layout",
    "taps_layout",
]


def cause(name: str) -> int:
    """Status code of a cause."""
    return cause_code(PatternConfig.CAUSES, "array", name)


def taps_layout() -> data.ArrayLayout:
    """Taps of a pattern; a number past the last tap is none."""
    return data.ArrayLayout(range(WINDOW + 1), TAPS)


def command_layout(arch: ArchConfig) -> data.StructLayout:
    """Write an entry of the library (``run`` is 0), or run one tile of a run of groups.

    ``taps`` of library entry ``entry``; or ``m_folds`` groups of ``k_folds`` channel folds with
    ``k_edge`` channels in the last; ``pixels`` windows per fold, ``windows`` in all, from
    ``reads`` beats of activations; patches of ``height`` and ``width``, ``stride`` less 1, padding
    at the ``edges`` top, bottom, left, right; ``direct``: a beat is a window's first four taps.
    With ``carries``: ``carry`` begins with the sums that lie in the accumulator, ``keep`` leaves
    its own there and sends none; both of one group.
    """
    array = arch.array_as(PatternConfig)
    count, windows = unsigned(array.COUNT_WIDTH), unsigned(array.WINDOW_WIDTH)
    carried = {"carry": 1, "keep": 1} if array.carries else {}
    return data.StructLayout(
        {
            "run": 1,
            "entry": unsigned(index_width(array.patterns)),
            "taps": taps_layout(),
            "k_folds": count,
            "m_folds": count,
            "k_edge": range(array.rows + 1),
            "pixels": range((array.acc_depth or 0) + 1),
            "reads": windows,
            "windows": windows,
            "height": count,
            "width": range(array.line_depth + 1),
            "stride": 1,
            "edges": data.ArrayLayout(1, 4),
            "direct": 1,
        }
        | carried
    )


def beat_layout(arch: ArchConfig) -> data.ArrayLayout:
    """One beat of activations: four lanes per row, of which a 3x3 layer uses the first."""
    lanes = data.ArrayLayout(act_shape(arch.numbers), TAPS)
    return data.ArrayLayout(lanes, arch.array_as(PatternConfig).rows)


def row_layout(arch: ArchConfig) -> data.StructLayout:
    """One beat of weights: one channel's kernel of each filter.

    Where the code has no zero, the id behind the last entry of the library is no kernel.
    """
    array = arch.array_as(PatternConfig)
    choices = array.patterns + (0 if arch.numbers.has_zero else 1)
    codes = data.ArrayLayout(code_shape(arch.numbers), TAPS)
    return data.StructLayout(
        {
            "weight": data.ArrayLayout(codes, array.cols),
            "pattern": data.ArrayLayout(unsigned(index_width(choices)), array.cols),
        }
    )


def array_members(arch: ArchConfig) -> dict:
    """Members of the array component."""
    return border(
        arch,
        command=command_layout(arch),
        weight=row_layout(arch),
        act=data.StructLayout({"act": beat_layout(arch)}),
        ofmap=ofmap_layout(arch),
    )
