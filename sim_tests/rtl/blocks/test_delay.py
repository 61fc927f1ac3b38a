# amaranth: UnusedElaboratable=no
"""Delay line: values of earlier enabled cycles, and its registers."""

import pytest
from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out
from harness.component import play, seeded

from hwsim.rtl.blocks.delay import delayed


class Line(wiring.Component):
    """A line between two ports."""

    enable: In(1)
    value: In(8)
    late: Out(8)

    def __init__(self, length):
        self.length = length
        super().__init__()

    def elaborate(self, platform):
        m = Module()
        late = delayed(m, self.value, self.length, enable=self.enable, name="line")
        m.d.comb += self.late.eq(late)
        return m


@pytest.mark.parametrize("length", [1, 2, 5])
def test_value_of_so_many_cycles_before(simulate, length):
    values = seeded(length).integers(1, 256, 20).tolist()
    cycles = [{"enable": 1, "value": value} for value in values]
    rows = play(simulate, Line(length), cycles, ["late"])
    assert [row["late"] for row in rows] == ([0] * length + values)[:20]


@pytest.mark.parametrize("length", [1, 3])
def test_line_holds_while_it_is_not_enabled(simulate, length):
    rng = seeded(length)
    cycles = [{"enable": int(rng.integers(2)), "value": int(rng.integers(256))} for _ in range(60)]
    rows = play(simulate, Line(length), cycles, ["late"])
    line = [0] * length
    for cycle, row in zip(cycles, rows, strict=True):
        assert row["late"] == line[-1]
        if cycle["enable"]:
            line = [cycle["value"], *line][:length]


def test_no_register_for_no_cycle():
    value = Signal(3)
    assert delayed(Module(), value, 0, enable=Signal(), name="line") is value


@pytest.mark.parametrize("reset_less", [True, False])
def test_registers_are_named_by_their_position(reset_less):
    register = delayed(Module(), Signal(3), 4, enable=Signal(), name="line", reset_less=reset_less)
    assert register.name == "line_q4"
    assert register.reset_less == reset_less


def test_negative_length_is_refused():
    with pytest.raises(ValueError, match="cycles must be at least 0, not -1"):
        delayed(Module(), Signal(), -1, enable=Signal(), name="line")
