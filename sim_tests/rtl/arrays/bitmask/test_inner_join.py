# amaranth: UnusedElaboratable=no
"""Inner join of masks: pairs, their ranks, and the cycles they take."""

import pytest
from harness.component import play, seeded

from hwsim.rtl.arrays.bitmask.inner_join import InnerJoin

OUTPUTS = ["masks.ready", "enters", "is_first", "busy", "has_pair", "ends", "pair", "total"]


def join(simulate, chunk, masks, probability=1.0, rng=None):
    """Offer masks, each cycle with a probability; give the outputs of every cycle."""

    def stimuli(rows):
        left, held = list(masks), False
        quiet = 0
        while quiet < 3:
            held = bool(left) and (held or rng is None or rng.random() < probability)
            offer = {"weight": left[0][0], "act": left[0][1]} if held else {"weight": 0, "act": 0}
            yield {"masks.valid": held, "masks.p": offer}
            if held and rows[-1]["masks.ready"]:
                left.pop(0)
                held = False
            quiet = 0 if left or rows[-1]["busy"] else quiet + 1

    return play(simulate, InnerJoin(chunk), stimuli, OUTPUTS)


def pairs(rows):
    return [(int(r["pair"].rank), int(r["pair"].position)) for r in rows if r["has_pair"]]


def expected(weight, act):
    both, found = weight & act, []
    while both:
        lowest = both & -both
        found.append(((weight & (lowest - 1)).bit_count(), lowest.bit_length() - 1))
        both &= both - 1
    return found


def draw_mask(rng, chunk, density):
    return sum(1 << k for k in range(chunk) if rng.random() < density)


@pytest.mark.parametrize("chunk", [8, 16, 32, 128])
@pytest.mark.parametrize("probability", [1.0, 0.4])
def test_rank_and_position_of_every_pair(simulate, chunk, probability):
    rng = seeded(chunk)
    full = (1 << chunk) - 1
    masks = [(full, full), (0, full), (full, 0), (1, 1), (1 << chunk - 1, full), (1, 2)]
    masks += [tuple(draw_mask(rng, chunk, density) for density in rng.random(2)) for _ in range(8)]
    rows = join(simulate, chunk, masks, probability, rng)
    assert pairs(rows) == [pair for weight, act in masks for pair in expected(weight, act)]
    # max(1, n) cycles for n pairs, whatever the pauses between them
    assert sum(r["busy"] for r in rows) == sum(max(1, (w & a).bit_count()) for w, a in masks)
    # what the weights of the masks before are known by when the next ones enter
    firsts = [index for index, r in enumerate(rows) if r["enters"] and r["is_first"]]
    assert [rows[i + 1]["total"] for i in firsts] == [w.bit_count() for w, _ in masks]


def test_a_cycle_to_a_pair_and_no_bubble_between_bytes_or_masks(simulate):
    masks = [(0x0100_0005, 0x0100_0007), (0b1, 0b10), (0, 0), (0x30000, 0x30000)]
    rows = join(simulate, 32, masks)
    names = ("masks.ready", "is_first", "busy", "has_pair", "ends")
    assert [tuple(row[name] for name in names) for row in rows[:8]] == [
        (0, 1, 0, 0, 0),  # a byte of the first masks is picked, and they have another
        (0, 0, 1, 1, 0),
        (1, 0, 1, 1, 1),  # the other byte takes the masks
        (1, 1, 1, 1, 1),
        (1, 1, 1, 0, 1),  # without a pair: one cycle
        (1, 1, 1, 0, 1),
        (0, 1, 1, 1, 0),
        (1, 1, 1, 1, 1),
    ]
    assert pairs(rows) == [(0, 0), (1, 2), (2, 24), (0, 16), (1, 17)]


@pytest.mark.parametrize("chunk", [0, 4, 12])
def test_a_mask_that_is_no_bytes_is_refused(chunk):
    with pytest.raises(ValueError, match=f"chunk must be whole bytes, not {chunk} bits"):
        InnerJoin(chunk)
