# amaranth: UnusedElaboratable=no
"""Output-stationary PE: every register cycle by cycle, its latency, drain beside products."""

import pytest
from harness.component import play, seeded

from hwsim.config import NumberConfig
from hwsim.fixedpoint import wrap
from hwsim.rtl.arrays.dense.cell import DenseCell
from hwsim.rtl.arrays.systolic.os_pe import OSPE

FLAGS = ("mac", "first", "last", "shift")
OUTPUTS = ["act", "weight", *FLAGS, "drain"]
IDLE = {"enable": 1, "mac_in": 0, "first_in": 0, "last_in": 0, "shift_in": 0}


def pe(psum_width=32, mac_latency=1):
    return OSPE(DenseCell(NumberConfig()), psum_width, mac_latency)


def pair(weight, act, **flags):
    inputs = IDLE | {"mac_in": 1, "weight_in": weight & 0xFF, "act_in": act}
    return inputs | {f"{name}_in": 1 for name in flags}


def test_sum_drains_one_cycle_after_its_last_pair(simulate):
    """A register of the operands, then ``drain``; the next fold begins in the cycle after."""
    cycles = [
        pair(2, 3, first=1),
        pair(-4, 5, last=1),
        pair(7, 7, first=1) | {"drain_in": 99},
        pair(1, 1, last=1),
        IDLE | {"shift_in": 1},
        IDLE,
        IDLE,
    ]
    rows = play(simulate, pe(), cycles, OUTPUTS)
    assert [row["last"] for row in rows] == [0, 0, 1, 0, 1, 0, 0]
    assert [row["drain"] for row in rows] == [0, 0, 0, -14, -14, 50, 99]
    assert [row["weight"] for row in rows[1:5]] == [2, 0xFC, 7, 1]
    assert [row["act"] for row in rows[1:5]] == [3, 5, 7, 1]


@pytest.mark.parametrize("mac_latency", [1, 2, 3])
def test_fold_of_one_pair_per_cycle(simulate, mac_latency):
    acts = [1, -2, 3, -4]
    cycles = [pair(10, act, first=1, last=1) for act in acts] + [IDLE] * (mac_latency + 1)
    rows = play(simulate, pe(mac_latency=mac_latency), cycles, OUTPUTS)
    assert [row["drain"] for row in rows] == [0] * (mac_latency + 1) + [10, -20, 30, -40]
    assert [row["act"] for row in rows[1:5]] == acts


@pytest.mark.parametrize("psum_width", [16, 32])
def test_one_product_per_cycle_and_every_register(simulate, psum_width):
    """Random inputs, one cycle in four not enabled; sums wrap."""
    rng = seeded(psum_width)
    half = 1 << (psum_width - 1)
    cycles = []
    for _ in range(200):
        flags = {f"{name}_in": int(rng.integers(2)) for name in FLAGS}
        flags["last_in"] &= flags["mac_in"]
        operands = {
            "enable": int(rng.random() < 0.75), "act_in": int(rng.integers(-128, 128)),
            "weight_in": int(rng.integers(-128, 128)) & 0xFF,
            "drain_in": int(rng.integers(-half, half)),
        }  # fmt: skip
        cycles.append(flags | operands)
    act = weight = mac = first = last = shift = acc = drain = 0
    for inputs, row in zip(cycles, play(simulate, pe(psum_width), cycles, OUTPUTS), strict=True):
        assert tuple(row.values()) == (act, weight, mac, first, last, shift, drain)
        if inputs["enable"]:
            value = weight - 256 if weight > 127 else weight
            total = int(wrap((0 if first else acc) + act * value, psum_width))
            acc = total if mac else acc
            drain = total if last else inputs["drain_in"] if shift else drain
            act, weight = inputs["act_in"], inputs["weight_in"]
            mac, first, last, shift = (inputs[f"{name}_in"] for name in FLAGS)


def test_sum_narrower_than_a_product_is_refused():
    with pytest.raises(ValueError, match=r"psum_width must hold one product \(16 bits\), not 15"):
        pe(psum_width=15)
