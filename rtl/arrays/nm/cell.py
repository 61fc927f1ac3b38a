"""What a PE of the N:M family holds and sees."""

from amaranth import Value, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, NMConfig, NumberConfig
from hwsim.rtl.arrays.systolic.cell import Live, StreamedCell
from hwsim.rtl.blocks.multiplier import act_shape, code_shape

__all__ = ["NMCell", "cell"]


class NMCell(StreamedCell):
    """``n`` weights, each with its position in a block of ``m`` activations; ``n`` multipliers.

    With n = m a weight's index is its position, and there is nothing to select.
    """

    def __init__(self, numbers: NumberConfig, array: NMConfig) -> None:
        self.numbers, self.array, self.block = numbers, array, array.m
        self.weight = data.StructLayout(
            {name: data.ArrayLayout(shape, array.n) for name, shape in self._fields().items()}
        )
        self.act = data.ArrayLayout(act_shape(numbers), array.m)

    def operands(self, act, weight) -> list[tuple[Value, Value]]:
        """Each weight with the activation at its position."""
        return [
            (act[weight.position[slot] if self.array.position_width else slot], weight.weight[slot])
            for slot in range(self.array.n)
        ]

    def weight_stream(self, lanes: int) -> data.StructLayout:
        """``n`` codes and ``n`` positions per PE."""
        return data.StructLayout(
            {
                name: data.ArrayLayout(data.ArrayLayout(shape, self.array.n), lanes)
                for name, shape in self._fields().items()
            }
        )

    def act_stream(self, lanes: int) -> data.StructLayout:
        """``m`` activations per PE."""
        block = data.ArrayLayout(self.act_code(), self.block)
        return data.StructLayout({"act": data.ArrayLayout(block, lanes)})

    def weights(self, m, lanes, payload) -> None:
        """Connect codes and positions of each PE."""
        for name in self._fields():
            for lane, words in enumerate(payload[name]):
                m.d.comb += lanes[lane][name].eq(words)

    def acts(self, m, lanes, payload, live: Live) -> None:
        """Connect the blocks."""
        for lane, block in enumerate(payload.act):
            for position, code in enumerate(block):
                m.d.comb += lanes[lane][position].eq(self.act_value(code, live(lane, position)))

    def _fields(self) -> dict:
        fields = {"weight": code_shape(self.numbers)}
        if self.array.position_width:
            fields["position"] = unsigned(self.array.position_width)
        return fields


def cell(arch: ArchConfig) -> NMCell:
    """Cell of a design."""
    return NMCell(arch.numbers, arch.array_as(NMConfig))
