# amaranth: UnusedElaboratable=no
"""Sequence of commands: clear after reset, load, run; its latencies."""

import pytest
from amaranth import unsigned
from amaranth.lib import data
from harness.component import play, seeded

from hwsim.rtl.arrays.decoding.tile_control import TileControl

LAYOUT = data.StructLayout({"weight_beats": unsigned(5), "rows": unsigned(4)})
OUTPUTS = ["command.ready", "weight_ready", "start", "run", "clear", "clear_row", "current"]


def run(simulate, acc_depth, jobs, rng=None):
    """Play jobs (beats, rows, cycles of the run), with idle cycles where ``rng`` says so."""
    dut = TileControl(LAYOUT, acc_depth=acc_depth)
    inputs, cycles = [], [{}] * acc_depth

    def pauses():
        return rng is not None and rng.random() < 0.4

    for beats, rows, length in jobs:
        while pauses():
            cycles.append({"command.valid": 0, "done": 0})
        command = {"weight_beats": beats, "rows": rows}
        cycles.append({"command.valid": 1, "command.payload": command, "done": 0})
        for _ in range(beats):
            while pauses():
                cycles.append({"command.valid": 0, "weight_valid": 0})
            cycles.append({"command.valid": 0, "weight_valid": 1})
        if beats == 0:
            cycles.append({"command.valid": 0, "weight_valid": 1})
        inputs.append(len(cycles))
        cycles += [{"weight_valid": 0}] * (length - 1) + [{"weight_valid": 0, "done": 1}]
    return inputs, play(simulate, dut, cycles, OUTPUTS)


@pytest.mark.parametrize("acc_depth", [1, 2, 8])
def test_accumulators_are_cleared_after_a_reset(simulate, acc_depth):
    _, rows = run(simulate, acc_depth, [(1, 3, 1)])
    assert [row["clear"] for row in rows] == [1] * acc_depth + [0] * 3
    assert [row["clear_row"] for row in rows[:acc_depth]] == list(range(acc_depth))
    assert [row["command.ready"] for row in rows] == [0] * acc_depth + [1, 0, 0]


def test_one_cycle_per_step_and_back_to_back(simulate):
    _, rows = run(simulate, 1, [(3, 2, 4), (1, 7, 1)])
    sequence = ["clear", "command.ready"] + ["weight_ready"] * 3 + ["run"] * 4
    sequence += ["command.ready", "weight_ready", "run"]
    for row, name in zip(rows, sequence, strict=True):
        high = [out for out in ("clear", "command.ready", "weight_ready", "run") if row[out]]
        assert high == [name]
    assert [row["start"] for row in rows] == [0] * 4 + [1] + [0] * 5 + [1, 0]
    assert [row["current"].rows for row in rows[2:9]] == [2] * 7
    assert [row["current"].rows for row in rows[10:]] == [7] * 2


def test_weights_that_stay_cost_a_cycle_and_none_is_taken(simulate):
    _, rows = run(simulate, 1, [(0, 2, 3), (0, 7, 1)])
    names = ("clear", "command.ready", "start", "run", "weight_ready")
    sequence = ["clear", "command.ready", "start", *["run"] * 3, "command.ready", "start", "run"]
    assert [[out for out in names if row[out]] for row in rows] == [[name] for name in sequence]


def test_pauses_only_delay(simulate):
    rng = seeded(3)
    jobs = [(int(rng.integers(0, 20)), i, int(rng.integers(1, 9))) for i in range(12)]
    starts, rows = run(simulate, 4, jobs, rng)
    assert [cycle for cycle, row in enumerate(rows) if row["start"]] == [c - 1 for c in starts]
    runs = [cycle for cycle, row in enumerate(rows) if row["run"]]
    assert runs == [
        c + i for c, (*_, length) in zip(starts, jobs, strict=True) for i in range(length)
    ]
    for cycle, (beats, index, _) in zip(starts, jobs, strict=True):
        assert (rows[cycle]["current"].weight_beats, rows[cycle]["current"].rows) == (beats, index)


def test_no_accumulator_is_refused():
    with pytest.raises(ValueError, match="acc_depth must be at least 1, not 0"):
        TileControl(LAYOUT, acc_depth=0)
