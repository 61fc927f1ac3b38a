"""What a PE of the pattern family holds and sees."""

from amaranth import Const, Mux, Value
from amaranth.lib import data

from hwsim.config import ArchConfig, NumberConfig
from hwsim.formats.pattern import TAPS, WINDOW
from hwsim.rtl.arrays.systolic.cell import Cell
from hwsim.rtl.blocks.multiplier import act_shape, code_shape

__all__ = ["PatternCell", "cell"]


class PatternCell(Cell):
    """Four weights of a 3x3 kernel, the tap that each belongs to, the window's nine taps."""

    block = WINDOW

    def __init__(self, numbers: NumberConfig) -> None:
        self.numbers = numbers
        self.weight = data.StructLayout(
            {
                "code": data.ArrayLayout(code_shape(numbers), TAPS),
                "tap": data.ArrayLayout(range(WINDOW + 1), TAPS),
            }
        )
        self.act = data.ArrayLayout(act_shape(numbers), WINDOW)

    def operands(self, act, weight) -> list[tuple[Value, Value]]:
        """Each weight with its tap; a tap past the last counts as 0."""
        pairs = []
        for tap, code in zip(weight.tap, weight.code, strict=True):
            taps = [act[position] for position in range(WINDOW)]
            taps += [Const(0, act_shape(self.numbers))] * ((1 << len(tap)) - WINDOW)
            for bit in tap:
                taps = [Mux(bit, b, a) for a, b in zip(taps[::2], taps[1::2], strict=True)]
            pairs.append((taps[0], code))
        return pairs


def cell(arch: ArchConfig) -> PatternCell:
    """Cell of a design."""
    return PatternCell(arch.numbers)
