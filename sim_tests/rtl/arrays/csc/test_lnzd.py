# amaranth: UnusedElaboratable=no
"""Leading non-zero detector: tokens, their cycles, the null token."""

import numpy as np
import pytest
from harness.component import seeded

from hwsim.rtl.arrays.csc.layout import lane_acts
from hwsim.rtl.arrays.csc.lnzd import LNZD


def run(simulate, words, groups, positions, ready):
    """Give words of ``(window, lanes)`` positions; list tokens with the cycle of their transfer."""
    dut = LNZD(window=3, col_depth=16, acts=lane_acts(2, 8))
    tokens = []

    async def feed(ctx):
        ctx.set(dut.words, words)
        ctx.set(dut.groups, groups)
        ctx.set(dut.start, 1)
        await ctx.tick()
        ctx.set(dut.start, 0)
        for word in positions:
            ctx.set(dut.act.payload, {"act": word})
            ctx.set(dut.act.valid, 1)
            await ctx.tick().until(dut.act.ready)
        ctx.set(dut.act.valid, 0)
        while ctx.get(dut.busy):
            await ctx.tick()

    async def drain(ctx):
        cycle = 0
        sampled = (dut.token.valid, dut.token.ready, dut.token.payload)
        ctx.set(dut.token.ready, ready(0))
        async for _, _, valid, taken, token in ctx.tick().sample(*sampled):
            if valid and taken:
                acts = [int(act) for act in token.act]
                tokens.append((cycle, int(token.k), acts, int(token.last), int(token.null)))
            cycle += 1
            ctx.set(dut.token.ready, ready(cycle))

    simulate(dut, feed, background=[drain])
    return tokens


ZERO, A, B, C = [0, 0], [1, -2], [0, 3], [-4, 0]


def test_one_token_per_cycle_for_each_position_with_a_non_zero(simulate):
    tokens = run(simulate, 2, 1, [[A, ZERO, B], [ZERO, C, ZERO]], lambda cycle: 1)
    # start, then a word, then its tokens; the second word follows with no bubble
    assert tokens == [(2, 0, A, 0, 0), (3, 2, B, 0, 0), (4, 4, C, 1, 0)]


def test_a_word_without_a_non_zero_takes_a_cycle(simulate):
    tokens = run(simulate, 3, 1, [[A, ZERO, ZERO], [ZERO] * 3, [B, ZERO, ZERO]], lambda cycle: 1)
    assert tokens == [(2, 0, A, 0, 0), (4, 6, B, 1, 0)]


def test_a_last_word_without_a_non_zero_sends_a_null_token(simulate):
    tokens = run(simulate, 2, 2, [[A, ZERO, ZERO], [ZERO] * 3] * 2, lambda cycle: 1)
    assert [token[0] for token in tokens] == [2, 3, 4, 5]
    assert [token[3:] for token in tokens] == [(0, 0), (1, 1), (0, 0), (1, 1)]
    assert [token[1] for token in tokens if not token[4]] == [0, 0]


@pytest.mark.parametrize("period", [2, 3])
def test_tokens_wait_until_taken(simulate, period):
    words = [[A, B, C], [ZERO, C, A]]
    tokens = run(simulate, 2, 1, words, lambda cycle: cycle % period == 0)
    assert [token[1:] for token in tokens] == [
        (0, A, 0, 0), (1, B, 0, 0), (2, C, 0, 0), (4, C, 0, 0), (5, A, 1, 0)
    ]  # fmt: skip
    assert all(token[0] % period == 0 for token in tokens)


@pytest.mark.parametrize("density", [0.0, 0.2, 0.7])
def test_random_words_give_their_non_zeros_in_order(simulate, density):
    rng, words, groups = seeded(int(10 * density)), 3, 6
    acts = rng.integers(1, 100, (groups, words, 3, 2)) * (
        rng.random((groups, words, 3, 2)) < density
    )
    pauses = (rng.random(4000) < 0.6).astype(int).tolist()
    tokens = run(
        simulate, words, groups, acts.reshape(-1, 3, 2).tolist(), lambda cycle: pauses[cycle]
    )
    expected = []
    for group in acts.reshape(groups, words * 3, 2):
        group_tokens = [
            (int(k), group[k].tolist(), 0, 0) for k in np.flatnonzero(group.any(axis=1))
        ]
        in_last_word = bool(group_tokens) and group_tokens[-1][0] >= (words - 1) * 3
        if in_last_word:
            group_tokens[-1] = (*group_tokens[-1][:2], 1, 0)
        expected += group_tokens if in_last_word else [*group_tokens, (None, None, 1, 1)]
    # a null token carries nothing but ``last``
    seen = [
        (None, None, last, 1) if null else (k, act, last, 0) for _, k, act, last, null in tokens
    ]
    assert seen == expected


@pytest.mark.parametrize("key", ["window", "col_depth"])
def test_no_positions_are_refused(key):
    sizes = {"window": 3, "col_depth": 16} | {key: 0}
    with pytest.raises(ValueError, match=f"{key} must be at least 1, not 0"):
        LNZD(**sizes, acts=lane_acts(2, 8))
