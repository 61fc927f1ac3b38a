"""What a PE of the density-bound-block family sees."""

from amaranth import Value
from amaranth.lib import data

from hwsim.config import ArchConfig, DBBConfig, NumberConfig
from hwsim.rtl.arrays.dbb.encoder import slots_layout
from hwsim.rtl.arrays.systolic.cell import Live, StreamedCell
from hwsim.rtl.blocks.multiplier import act_shape, code_shape

__all__ = ["DBBCell", "cell"]


class DBBCell(StreamedCell):
    """``m`` weights and ``n`` activations, each with its position among them; ``n`` multipliers.

    Its stream of activations is what the encoder sends.
    """

    def __init__(self, numbers: NumberConfig, array: DBBConfig) -> None:
        self.numbers, self.array, self.block = numbers, array, array.m
        self.weight = data.ArrayLayout(code_shape(numbers), array.m)
        self.act = self.act_stream(1)["act"].shape.elem_shape

    def operands(self, act, weight) -> list[tuple[Value, Value]]:
        """Each activation with the weight at its position."""
        return [(slot.value, weight[slot.position]) for slot in act]

    def weight_stream(self, lanes: int) -> data.StructLayout:
        """``m`` codes per PE."""
        return data.StructLayout({"weight": data.ArrayLayout(self.weight, lanes)})

    def act_stream(self, lanes: int) -> data.StructLayout:
        """``n`` activations with their positions per PE, and whether weights begin and end."""
        return slots_layout(act_shape(self.numbers), self.array.n, self.array.m, lanes)

    def weights(self, m, lanes, payload) -> None:
        """Connect the codes."""
        m.d.comb += lanes.eq(payload.weight)

    def acts(self, m, lanes, payload, live: Live) -> None:
        """Connect the slots."""
        m.d.comb += lanes.eq(payload.act)

    def spans(self, act) -> tuple[Value, Value]:
        """Flags of the encoder."""
        return act.p.first, act.valid & act.p.last


def cell(arch: ArchConfig) -> DBBCell:
    """Cell of a design."""
    return DBBCell(arch.numbers, arch.array_as(DBBConfig))
