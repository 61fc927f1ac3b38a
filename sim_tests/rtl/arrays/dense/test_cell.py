# amaranth: UnusedElaboratable=no
"""Cell of the dense family: one product, and operands as the streams bring them."""

import pytest
from amaranth import Module, Signal
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out
from harness.component import play, seeded

from hwsim.config import NumberConfig
from hwsim.rtl.arrays.dense.cell import DenseCell
from hwsim.rtl.blocks.multiplier import product

LANES = 3


class Operands(wiring.Component):
    """Lanes of operands from payloads of both streams, and the product of each lane."""

    def __init__(self, numbers):
        self.cell = cell = DenseCell(numbers)
        super().__init__(
            {
                "weight": In(cell.weight_stream(LANES)),
                "act": In(cell.act_stream(LANES)),
                "live": In(LANES),
                "dots": Out(data.ArrayLayout(24, LANES)),
                "taken": Out(data.ArrayLayout(cell.act, LANES)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        weights = Signal(data.ArrayLayout(self.cell.weight, LANES))
        m.d.sync += Signal().eq(0)
        self.cell.weights(m, weights, self.weight)
        self.cell.acts(m, self.taken, self.act, lambda lane, position: self.live[lane])
        for lane in range(LANES):
            ((act, weight),) = self.cell.operands(self.taken[lane], weights[lane])
            m.d.comb += self.dots[lane].eq(product(act, weight, self.cell.numbers))
        return m


def test_product_of_each_lane(simulate):
    """Activations of more than one bit are not gated."""
    rng = seeded(1)
    weights, acts = rng.integers(-128, 128, (2, 40, LANES))
    cycles = [
        {"weight": {"weight": (w & 0xFF).tolist()}, "act": {"act": a.tolist()}, "live": 0}
        for w, a in zip(weights, acts, strict=True)
    ]
    rows = play(simulate, Operands(NumberConfig()), cycles, ["dots"])
    dots = [[int(dot) for dot in row["dots"]] for row in rows]
    assert dots == ((weights * acts) & 0xFFFFFF).tolist()


@pytest.mark.parametrize("live", range(1 << LANES))
def test_binary_activations_are_gated(simulate, live):
    """Code 0 is +1, code 1 is -1, and a lane that is not live is 0."""
    numbers = NumberConfig(act_width=1, weight_width=1, weight_code="levels")
    cycles = [
        {"weight": {"weight": [1, 0, 1]}, "act": {"act": [code >> i & 1 for i in range(LANES)]}}
        | {"live": live}
        for code in range(1 << LANES)
    ]
    rows = play(simulate, Operands(numbers), cycles, ["taken"])
    for code, row in enumerate(rows):
        values = [(1 - 2 * (code >> i & 1)) * (live >> i & 1) for i in range(LANES)]
        assert [int(act) for act in row["taken"]] == values
