# amaranth: UnusedElaboratable=no
"""Encoder of activations: every non-zero once, in order, in as few cycles as its column needs."""

import numpy as np
import pytest
from amaranth import signed
from harness.component import play, seeded

from hwsim.rtl.arrays.dbb.encoder import BlockEncoder

COLS, N, M = 3, 2, 8
OUTPUTS = ["blocks.ready", "slots.valid", "slots.p"]


def encoder(cols=COLS, n=N, m=M):
    return BlockEncoder(cols=cols, n=n, m=m, act=signed(8))


def beats_of(block, n):
    """Slots ``(value, position)`` of every beat of one block per column, with its flags."""
    found = [[(int(v), p) for p, v in enumerate(col) if v] for col in block]
    count = max(1, *(-(-len(col) // n) for col in found))
    for beat in range(count):
        sent = [col[n * beat : n * beat + n] for col in found]
        slots = [col + [(0, 0)] * (n - len(col)) for col in sent]
        yield slots, beat == 0, beat == count - 1


def run(simulate, dut, blocks, rng=None):
    """Offer blocks and take slots, in every cycle or at random; what each cycle showed."""
    left = list(blocks)
    expected = sum(len(list(beats_of(block, dut.n))) for block in blocks)
    taken = []

    def stimuli(rows):
        offered = False
        while len(taken) < expected:
            offered = bool(left) and (offered or rng is None or rng.random() < 0.6)
            ready = rng is None or rng.random() < 0.6
            yield {
                "blocks.valid": offered,
                "blocks.p": {"act": left[0].tolist() if offered else [[0] * dut.m] * dut.cols},
                "slots.ready": ready,
            }
            row = rows[-1]
            if offered and row["blocks.ready"]:
                left.pop(0)
                offered = False
            if row["slots.valid"] and ready:
                taken.append(row["slots.p"])
        yield {"slots.ready": 1}

    rows = play(simulate, dut, stimuli, OUTPUTS)
    assert not rows[-1]["slots.valid"]
    return rows, [
        ([[(s.value, s.position) for s in col] for col in beat.act], beat.first, beat.last)
        for beat in taken
    ]


def blocks_of(rng, count, density, cols=COLS, m=M):
    values = rng.integers(-128, 128, (count, cols, m))
    return values * (rng.random(values.shape) < density)


def test_latency_of_two_cycles_and_no_bubble(simulate):
    blocks = np.zeros((4, COLS, M), dtype=int)
    blocks[1, 0, [1, 5]] = 7  # one beat
    blocks[2, 2, [0, 3, 7]] = 8  # two
    rows, beats = run(simulate, encoder(), blocks)
    assert [row["slots.valid"] for row in rows] == [0, 0, 1, 1, 1, 1, 1, 0]
    # the blocks of two beats keep the next ones waiting
    assert [row["blocks.ready"] for row in rows][:5] == [1, 1, 1, 0, 1]
    assert [(first, last) for _, first, last in beats] == [(1, 1), (1, 1), (1, 0), (0, 1), (1, 1)]
    assert beats[2][0][2] == [(8, 0), (8, 3)]
    assert beats[3][0] == [[(0, 0)] * N, [(0, 0)] * N, [(8, 7), (0, 0)]]


@pytest.mark.parametrize("waits", [False, True])
@pytest.mark.parametrize("density", [0.0, 0.2, 0.5, 1.0])
@pytest.mark.parametrize(("cols", "n", "m"), [(1, 1, 2), (3, 2, 8), (2, 3, 4), (2, 5, 16)])
def test_every_non_zero_once_whatever_waits(simulate, cols, n, m, density, waits):
    rng = seeded(int(10 * density))
    blocks = blocks_of(rng, 12, density, cols, m)
    rows, beats = run(simulate, encoder(cols, n, m), blocks, rng if waits else None)
    assert beats == [beat for block in blocks for beat in beats_of(block, n)]
    if not waits:
        assert len(rows) == 2 + len(beats) + 1


def test_an_offer_stays_until_it_is_taken(simulate):
    block = np.arange(COLS * M).reshape(COLS, M).tolist()
    cycles = [{"blocks.valid": 1, "blocks.p": {"act": block}}] + [{}] * 5
    rows = play(simulate, encoder(), cycles, OUTPUTS)
    assert [row["slots.valid"] for row in rows] == [0, 0, 1, 1, 1, 1]
    assert all(row["slots.p"] == rows[2]["slots.p"] for row in rows[2:])


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"cols": 0}, "cols must be at least 1, not 0"),
        ({"n": 8}, "n must be from 1 to 7, not 8"),
        ({"n": 0}, "n must be from 1 to 7, not 0"),
    ],
)
def test_sizes_are_checked(keys, message):
    with pytest.raises(ValueError, match=message):
        encoder(**keys)
