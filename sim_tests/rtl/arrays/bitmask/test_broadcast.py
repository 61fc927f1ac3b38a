# amaranth: UnusedElaboratable=no
"""Broadcast of activation beats: where they go, their cycles, backpressure."""

import pytest
from amaranth import signed, unsigned
from amaranth.lib import data
from harness.component import play, seeded

from hwsim.rtl.arrays.bitmask.broadcast import Broadcast

ACT = data.StructLayout({"act": signed(8), "last": unsigned(1)})
OUTPUTS = ["act.ready", "beat.valid", "beat.p", "place", "busy"]


def broadcast(buffer_depth=3, mask_beats=2, value_beats=4, chunks=8):
    return Broadcast(
        buffer_depth=buffer_depth,
        mask_beats=mask_beats,
        value_beats=value_beats,
        chunks=chunks,
        act=ACT,
    )


def begin(groups, chunks):
    return {"start": 1, "groups": groups, "chunks": chunks}


def draw_beats(rng, sizes):
    """Beats of chunks of these sizes, masks included."""
    return [
        {"act": int(rng.integers(-128, 128)), "last": int(word + 1 == size)}
        for size in sizes
        for word in range(size)
    ]


def expected(beats, buffer_depth, mask_beats=2):
    """Slot, part and content of each beat: the mask's first, then the values'."""
    seen, slot, index = [], 0, 0
    for beat in beats:
        is_mask = index < mask_beats
        word = index if is_mask else index - mask_beats
        seen.append((slot, is_mask, word, beat["act"], beat["last"]))
        slot, index = ((slot + 1) % buffer_depth, 0) if beat["last"] else (slot, index + 1)
    return seen


def seen(row):
    place, beat = row["place"], row["beat.p"]
    return place.slot, place.is_mask, place.word, beat.act, beat.last


def test_one_cycle_to_a_broadcast_and_one_beat_per_cycle(simulate):
    beats = draw_beats(seeded(0), [2, 4, 3, 2])
    cycles = [begin(2, 2)]
    cycles += [{"start": 0, "act.valid": 1, "act.p": b, "beat.ready": 1} for b in beats]
    cycles += [{}, {}]  # one more beat is offered, and not taken
    rows = play(simulate, broadcast(), cycles, OUTPUTS)
    count = len(beats)
    assert [row["act.ready"] for row in rows] == [0] + [1] * count + [0, 0]
    assert [row["beat.valid"] for row in rows] == [0, 0] + [1] * count + [0]
    assert [row["busy"] for row in rows] == [0] + [1] * (count + 1) + [0]
    assert [seen(row) for row in rows[2 : count + 2]] == expected(beats, 3)


@pytest.mark.parametrize("buffer_depth", [1, 2, 3, 4])
def test_beats_wait_and_none_is_lost(simulate, buffer_depth):
    rng = seeded(buffer_depth)
    groups, chunks = 5, 3
    mask_beats = 1 + buffer_depth % 2
    beats = draw_beats(rng, mask_beats + rng.integers(0, 5, groups * chunks))
    sent = []

    def stimuli(rows):
        """Offer beats with pauses, and take them with pauses."""
        yield begin(groups, chunks)
        left, held = list(beats), False
        while len(sent) < len(beats):
            held = bool(left) and (held or rng.random() < 0.7)
            ready = bool(rng.random() < 0.5)
            offer = {"act.valid": 1, "act.p": left[0]} if held else {"act.valid": 0}
            yield offer | {"start": 0, "beat.ready": ready}
            row = rows[-1]
            assert row["act.ready"] == (bool(left) and (not row["beat.valid"] or ready))
            if row["beat.valid"] and ready:
                sent.append(seen(row))
            if held and row["act.ready"]:
                left.pop(0)
                held = False
        yield {"act.valid": 1}
        assert not rows[-1]["busy"]
        assert not rows[-1]["act.ready"]

    play(simulate, broadcast(buffer_depth, mask_beats), stimuli, OUTPUTS)
    assert sent == expected(beats, buffer_depth, mask_beats)


@pytest.mark.parametrize("key", ["buffer_depth", "mask_beats", "value_beats", "chunks"])
def test_nothing_to_broadcast_is_refused(key):
    with pytest.raises(ValueError, match=f"{key} must be at least 1, not 0"):
        broadcast(**{key: 0})
