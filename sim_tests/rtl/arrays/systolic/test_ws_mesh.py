# amaranth: UnusedElaboratable=no
"""Weight-stationary mesh: sums of beats over all rows, latency, two sets of weights."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.config import NumberConfig
from hwsim.rtl.arrays.dense.cell import DenseCell
from hwsim.rtl.arrays.systolic.ws_mesh import WSMesh

SIZES = [(1, 1), (1, 3), (3, 1), (2, 3), (4, 2)]


def mesh(rows, cols, psum_width=32):
    return WSMesh(rows=rows, cols=cols, cell=DenseCell(NumberConfig()), psum_width=psum_width)


def load(weight):
    """Rows of weights, the bottom one first."""
    for row in reversed(range(len(weight))):
        yield {"load": {"valid": 1, "row": row}, "weight": (weight[row] & 0xFF).tolist()}


def quiet(dut):
    return {
        "enable": 1, "swap": 0, "load": {"valid": 0, "row": 0}, "act": [0] * dut.rows,
        "weight": [0] * dut.cols,
    }  # fmt: skip


def psums(row):
    return [int(lane) for lane in row["psum"]]


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_sums_rows_plus_cols_cycles_after_their_beat(simulate, size):
    """Activations from the cycle after the swap on meet the weights of the load before it."""
    rng = seeded(sum(size))
    rows, cols = size
    dut = mesh(rows, cols)
    weight, acts = rng.integers(-128, 128, size), rng.integers(-128, 128, (6, rows))
    cycles = [*load(weight), {"swap": 1}, *({"act": act.tolist()} for act in acts)]
    cycles += [{}] * (rows + cols)
    outputs = play(simulate, dut, [quiet(dut) | cycle for cycle in cycles], ["psum"])
    begin = rows + 1 + rows + cols
    assert [psums(row) for row in outputs[begin:]] == (acts @ weight).tolist()[
        : len(cycles) - begin
    ]


@pytest.mark.parametrize("probability", [1, 0.7])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_one_beat_and_one_row_of_weights_per_cycle(simulate, size, probability):
    """Folds of ``rows`` beats leave no gap: a swap comes with the last beat of the fold before.

    The first load of the next fold comes with the swap, the last one a cycle before the next swap.
    """
    rng = seeded(10 * size[0] + size[1])
    rows, cols = size
    dut = mesh(rows, cols)
    weights = rng.integers(-128, 128, (5, rows, cols))
    acts = rng.integers(-128, 128, (5, rows, rows))
    cycles = [quiet(dut) for _ in range(7 * rows + cols + 1)]
    for fold in range(5):
        for beat, words in enumerate(load(weights[fold])):
            cycles[fold * rows + beat] |= words
        swap = (fold + 1) * rows
        cycles[swap]["swap"] = 1
        for beat, act in enumerate(acts[fold]):
            cycles[swap + 1 + beat]["act"] = act.tolist()

    def stimuli(seen):
        for cycle in cycles:
            while rng.random() >= probability:
                yield cycle | {"enable": 0}
            yield cycle

    outputs = play(simulate, dut, stimuli, ["psum", "enable"])
    enabled = [psums(row) for row in outputs if row["enable"]]
    expected = np.concatenate([act @ weight for act, weight in zip(acts, weights, strict=True)])
    assert enabled[2 * rows + cols + 1 :] == expected.tolist()


def test_sums_wrap(simulate):
    dut = mesh(3, 1, psum_width=16)
    weight, act = np.full((3, 1), -128), [-128] * 3
    cycles = [*load(weight), {"swap": 1}, {"act": act}, *[{}] * 4]
    outputs = play(simulate, dut, [quiet(dut) | cycle for cycle in cycles], ["psum"])
    assert psums(outputs[-1]) == [3 * 2**14 - 2**16]


@pytest.mark.parametrize("key", ["rows", "cols"])
def test_no_pe_is_refused(key):
    with pytest.raises(ValueError, match=f"{key} must be at least 1, not 0"):
        mesh(**({"rows": 2, "cols": 2} | {key: 0}))
