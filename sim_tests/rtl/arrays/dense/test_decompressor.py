# amaranth: UnusedElaboratable=no
"""Decompressor: rows whatever waits, latency, a row and a word per cycle, ends of passes."""

import numpy as np
import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator
from harness.component import high, play, seeded, transfer

from hwsim.formats.weight_stream import Packing, encode
from hwsim.rtl.arrays.dense.decompressor import Decompressor, prefix_counts

PACKING = Packing(lanes=4, width=4, port=4)
OUTPUTS = ["command.ready", "word.ready", "row.valid", "row.p"]


def draw(rng, packing, rows, density):
    """Rows of codes; a density for each of them, or for all."""
    codes = rng.integers(1, 1 << packing.width, (rows, packing.lanes))
    return np.where(rng.random(codes.shape) < np.reshape(density, (-1, 1)), codes, 0)


def run(simulate, packing, jobs, rng=None):
    """Play jobs of ``(rows, passes)``; with ``rng``, streams wait at random."""
    commands = [{"weight_rows": len(rows), "passes": passes} for rows, passes in jobs]
    words = [
        {"slots": word.tolist()}
        for rows, passes in jobs
        for word in np.tile(encode(rows, packing), (passes, 1))
    ]
    expected = [row for rows, passes in jobs for row in rows.tolist() * passes]
    rows, received = transfer(
        simulate, Decompressor(packing), {"command": commands, "word": words},
        ("row", len(expected)), OUTPUTS, rng,
    )  # fmt: skip
    assert [[int(code) for code in row.weight] for row in received] == expected
    assert not rows[-1]["row.valid"]
    return rows


def test_rows_two_cycles_after_the_words_that_complete_them(simulate):
    codes = draw(seeded(1), PACKING, 2, 1)
    rows = run(simulate, PACKING, [(codes, 1)])
    # words of 4 slots in cycles 0, 1, 2; rows of 5 slots: the first needs two words, both three
    assert high(rows, "row.valid") == [3, 4]


def test_words_are_taken_before_the_command(simulate):
    codes = draw(seeded(2), PACKING, 4, 0.5)
    words = encode(codes, PACKING)

    def stimuli(rows):
        for word in words:
            yield {"word.valid": 1, "word.p": {"slots": word.tolist()}, "row.ready": 1}
        yield {"word.valid": 0}
        yield {"command.valid": 1, "command.p": {"weight_rows": 4, "passes": 1}}
        yield from [{"command.valid": 0}] * 6

    rows = play(simulate, Decompressor(PACKING), stimuli, OUTPUTS)
    start = len(words) + 1
    assert all(row["word.ready"] for row in rows[: len(words)])
    assert high(rows, "row.valid") == list(range(start + 2, start + 6))


@pytest.mark.parametrize("packing", [PACKING, Packing(8, 8, 8), Packing(8, 4, 16)], ids=str)
def test_a_row_per_cycle_where_words_suffice(simulate, packing):
    """Rows of at most ``port`` slots on average, in any order: not one cycle is lost."""
    rng = seeded(3)
    short, long = draw(rng, packing, 60, 0.1), draw(rng, packing, 1, 1)
    codes = np.concatenate([short[:20], long, short[20:]])
    rows = run(simulate, packing, [(codes, 1)])
    offers = high(rows, "row.valid")
    assert offers == list(range(offers[0], offers[0] + len(codes)))


@pytest.mark.parametrize("density", [0.6, 1])
def test_each_row_two_cycles_after_its_last_word(simulate, density):
    """Words are taken one per cycle, so nothing but them is waited for."""
    packing = Packing(8, 8, 8)
    codes = draw(seeded(4), packing, 60, density)
    rows = run(simulate, packing, [(codes, 1)])
    ends = np.cumsum(1 + np.count_nonzero(codes, axis=1))
    row = 1
    for end, offer in zip(ends, high(rows, "row.valid"), strict=True):
        row = max(row + 1, (end - 1) // 8 + 2)
        assert offer == row


def test_the_rest_of_a_pass_s_last_word_takes_a_cycle(simulate):
    codes = draw(seeded(5), PACKING, 3, 0)
    rows = run(simulate, PACKING, [(codes, 3)])
    # three masks and an empty slot make a word
    assert high(rows, "row.valid") == [2, 3, 4, 6, 7, 8, 10, 11, 12]


def test_next_command_after_the_last_row_has_left(simulate):
    codes = draw(seeded(6), PACKING, 2, 0.3)
    rows = run(simulate, PACKING, [(codes, 1), (codes, 1)])
    # the rows leave in cycles 1 and 2, the second job's after the skip
    assert high(rows, "command.ready")[:2] == [0, 3]
    assert high(rows, "row.valid") == [2, 3, 5, 6]


@pytest.mark.parametrize(("stored", "taken"), [(1, 3), (2, 4), (4, 4)])
def test_takes_no_word_beside_two_of_the_longest_rows(simulate, stored, taken):
    """The first row waits in the output register: 10 slots are too many, 9 are not."""
    codes = draw(seeded(7), PACKING, 12, 1)
    codes[0, stored:] = 0
    words = encode(codes, PACKING)

    def stimuli(rows):
        yield {"command.valid": 1, "command.p": {"weight_rows": 12, "passes": 1}, "row.ready": 0}
        for n in range(10):
            word = words[min(n, taken)].tolist()
            yield {"command.valid": 0, "word.valid": 1, "word.p": {"slots": word}}

    rows = play(simulate, Decompressor(PACKING), stimuli, OUTPUTS)
    assert high(rows, "word.ready") == list(range(1 + taken))


@pytest.mark.parametrize("seed", range(8))
def test_random_jobs_whatever_waits(simulate, seed):
    rng = seeded(seed)
    lanes, width = int(rng.integers(1, 9)), int(rng.choice([2, 3, 5, 8]))
    packing = Packing(lanes, width, 1 << int(rng.integers(0, 5)))
    print(packing)
    jobs = []
    for _ in range(4):
        count = int(rng.integers(1, 12))
        density = rng.choice([0, 0.2, 0.7, 1], count)
        jobs.append((draw(rng, packing, count, density), int(rng.integers(1, 4))))
    run(simulate, packing, jobs, rng)


@pytest.mark.parametrize("width", [1, 2, 5, 8])
def test_prefix_counts(width):
    bits = Signal(width)
    counts = prefix_counts(bits)
    m = Module()
    outputs = [Signal(range(width + 1), name=f"count_{n}") for n in range(width)]
    m.d.comb += [output.eq(count) for output, count in zip(outputs, counts, strict=True)]

    async def bench(ctx):
        for value in range(1 << width):
            ctx.set(bits, value)
            for n, output in enumerate(outputs):
                assert ctx.get(output) == (value & ((2 << n) - 1)).bit_count()

    sim = Simulator(m)
    sim.add_testbench(bench)
    sim.run()


@pytest.mark.parametrize("port", [0, 3, 12])
def test_refuses_a_port_that_is_no_power_of_two(port):
    with pytest.raises(ValueError, match=f"port must be a power of two, not {port}"):
        Decompressor(Packing(4, 4, port))
