"""What a PE of each systolic family holds, sees and adds up in a clock."""

from amaranth import Const, Mux, Shape, Value, signed, unsigned
from amaranth.lib import data

from hwsim.config import ArchConfig, NMConfig, NumberConfig, PatternConfig
from hwsim.formats.pattern import TAPS, WINDOW
from hwsim.rtl.blocks.multiplier import act_shape, code_shape, product

__all__ = ["Cell", "DenseCell", "NMCell", "PatternCell", "cell_of"]


class Cell:
    """The operands of one PE; everything that differs between the systolic families.

    Attributes
    ----------
    weight, act
        Shapes of the weights that a PE holds and of the activations that it sees in a clock.
    block : int
        Positions of K in ``act``.
    """

    numbers: NumberConfig
    block: int
    weight: object
    act: object

    def dot(self, act, weight) -> Value:
        """Sum of a PE's products, combinational."""
        raise NotImplementedError

    def weight_stream(self, lanes: int) -> data.StructLayout:
        """Payload of the weight stream, ``lanes`` PEs a beat."""
        raise NotImplementedError

    def act_stream(self, lanes: int) -> data.StructLayout:
        """Payload of the activation stream, ``lanes`` PEs a beat."""
        raise NotImplementedError

    def weights(self, m, lanes, payload) -> None:
        """Drive ``lanes``, an array of ``weight``, from a payload of the weight stream."""
        raise NotImplementedError

    def acts(self, m, lanes, payload, live) -> None:
        """Drive ``lanes``, an array of ``act``, from a payload of the activation stream.

        Where activations are binary, those at places ``p`` (of lane ``i``) for which
        ``live(i, p)`` is 0 are put to 0.
        """
        raise NotImplementedError

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


class DenseCell(Cell):
    """One weight, one activation, one multiplier."""

    block = 1

    def __init__(self, numbers: NumberConfig) -> None:
        self.numbers = numbers
        self.weight, self.act = code_shape(numbers), act_shape(numbers)

    def dot(self, act, weight) -> Value:
        """Product of the two."""
        return product(act, weight, self.numbers)

    def weight_stream(self, lanes: int) -> data.StructLayout:
        """One code a PE."""
        return data.StructLayout({"weight": data.ArrayLayout(self.weight, lanes)})

    def act_stream(self, lanes: int) -> data.StructLayout:
        """One activation a PE."""
        return data.StructLayout({"act": data.ArrayLayout(self.act_code(), lanes)})

    def weights(self, m, lanes, payload) -> None:
        """Pass the codes on."""
        m.d.comb += lanes.eq(payload.weight)

    def acts(self, m, lanes, payload, live) -> None:
        """Pass the activations on."""
        for lane, code in enumerate(payload.act):
            m.d.comb += lanes[lane].eq(self.act_value(code, live(lane, 0)))


class NMCell(Cell):
    """``n`` weights, each with its position in a block of ``m`` activations; ``n`` multipliers.

    With n = m a weight's place is its position, and there is nothing to select.
    """

    def __init__(self, numbers: NumberConfig, array: NMConfig) -> None:
        self.numbers, self.array, self.block = numbers, array, array.m
        self.weight = data.StructLayout(
            {name: data.ArrayLayout(shape, array.n) for name, shape in self._fields().items()}
        )
        self.act = data.ArrayLayout(act_shape(numbers), array.m)

    def dot(self, act, weight) -> Value:
        """Tree of the products of each weight and the activation at its position."""
        terms = []
        for slot in range(self.array.n):
            chosen = act[weight.position[slot] if self.array.position_width else slot]
            terms.append(product(chosen, weight.weight[slot], self.numbers))
        while len(terms) > 1:
            pairs = zip(terms[::2], terms[1::2], strict=False)
            terms = [a + b for a, b in pairs] + terms[len(terms) & ~1 :]
        return terms[0]

    def weight_stream(self, lanes: int) -> data.StructLayout:
        """``n`` codes and ``n`` positions a PE."""
        return data.StructLayout(
            {
                name: data.ArrayLayout(data.ArrayLayout(shape, self.array.n), lanes)
                for name, shape in self._fields().items()
            }
        )

    def act_stream(self, lanes: int) -> data.StructLayout:
        """``m`` activations a PE."""
        block = data.ArrayLayout(self.act_code(), self.block)
        return data.StructLayout({"act": data.ArrayLayout(block, lanes)})

    def weights(self, m, lanes, payload) -> None:
        """Bring codes and positions of each PE together."""
        for name in self._fields():
            for lane, words in enumerate(payload[name]):
                m.d.comb += lanes[lane][name].eq(words)

    def acts(self, m, lanes, payload, live) -> None:
        """Pass the blocks on."""
        for lane, block in enumerate(payload.act):
            for place, code in enumerate(block):
                m.d.comb += lanes[lane][place].eq(self.act_value(code, live(lane, place)))

    def _fields(self) -> dict:
        fields = {"weight": code_shape(self.numbers)}
        if self.array.position_width:
            fields["position"] = unsigned(self.array.position_width)
        return fields


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

    def dot(self, act, weight) -> Value:
        """Tree of the products of each weight and its tap; a tap past the last counts as 0."""
        terms = []
        for tap, code in zip(weight.tap, weight.code, strict=True):
            taps = [act[place] for place in range(WINDOW)]
            taps += [Const(0, act_shape(self.numbers))] * ((1 << len(tap)) - WINDOW)
            for bit in tap:
                taps = [Mux(bit, b, a) for a, b in zip(taps[::2], taps[1::2], strict=True)]
            terms.append(product(taps[0], code, self.numbers))
        return (terms[0] + terms[1]) + (terms[2] + terms[3])


def cell_of(arch: ArchConfig) -> Cell:
    """Cell of a design of a systolic family."""
    if isinstance(arch.array, NMConfig):
        return NMCell(arch.numbers, arch.array)
    if isinstance(arch.array, PatternConfig):
        return PatternCell(arch.numbers)
    return DenseCell(arch.numbers)
