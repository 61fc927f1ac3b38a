# amaranth: UnusedElaboratable=no
"""Drain of the accumulator banks: against the cycle model, its latency and its throughput."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.arrays.decoding.drain import Drain as DrainModel
from hwsim.config.arrays.decoding import Banks
from hwsim.rtl.arrays.decoding.drain import Drain

OUTPUTS = ["valid", "drain", "slice", "drained", "done"]


def start(groups, rows, beats, tail, edge=1):
    layer = {"groups": groups, "rows": rows, "beats": beats, "tail": tail, "edge": edge}
    return {"start": 1} | layer


@pytest.mark.parametrize("carries", [False, True])
@pytest.mark.parametrize("slices", [1, 2, 3])
@pytest.mark.parametrize("banks", [Banks(2, 4), Banks(4, 2, 6, 2), Banks(2, 1, 3, 3)], ids=str)
def test_equals_the_cycle_model(simulate, banks, slices, carries):
    rng = seeded(banks.depth)
    model = DrainModel(banks, slices, slices)
    acc = np.zeros((banks.count, banks.depth, slices, banks.lanes), dtype=np.int64)
    cycles, expected = [], []
    for _ in range(8):
        groups = int(rng.integers(1, 6))
        rows = int(rng.integers(1, banks.depth + 1))
        beats, tail = rng.integers(1, banks.beats + 1, size=2).tolist()
        edge = int(rng.integers(1, slices + 1))
        begin, flags = start(groups, rows, beats, tail, edge), {}
        if carries:
            flags = {"keep": bool(rng.random() < 0.3), "stays": bool(rng.random() < 0.7)}
        if flags.get("stays"):
            begin["groups"] = groups = min(groups, banks.count * (banks.depth // rows))
        cycles.append(begin | flags | {"ready": 0, "finished": 0, "finished_two": 0})
        expected.append((0, 0, 0))
        model.start(groups, rows, beats, tail, edge, **flags)
        held, entered = 0, 0
        while model.groups_left:
            enters = entered < groups and held < banks.count and rng.random() < 0.2
            ready = bool(rng.random() < 0.7)
            cycles.append(
                {"start": 0, "ready": ready, "finished": held >= 1, "finished_two": held >= 2}
            )
            is_drained = model.drained(ready, held)
            expected.append((model.valid, is_drained, is_drained and model.groups_left == 1))
            if model.valid:
                row = model.base + model.row
                expected[-1] += (model.bank, row, model.beat, model.slice)
            model.step(ready, held, acc)
            held, entered = held + enters - is_drained, entered + enters
    rows = play(simulate, Drain(banks, slices, carries=carries), cycles, OUTPUTS)
    seen = []
    for row in rows:
        drain = row["drain"]
        shown = (drain.bank, drain.row, drain.beat, row["slice"]) if row["valid"] else ()
        seen.append((row["valid"], row["drained"], row["done"], *shown))
    assert seen == expected


def test_valid_one_cycle_after_finished_and_no_bubble(simulate):
    """Two groups of three rows of two beats: twelve transfers in twelve cycles."""
    banks = Banks(2, 4, 4, 2)
    cycles = [start(2, 3, 2, 2), {"start": 0, "ready": 1, "finished": 1, "finished_two": 1}]
    cycles += [{}] * 5 + [{"finished_two": 1}] + [{"finished_two": 0}] * 6
    rows = play(simulate, Drain(banks), cycles, OUTPUTS)
    assert [row["valid"] for row in rows] == [0, 0] + [1] * 12
    assert [row["drained"] for row in rows] == [0, 0] + ([0] * 5 + [1]) * 2
    assert [row["done"] for row in rows] == [0] * 13 + [1]
    # a row is fetched one cycle before its first beat, and cleared with its last
    assert [row["drain"].read for row in rows] == [0, 1] + [0, 1] * 5 + [0, 0]
    assert [row["drain"].zero for row in rows] == [0, 0] + [0, 1] * 6
    banks_read = [row["drain"].read_bank for row in rows if row["drain"].read]
    assert banks_read == [0, 0, 0, 1, 1, 1]


def test_every_slice_of_a_row_before_the_next_row(simulate):
    cycles = [start(1, 2, 1, 1, 3), {"start": 0, "ready": 1, "finished": 1}] + [{}] * 6
    rows = play(simulate, Drain(Banks(2, 4), 3), cycles, OUTPUTS)
    shown = [(row["drain"].row, row["slice"]) for row in rows if row["valid"]]
    assert shown == [(row, part) for row in range(2) for part in range(3)]
    assert [row["drain"].zero for row in rows] == [0, 0] + [0, 0, 1] * 2
    assert [row["done"] for row in rows] == [0] * 7 + [1]


def test_the_last_row_has_fewer_slices(simulate):
    cycles = [start(2, 2, 1, 1, 2), {"start": 0, "ready": 1, "finished": 1, "finished_two": 1}]
    cycles += [{}] * 5 + [{"finished_two": 0}] * 5
    rows = play(simulate, Drain(Banks(2, 4), 3), cycles, OUTPUTS)
    shown = [(row["drain"].bank, row["drain"].row, row["slice"]) for row in rows if row["valid"]]
    of_group = [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1)]
    assert shown == [(bank, *each) for bank in range(2) for each in of_group]
    assert [row["drained"] for row in rows] == [0, 0] + ([0] * 4 + [1]) * 2


def test_no_slice_is_refused():
    with pytest.raises(ValueError, match="slices must be at least 1, not 0"):
        Drain(Banks(2, 4), 0)


def test_offer_holds_while_ready_is_low(simulate):
    cycles = (
        [start(1, 1, 1, 1), {"start": 0, "ready": 0, "finished": 1}] + [{}] * 5 + [{"ready": 1}]
    )
    rows = play(simulate, Drain(Banks(2, 4)), cycles, OUTPUTS)
    assert [row["valid"] for row in rows] == [0, 0] + [1] * 6
    assert [row["done"] for row in rows] == [0] * 7 + [1]
    assert not any(row["drain"].zero or row["drain"].read for row in rows[2:7])


def test_clear_goes_to_the_accumulators(simulate):
    rows = play(simulate, Drain(Banks(2, 8)), [{"clear": 1, "clear_row": 5}, {"clear": 0}], OUTPUTS)
    assert [(row["drain"].clear, row["drain"].row) for row in rows] == [(1, 5), (0, 0)]
