# amaranth: UnusedElaboratable=no
"""Weight-stationary PE: every register cycle by cycle, its latency, two sets of weights."""

import pytest
from harness.component import play, seeded

from hwsim.config import NumberConfig
from hwsim.fixedpoint import wrap
from hwsim.rtl.arrays.dense.cell import DenseCell
from hwsim.rtl.arrays.systolic.ws_pe import WSPE

OUTPUTS = ["act", "swap", "load", "shadow", "psum"]
IDLE = {"enable": 1, "act_in": 0, "swap_in": 0, "load_in": 0, "shadow_in": 0, "psum_in": 0}


def pe(psum_width=32, mac_latency=1):
    return WSPE(DenseCell(NumberConfig()), psum_width, mac_latency)


def code(weight):
    return weight & 0xFF


def test_weight_is_loaded_swapped_and_multiplied(simulate):
    """Flags and activations pass a register; the product is in ``psum`` one cycle later."""
    cycles = [
        IDLE | {"load_in": 1},
        IDLE | {"swap_in": 1, "shadow_in": code(-7)},
        IDLE | {"act_in": 5},  # the swap works on it: its product comes after the swap's register
        IDLE | {"act_in": 6, "psum_in": 100},
        IDLE | {"psum_in": 200},
        IDLE,
    ]
    rows = play(simulate, pe(), cycles, OUTPUTS)
    assert [row["load"] for row in rows] == [0, 1, 0, 0, 0, 0]
    assert [row["swap"] for row in rows] == [0, 0, 1, 0, 0, 0]
    assert [row["act"] for row in rows] == [0, 0, 0, 5, 6, 0]
    assert [row["shadow"] for row in rows] == [0, 0] + [code(-7)] * 4
    assert [row["psum"] for row in rows] == [0, 0, 0, 0, 100 - 35, 200 - 42]


@pytest.mark.parametrize("mac_latency", [1, 2, 3])
def test_product_meets_the_sum_from_above_mac_latency_later(simulate, mac_latency):
    """A product behind a swap is of the old weight, however late it is added."""
    cycles = [IDLE | {"load_in": 1}, IDLE | {"swap_in": 1, "shadow_in": code(-7)}]
    cycles += [IDLE | {"load_in": 1, "act_in": 9}, IDLE | {"shadow_in": 3, "act_in": 5}]
    cycles += [IDLE | {"swap_in": 1, "act_in": 6}, IDLE | {"act_in": 4}, *[IDLE] * 4]
    for cycle in range(4, 10):
        cycles[cycle] = cycles[cycle] | {"psum_in": 100 * cycle}
    rows = play(simulate, pe(mac_latency=mac_latency), cycles, OUTPUTS)
    # by the cycle in which one is in ``psum`` with latency 1
    products = {4: -63, 5: -35, 6: -42, 7: 12}
    for cycle in range(6, 10):
        expected = 100 * (cycle - 1) + products.get(cycle - mac_latency + 1, 0)
        assert rows[cycle]["psum"] == expected


def test_load_and_swap_in_one_cycle(simulate):
    """The next fold's load may come with the swap: the old shadow becomes active."""
    cycles = [
        IDLE | {"load_in": 1},
        IDLE | {"load_in": 1, "swap_in": 1, "shadow_in": 3},
        IDLE | {"shadow_in": code(-7), "act_in": 5},
        IDLE | {"psum_in": 100},
        IDLE,
    ]
    rows = play(simulate, pe(), cycles, OUTPUTS)
    assert [row["shadow"] for row in rows] == [0, 0, 3, code(-7), code(-7)]
    assert rows[-1]["psum"] == 100 + 5 * 3


@pytest.mark.parametrize("psum_width", [16, 32])
def test_one_product_per_cycle_and_every_register(simulate, psum_width):
    """Random inputs, one cycle in four not enabled; sums wrap."""
    rng = seeded(psum_width)
    half = 1 << (psum_width - 1)
    cycles = [
        {
            "enable": int(rng.random() < 0.75), "act_in": int(rng.integers(-128, 128)),
            "swap_in": int(rng.integers(2)), "load_in": int(rng.integers(2)),
            "shadow_in": code(int(rng.integers(-128, 128))),
            "psum_in": int(rng.integers(-half, half)),
        }
        for _ in range(200)
    ]  # fmt: skip
    act = swap = load = shadow = active = psum = 0
    for inputs, row in zip(cycles, play(simulate, pe(psum_width), cycles, OUTPUTS), strict=True):
        assert tuple(row.values()) == (act, swap, load, shadow, psum)
        if inputs["enable"]:
            weight = active - 256 if active > 127 else active
            psum = int(wrap(inputs["psum_in"] + act * weight, psum_width))
            active = shadow if swap else active
            shadow = inputs["shadow_in"] if load else shadow
            act, swap, load = inputs["act_in"], inputs["swap_in"], inputs["load_in"]


def test_sum_narrower_than_a_product_is_refused():
    with pytest.raises(ValueError, match=r"psum_width must hold one product \(16 bits\), not 15"):
        pe(psum_width=15)
