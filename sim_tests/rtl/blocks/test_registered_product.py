# amaranth: UnusedElaboratable=no
"""Products behind registers: latency, enable, and the blocks of an ECP5."""

import re

import pytest
from amaranth import Module, Signal
from amaranth.back import rtlil
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from harness.component import play, seeded

from hwsim.config import NumberConfig
from hwsim.formats.codes import decode
from hwsim.rtl.blocks.multiplier import act_shape, code_shape, product_shape
from hwsim.rtl.blocks.registered_product import registered_product

CODES = [("int", 8), ("int", 4), ("levels", 4), ("ternary", 2), ("pow2", 4)]


class Product(wiring.Component):
    """A registered product between ports."""

    def __init__(self, numbers, stages, *, gates_zeros=False):
        self.numbers, self.stages, self.gates_zeros = numbers, stages, gates_zeros
        super().__init__(
            {
                "enable": In(1),
                "act": In(act_shape(numbers)),
                "code": In(code_shape(numbers)),
                "product": Out(product_shape(numbers)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        late = registered_product(
            m, self.act, self.code, self.numbers,
            stages=self.stages, enable=self.enable, name="late", platform=platform,
            gates_zeros=self.gates_zeros,
        )  # fmt: skip
        m.d.comb += self.product.eq(late)
        m.d.sync += Signal().eq(0)
        return m


@pytest.mark.parametrize(("stages", "gates_zeros"), [(0, False), (1, False), (2, False), (2, True)])
@pytest.mark.parametrize(("code", "width"), CODES)
def test_product_of_so_many_enabled_cycles_before(simulate, code, width, stages, gates_zeros):
    numbers = NumberConfig(weight_code=code, weight_width=width)
    rng = seeded(10 * width + stages)
    codes = rng.choice([c for c in range(1 << width) if (code, c) != ("ternary", 2)], 80)
    acts, enables = rng.integers(-128, 128, 80) * (rng.random(80) < 0.6), rng.random(80) < 0.7
    cycles = [
        {"act": int(a), "code": int(c), "enable": int(e)}
        for a, c, e in zip(acts, codes, enables, strict=True)
    ]
    component = Product(numbers, stages, gates_zeros=gates_zeros)
    rows = play(simulate, component, cycles, ["product"])
    line = [0] * stages
    for row, product, enable in zip(rows, acts * decode(codes, numbers), enables, strict=True):
        taps = [int(product), *line]
        assert row["product"] == taps[-1]
        if enable:
            line = taps[:stages]


def instances(numbers, stages, platform):
    text = rtlil.convert(Product(numbers, stages), platform=platform, emit_src=False)
    return re.findall(r"(?ms)^  cell \\MULT18X18D \\(\S+)\n(.*?)^  end$", text)


@pytest.mark.parametrize("stages", [1, 2])
@pytest.mark.parametrize("width", [2, 8])
def test_an_ecp5_has_both_registers_in_its_block(width, stages):
    ((name, cell),) = instances(NumberConfig(weight_width=width), stages, "ecp5")
    assert name == "late"
    clocks = dict(re.findall(r'parameter \\REG_(\w+)_CLK "(\w+)"', cell))
    inputs = {"INPUTA": "CLK0", "INPUTB": "CLK0"}
    assert clocks == {"OUTPUT": "CLK0"} | (inputs if stages == 2 else {})
    assert len(re.findall(r"connect \\[AB]\d+ ", cell)) == 36
    # operands lie in the upper bits, zeros below
    pins = {f"{a}{bit}": value for a, bit, value in re.findall(r"connect \\([AB])(\d+) (.*)", cell)}
    for letter, used in (("A", 8), ("B", width)):
        bits = [pins[f"{letter}{bit}"] for bit in range(18)]
        assert set(bits[: 18 - used]) == {"1'0"}
        assert len(set(bits[18 - used :])) == used


@pytest.mark.parametrize(
    ("numbers", "stages", "platform"),
    [
        ({}, 1, None),
        ({}, 0, "ecp5"),
        ({"weight_code": "levels", "weight_width": 4}, 1, "ecp5"),
        ({}, 2, "sg13g2"),
    ],
    ids=str,
)
def test_no_block_anywhere_else(numbers, stages, platform):
    assert instances(NumberConfig(**numbers), stages, platform) == []


def test_zeros_are_gated_by_registers_before_the_multiplier():
    product = Product(NumberConfig(), 1, gates_zeros=True)
    with pytest.raises(ValueError, match="stages must be 2 to gate zeros, not 1"):
        rtlil.convert(product)
