# amaranth: UnusedElaboratable=no
"""Accumulator banks: sums and their cycles, drain beside additions, what is refused."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.config.arrays.decoding import Banks
from hwsim.fixedpoint import wrap
from hwsim.rtl.arrays.decoding.accumulator import Accumulator

IDLE = {"add": 0, "drain": {}}


def fetch(row, bank=0, beat=0, zero=0):
    """Drain inputs: fetch ``row``; look at ``beat`` of ``bank``, and clear the row before."""
    return {
        "read": 1, "read_bank": bank, "read_row": row, "zero": zero, "bank": bank,
        "row": max(row - 1, 0), "beat": beat,
    }  # fmt: skip


def psums(row):
    return [int(lane) for lane in row["psum"]]


def test_sum_is_stored_three_cycles_after_add(simulate):
    dut = Accumulator(Banks(2, 4), product_width=8, psum_width=16)
    cycles = [
        {"add": 1, "row": 2, "drain": {}},
        {"add": 0},
        {"product": [7], "drain": {}},
        {"drain": fetch(2)},
        {"drain": {}},
    ]
    rows = play(simulate, dut, cycles, ["psum", "reads", "writes"])
    assert [row["writes"] for row in rows] == [0, 0, 1, 0, 0]
    assert [row["reads"] for row in rows] == [1, 0, 0, 1, 0]
    assert psums(rows[4]) == [7]


def test_one_addition_per_cycle_to_one_row(simulate):
    dut = Accumulator(Banks(2, 4), product_width=8, psum_width=16)
    values = [3, -5, 100, 27, -128]
    cycles = [{"add": int(i < 5), "product": [v]} for i, v in enumerate([0, 0, *values])]
    cycles += [{"product": [0], "drain": {}}, {"drain": fetch(0)}, {"drain": {}}]
    rows = play(simulate, dut, cycles, ["psum"])
    assert psums(rows[-1]) == [sum(values)]


@pytest.mark.parametrize("lanes", [1, 3])
def test_rows_of_all_banks_in_any_order(simulate, lanes):
    """Few rows, so that one often follows itself, after a pause or another row."""
    rng = seeded(lanes)
    sums = np.zeros((2, 2, lanes), dtype=np.int64)
    cycles, products = [], [np.zeros(lanes, np.int64)] * 2
    for _ in range(300):
        add, bank, row = rng.random() < 0.7, int(rng.integers(2)), int(rng.integers(2))
        inputs = {"add": add, "bank": bank, "row": row, "product": products[-2].tolist()}
        cycles.append(inputs | {"drain": {}})
        products.append(rng.integers(-128, 128, lanes))
        if add:
            sums[bank, row] += products[-1]
    cycles += [{"add": 0, "product": product.tolist()} for product in products[-2:]]
    cycles += [{"drain": fetch(i % 2, i // 2) | {"bank": max(i - 1, 0) // 2}} for i in range(4)]
    cycles.append({"drain": {"bank": 1}})
    rows = play(
        simulate, Accumulator(Banks(2, 2, lanes, lanes), product_width=8, psum_width=16),
        cycles, ["psum"],
    )  # fmt: skip
    assert [psums(row) for row in rows[-4:]] == sums.reshape(4, lanes).tolist()


@pytest.mark.parametrize(("lanes", "drain_lanes"), [(1, 1), (4, 2), (3, 3)])
def test_one_bank_adds_while_another_is_drained(simulate, lanes, drain_lanes):
    rng = seeded(lanes)
    banks, width = Banks(4, 8, lanes, drain_lanes), 10  # sums wrap
    dut = Accumulator(banks, product_width=9, psum_width=width)
    sums = np.zeros((banks.count, banks.depth, lanes), dtype=np.int64)
    drained = np.zeros_like(sums)
    cycles, seen = [], []
    products = [np.zeros(lanes, np.int64)] * 2
    for turn in range(2 * banks.count):
        bank = turn % banks.count
        target = (bank + 1) % banks.count
        # fetch a row; look at its beats; clear it with the last one, in which the next is fetched
        for row in range(banks.depth):
            for beat in range(-1 if row == 0 else 0, banks.beats):
                ends_row = beat == banks.beats - 1
                reads = (beat < 0 and row == 0) or (ends_row and row + 1 < banks.depth)
                drain = {
                    "read": reads, "read_bank": bank, "read_row": row if beat < 0 else row + 1,
                    "zero": ends_row, "bank": bank, "row": row, "beat": max(beat, 0),
                } if reads or beat >= 0 else {}  # fmt: skip
                if drain and drain["read_row"] == banks.depth:
                    drain["read_row"] = 0
                add, local = rng.random() < 0.7, int(rng.integers(banks.depth))
                cycles.append(
                    {"add": add, "bank": target, "row": local, "product": products[-2].tolist()}
                    | {"drain": drain}
                )
                if beat >= 0:
                    seen.append((len(cycles) - 1, bank, row, beat))
                products.append(rng.integers(-256, 256, lanes))
                if add:
                    sums[target, local] += products[-1]
            if row + 1 == banks.depth:
                drained[bank] = sums[bank]
        # the pipeline of three cycles runs empty before roles change
        cycles += [IDLE | {"product": product.tolist()} for product in products[-2:]] + [IDLE]
        products = [np.zeros(lanes, np.int64)] * 2
        expected = wrap(drained[bank], width).reshape(banks.depth, banks.beats, drain_lanes)
        seen[-banks.depth * banks.beats :] = [
            (cycle, expected[row, beat].tolist())
            for cycle, _, row, beat in seen[-banks.depth * banks.beats :]
        ]
        sums[bank] = 0
    rows = play(simulate, dut, cycles, ["psum", "reads", "writes"])
    assert [psums(rows[cycle]) for cycle, _ in seen] == [values for _, values in seen]
    adds = sum(cycle["add"] for cycle in cycles)
    strobes = {
        name: sum(int(row[name]).bit_count() for row in rows) for name in ("reads", "writes")
    }
    fetches = 2 * banks.count * banks.depth
    assert strobes == {"reads": adds + fetches, "writes": adds + fetches}


def test_clear_zeroes_a_row_of_all_banks(simulate):
    dut = Accumulator(Banks(2, 2), product_width=8, psum_width=16)
    cycles = [
        {"add": 1, "bank": 0, "row": 1},
        {"add": 1, "bank": 1, "row": 1},
        {"add": 0, "product": [5]},
        {"product": [6]},
        {"drain": {"clear": 1, "row": 1}},
        {"drain": fetch(1, bank=0)},
        {"drain": fetch(1, bank=1) | {"bank": 0}},
        {"drain": {"bank": 1}},
    ]
    rows = play(simulate, dut, cycles, ["psum", "writes"])
    assert rows[4]["writes"] == 0b11
    assert psums(rows[6]) == psums(rows[7]) == [0]


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ((1, 4), "count must be at least 2, not 1"),
        ((3, 4), "count must be a power of two, not 3"),
        ((2, 3), "depth must be a power of two, not 3"),
        ((2, 4, 4, 3), r"drain_lanes must divide lanes \(4\), not 3"),
    ],
)
def test_banks_that_cannot_be_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        Banks(*sizes)


def test_product_wider_than_the_sum_is_refused():
    with pytest.raises(ValueError, match=r"psum_width must hold one product \(17 bits\), not 16"):
        Accumulator(Banks(2, 4), product_width=17, psum_width=16)
