"""What a PE of the dense family holds and sees."""

from amaranth import Value
from amaranth.lib import data

from hwsim.config import ArchConfig, DenseConfig, NumberConfig
from hwsim.rtl.arrays.systolic.cell import Live, StreamedCell
from hwsim.rtl.blocks.multiplier import act_shape, code_shape

__all__ = ["DenseCell", "cell"]


class DenseCell(StreamedCell):
    """One weight, one activation, one multiplier."""

    block = 1

    def __init__(self, numbers: NumberConfig, *, gates_zeros: bool = False) -> None:
        self.numbers, self.gates_zeros = numbers, gates_zeros
        self.weight, self.act = code_shape(numbers), act_shape(numbers)

    def operands(self, act, weight) -> list[tuple[Value, Value]]:
        """Both as they are."""
        return [(act, weight)]

    def weight_stream(self, lanes: int) -> data.StructLayout:
        """One code per PE."""
        return data.StructLayout({"weight": data.ArrayLayout(self.weight, lanes)})

    def act_stream(self, lanes: int) -> data.StructLayout:
        """One activation per PE."""
        return data.StructLayout({"act": data.ArrayLayout(self.act_code(), lanes)})

    def weights(self, m, lanes, payload) -> None:
        """Connect the codes."""
        m.d.comb += lanes.eq(payload.weight)

    def acts(self, m, lanes, payload, live: Live) -> None:
        """Connect the activations."""
        for lane, code in enumerate(payload.act):
            m.d.comb += lanes[lane].eq(self.act_value(code, live(lane, 0)))


def cell(arch: ArchConfig) -> DenseCell:
    """Cell of a design."""
    array = arch.array_as(DenseConfig)
    return DenseCell(arch.numbers, gates_zeros=array.zero_gating)
