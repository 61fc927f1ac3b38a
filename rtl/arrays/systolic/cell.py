"""What a PE of a systolic family holds, sees and adds up in a cycle."""

from collections.abc import Callable, Sequence

from amaranth import Const, Module, Mux, Shape, Signal, Value, signed, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, NumberConfig, SystolicConfig, wing
from hwsim.rtl.blocks.delay import delayed
from hwsim.rtl.blocks.multiplier import act_shape
from hwsim.rtl.blocks.registered_product import registered_product

__all__ = ["Cell", "Live", "StreamedCell", "cell_of", "streamed_cell_of", "tree"]

#: Whether lane i, position p of a beat of activations lies within K.
Live = Callable[[int, int], Value]


class Cell:
    """The operands of one PE; everything that differs between the systolic families.

    Attributes
    ----------
    weight, act
        Shapes of the weights that a PE holds and of the activations that it sees in a cycle.
    block : int
        Positions of K in ``act``.
    gates_zeros : bool
        Whether nothing switches in the multiplier where an operand is zero.
    """

    numbers: NumberConfig
    block: int
    weight: object
    act: object
    gates_zeros: bool = False

    def operands(self, act, weight) -> list[tuple[Value, Value]]:
        """Activation and code of each multiplier."""
        raise NotImplementedError

    def dot(
        self, m: Module, act, weight, *, latency: int = 1, enable: Value, platform: object
    ) -> Value:
        """Sum of a PE's products, ``latency - 1`` enabled cycles after its operands.

        2 registers the products, 3 what the multipliers take, too: of several activations the one
        that is chosen. 4 also registers the sum of the products.
        """
        total = tree(
            [
                registered_product(
                    m,
                    chosen,
                    code,
                    self.numbers,
                    stages=min(latency, 3) - 1,
                    enable=enable,
                    name=f"product_{index}",
                    platform=platform,
                    gates_zeros=self.gates_zeros,
                )
                for index, (chosen, code) in enumerate(self.operands(act, weight))
            ]
        )
        if latency < 4:
            return total
        dot = Signal.like(total, name="dot")
        m.d.comb += dot.eq(total)
        late: Value = delayed(m, dot, 1, enable=enable, name="dot")
        return late


class StreamedCell(Cell):
    """A cell whose operands come from the streams as they are."""

    def weight_stream(self, lanes: int) -> data.StructLayout:
        """Payload of the weight stream, ``lanes`` PEs per beat."""
        raise NotImplementedError

    def act_stream(self, lanes: int) -> data.StructLayout:
        """Payload of the activation stream, ``lanes`` PEs per beat."""
        raise NotImplementedError

    def weights(self, m, lanes, payload) -> None:
        """Drive ``lanes``, an array of ``weight``, from a payload of the weight stream."""
        raise NotImplementedError

    def acts(self, m, lanes, payload, live: Live) -> None:
        """Drive ``lanes``, an array of ``act``, from a payload of the activation stream.

        Binary activations at position ``p`` of lane ``i`` for which ``live(i, p)`` is 0 are
        cleared.
        """
        raise NotImplementedError

    def spans(self, act) -> tuple[Value, Value]:
        """Whether what the stream ``act`` offers is the first, the last that its weights meet."""
        return Const(1), Const(1)

    def act_code(self) -> Shape:
        """Shape of an activation in the stream."""
        width = self.numbers.act_width
        return unsigned(1) if width == 1 else signed(width)

    def act_value(self, code: Value, live: Value) -> Value:
        """Activation that a code stands for; 0 for a binary one that is not ``live``."""
        if self.numbers.act_width > 1:
            return code
        value = Mux(code, Const(-1, act_shape(self.numbers)), Const(1, act_shape(self.numbers)))
        return Mux(live, value, 0)


def tree(terms: Sequence[Value]) -> Value:
    """Sum of terms as a balanced tree of adders."""
    level = list(terms)
    while len(level) > 1:
        pairs = zip(level[::2], level[1::2], strict=False)
        level = [a + b for a, b in pairs] + level[len(level) & ~1 :]
    return level[0]


def cell_of(arch: ArchConfig) -> Cell:
    """Cell of a design, from the module that its family names."""
    cell: Cell = wing(arch.array_as(SystolicConfig).CELL).cell(arch)
    return cell


def streamed_cell_of(arch: ArchConfig) -> StreamedCell:
    """Cell of a design whose operands come from the streams as they are."""
    cell = cell_of(arch)
    assert isinstance(cell, StreamedCell)
    return cell
