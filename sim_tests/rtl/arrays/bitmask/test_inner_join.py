# amaranth: UnusedElaboratable=no
"""Inner join of masks: pairs, their ranks, and the cycles they take."""

import pytest
from harness.component import play, seeded

from hwsim.rtl.arrays.bitmask.inner_join import InnerJoin

OUTPUTS = ["masks.ready", "busy", "has_pair", "ends", "pair.valid", "pair.p"]


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
    return [(int(r["pair.p"].weight), int(r["pair.p"].act)) for r in rows if r["pair.valid"]]


def expected(weight, act):
    both, ranks = weight & act, []
    while both:
        below = (both & -both) - 1
        ranks.append(((weight & below).bit_count(), (act & below).bit_count()))
        both &= both - 1
    return ranks


def draw_mask(rng, chunk, density):
    return sum(1 << k for k in range(chunk) if rng.random() < density)


@pytest.mark.parametrize("chunk", [2, 8, 16, 128])
@pytest.mark.parametrize("probability", [1.0, 0.4])
def test_ranks_of_every_pair(simulate, chunk, probability):
    rng = seeded(chunk)
    full = (1 << chunk) - 1
    masks = [(full, full), (0, full), (full, 0), (1, 1), (1 << chunk - 1, full), (1, 2)]
    masks += [tuple(draw_mask(rng, chunk, density) for density in rng.random(2)) for _ in range(8)]
    rows = join(simulate, chunk, masks, probability, rng)
    assert pairs(rows) == [pair for weight, act in masks for pair in expected(weight, act)]
    assert [r["pair.valid"] for r in rows[1:]] == [r["has_pair"] for r in rows[:-1]]
    # max(1, n) cycles for n pairs, whatever the pauses between them
    assert sum(r["busy"] for r in rows) == sum(max(1, (w & a).bit_count()) for w, a in masks)


def test_two_cycles_to_a_pair_and_no_bubble_between_masks(simulate):
    masks = [(0b101, 0b111), (0b1, 0b10), (0, 0), (0b11, 0b11)]
    rows = join(simulate, 8, masks)
    names = ("masks.ready", "busy", "has_pair", "ends", "pair.valid")
    assert [tuple(row[name] for name in names) for row in rows[:8]] == [
        (1, 0, 0, 0, 0),  # the transfer of the first masks
        (0, 1, 1, 0, 0),
        (1, 1, 1, 1, 1),  # its last cycle takes the next masks
        (1, 1, 0, 1, 1),  # without a pair: one cycle
        (1, 1, 0, 1, 0),
        (0, 1, 1, 0, 0),
        (1, 1, 1, 1, 1),
        (1, 0, 0, 0, 1),
    ]
    assert pairs(rows) == [(0, 0), (1, 2), (0, 0), (1, 1)]


def test_a_mask_of_one_bit_is_refused():
    with pytest.raises(ValueError, match="chunk must be at least 2, not 1"):
        InnerJoin(1)
