# amaranth: UnusedElaboratable=no
"""Output-stationary mesh: sums of folds, bottom row first, latency, drain beside the next fold."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.config import NumberConfig
from hwsim.rtl.arrays.dense.cell import DenseCell
from hwsim.rtl.arrays.systolic.os_mesh import OSMesh

SIZES = [(1, 1), (1, 3), (3, 1), (2, 3), (4, 2)]


def mesh(rows, cols, psum_width=32):
    return OSMesh(rows=rows, cols=cols, cell=DenseCell(NumberConfig()), psum_width=psum_width)


def quiet(dut):
    return {
        "enable": 1, "mac": {"valid": 0, "first": 0, "last": 0}, "weight": [0] * dut.rows,
        "act": [0] * dut.cols, "drain": 0,
    }  # fmt: skip


def fold(weight, act):
    """Beats of a fold: ``weight`` is ``(rows, K)``, ``act`` is ``(K, cols)``."""
    size = len(act)
    for k in range(size):
        mac = {"valid": 1, "first": k == 0, "last": k + 1 == size}
        yield {"mac": mac, "weight": (weight[:, k] & 0xFF).tolist(), "act": act[k].tolist()}


def schedule(dut, folds, pause=0):
    """Cycles of folds whose last beats are at least ``rows`` apart, and those of the last beats."""
    beats, lasts = [], []
    for weight, act in folds:
        beats += [{}] * pause
        for beat in fold(weight, act):
            if beat["mac"]["last"] and lasts:
                beats += [{}] * max(0, lasts[-1] + dut.rows - len(beats))
            beats.append(beat)
        lasts.append(len(beats) - 1)
    beats += [{}] * (2 * dut.rows + dut.cols)
    cycles = [quiet(dut) | beat for beat in beats]
    for last in lasts:
        cycles[last + dut.rows]["drain"] = 1
    return cycles, lasts


def draw(rng, size, lengths):
    rows, cols = size
    return [
        (rng.integers(-128, 128, (rows, k)), rng.integers(-128, 128, (k, cols))) for k in lengths
    ]


def check(outputs, dut, folds, lasts):
    """``rows + cols`` enabled cycles after a fold's last beat its rows begin, the bottom first."""
    for (weight, act), last in zip(folds, lasts, strict=True):
        begin = last + dut.rows + dut.cols
        seen = [[int(lane) for lane in row["psum"]] for row in outputs[begin : begin + dut.rows]]
        assert seen == (weight @ act)[::-1].tolist()


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sums_rows_plus_cols_cycles_after_the_last_beat(simulate, size):
    dut = mesh(*size)
    folds = draw(seeded(sum(size)), size, [5])
    cycles, lasts = schedule(dut, folds)
    assert lasts == [4]
    check(play(simulate, dut, cycles, ["psum"]), dut, folds, lasts)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_beat_per_cycle_and_a_fold_every_rows_cycles(simulate, size):
    """Folds of ``rows`` beats leave no gap; of fewer, their last beats wait for the drain."""
    rows, _ = size
    dut = mesh(*size)
    folds = draw(seeded(10 * size[0] + size[1]), size, [rows] * 3 + [1] * 4 + [rows + 2, 1, 3])
    cycles, lasts = schedule(dut, folds)
    assert lasts[:3] == [rows - 1, 2 * rows - 1, 3 * rows - 1]
    check(play(simulate, dut, cycles, ["psum"]), dut, folds, lasts)


@pytest.mark.parametrize("pause", [0, 1, 3])
def test_mesh_holds_while_it_is_not_enabled(simulate, pause):
    rng = seeded(pause)
    dut = mesh(3, 2)
    folds = draw(rng, (3, 2), rng.integers(1, 7, 8))
    cycles, lasts = schedule(dut, folds, pause)

    def stimuli(seen):
        for cycle in cycles:
            while rng.random() < 0.3:
                yield cycle | {"enable": 0}
            yield cycle

    outputs = play(simulate, dut, stimuli, ["psum", "enable"])
    check([row for row in outputs if row["enable"]], dut, folds, lasts)


def test_sums_wrap(simulate):
    dut = mesh(1, 1, psum_width=16)
    cycles, lasts = schedule(dut, [(np.full((1, 3), -128), np.full((3, 1), -128))])
    outputs = play(simulate, dut, cycles, ["psum"])
    assert int(outputs[lasts[0] + 2]["psum"][0]) == 3 * 2**14 - 2**16


@pytest.mark.parametrize("key", ["rows", "cols"])
def test_no_pe_is_refused(key):
    with pytest.raises(ValueError, match=f"{key} must be at least 1, not 0"):
        mesh(**({"rows": 2, "cols": 2} | {key: 0}))
