# amaranth: UnusedElaboratable=no
"""Gathering scratchpad: order of what it plays, its cycles, two halves, backpressure."""

import pytest
from amaranth import signed, unsigned
from amaranth.lib import data
from harness.component import high, seeded, transfer

from hwsim.rtl.arrays.dense.scratchpad import Gather

ROWS, DEPTH, PIXELS = 2, 4, 4
COUNT = unsigned(6)
COMMAND = data.StructLayout(
    {"k_folds": COUNT, "m_folds": COUNT, "n_tiles": COUNT, "n_edge": range(PIXELS + 1)}
    | {"k_blocks": range(DEPTH + 1)}
)
OUTPUTS = ["command.ready", "load.ready", "act.valid", "act.p", "issue", "lists"]


def scratchpad(rows=ROWS, depth=DEPTH, pixels=PIXELS):
    act = data.StructLayout({"act": data.ArrayLayout(signed(8), rows)})
    return Gather(command=COMMAND, act=act, depth=depth, pixels=pixels)


def draw(rng, k_folds, m_folds, n_tiles, n_edge, k_blocks):
    """Command, beats to load and words to play of a job with random activations and lists."""
    command = {
        "k_folds": k_folds, "m_folds": m_folds, "n_tiles": n_tiles, "n_edge": n_edge,
        "k_blocks": k_blocks,
    }  # fmt: skip
    entries = rng.integers(k_blocks, size=(DEPTH, ROWS))
    loads, plays = [], []
    for tile in range(n_tiles):
        pixels = n_edge if tile + 1 == n_tiles else PIXELS
        banks = rng.integers(-128, 128, (k_blocks, pixels, ROWS))
        for block in range(k_blocks):
            for pixel in range(pixels):
                # the list counts in the first beat of a block of the first tile alone
                listed = tile == 0 and pixel == 0
                entry = entries[block] if listed else rng.integers(DEPTH, size=ROWS)
                loads.append({"act": banks[block, pixel].tolist(), "entry": entry.tolist()})
        for _ in range(m_folds):
            for fold in range(k_folds):
                for pixel in range(pixels):
                    plays.append([int(banks[entries[fold, r], pixel, r]) for r in range(ROWS)])
    return command, loads, plays


def run(simulate, jobs, rng=None):
    """Play jobs; with ``rng``, streams wait at random."""
    commands = [command for command, _, _ in jobs]
    loads = [beat for _, beats, _ in jobs for beat in beats]
    expected = [word for *_, words in jobs for word in words]
    rows, received = transfer(
        simulate, scratchpad(), {"command": commands, "load": loads}, ("act", len(expected)),
        OUTPUTS, rng,
    )  # fmt: skip
    assert [[int(word) for word in beat.act] for beat in received] == expected
    return rows


def test_first_word_two_cycles_after_the_last_beat(simulate):
    rows = run(simulate, [draw(seeded(1), 2, 1, 1, 3, 2)])
    # the command in cycle 0, two blocks of three pixels from cycle 1 on
    assert high(rows, "load.ready")[:6] == [1, 2, 3, 4, 5, 6]
    assert high(rows, "lists") == [1, 4]
    assert high(rows, "issue") == [7, 8, 9, 10, 11, 12]
    assert high(rows, "act.valid") == [8, 9, 10, 11, 12, 13]


def test_one_beat_per_cycle_in_and_out(simulate):
    """Tiles that are loaded in as many cycles as they are played leave no gap."""
    rows = run(simulate, [draw(seeded(2), 2, 1, 4, PIXELS, 2)])
    words = 4 * 2 * PIXELS
    assert high(rows, "issue") == list(range(9, 9 + words))
    assert high(rows, "act.valid") == list(range(10, 10 + words))


def test_load_waits_while_both_halves_are_full(simulate):
    """Three M folds: a tile plays in three times the cycles that its load takes."""
    rows = run(simulate, [draw(seeded(3), 1, 3, 3, PIXELS, 1)])
    # tiles of 4 beats are loaded from cycles 1 and 5 on, the third one once the first is played
    assert high(rows, "load.ready")[: 2 * PIXELS] == list(range(1, 9))
    assert high(rows, "issue") == list(range(5, 5 + 3 * 3 * PIXELS))
    assert high(rows, "load.ready")[2 * PIXELS] == 5 + 3 * PIXELS


def test_next_command_after_the_last_word_is_read(simulate):
    rows = run(simulate, [draw(seeded(4), 1, 1, 1, 2, 1), draw(seeded(5), 1, 1, 1, 1, 1)])
    assert high(rows, "command.ready")[:2] == [0, high(rows, "issue")[1] + 1]


@pytest.mark.parametrize("seed", range(4))
def test_words_of_random_jobs_whatever_waits(simulate, seed):
    rng = seeded(seed)
    jobs = []
    for _ in range(4):
        k_blocks = int(rng.integers(1, DEPTH + 1))
        k_folds = int(rng.integers(1, k_blocks + 1))
        counts = rng.integers(1, [4, 4, PIXELS + 1]).tolist()
        jobs.append(draw(rng, k_folds, *counts, k_blocks))
    rows = run(simulate, jobs, rng)
    words = sum(len(words) for *_, words in jobs)
    assert len(high(rows, "issue")) == words
    assert len(high(rows, "lists")) == sum(command["k_blocks"] for command, *_ in jobs)


@pytest.mark.parametrize("key", ["depth", "pixels"])
@pytest.mark.parametrize("value", [0, 3])
def test_size_that_is_no_power_of_two_is_refused(key, value):
    with pytest.raises(ValueError, match=f"{key} must be a power of two, not {value}"):
        scratchpad(**{key: value})
