# amaranth: UnusedElaboratable=no
"""Walk of a PE's masks: its order, its cycles, and the room of the buffer."""

import pytest
from harness.component import play, seeded

from hwsim.rtl.arrays.bitmask.masks import MaskWalk

OUTPUTS = ["room", "available", "fetches", "step.valid", "step.p"]


def walk(chunk=16, mask_depth=12, buffer_depth=2, filters=4):
    return MaskWalk(chunk=chunk, mask_depth=mask_depth, buffer_depth=buffer_depth, filters=filters)


def draw_masks(rng, count, chunk):
    return [int.from_bytes(rng.bytes(chunk // 8), "little") for _ in range(count)]


def load(masks, chunk):
    """Write the masks of the weights, a byte at a time."""
    size = chunk // 8
    return [
        {"write_en": 1, "write_addr": size * index + piece, "write_data": (mask >> 8 * piece) & 255}
        for index, mask in enumerate(masks)
        for piece in range(size)
    ]


def masks_of(acts, buffer_depth):
    """Masks of the buffer that holds the last of these chunks."""
    return [next((a for i, a in reversed(list(enumerate(acts))) if i % buffer_depth == slot), 0)
            for slot in range(buffer_depth)]  # fmt: skip


def expected(weights, acts, rows, chunks, buffer_depth):
    """Steps of the pushed chunks, in the order of the walk."""
    return [
        (
            weights[(index % chunks) * rows + row],
            act,
            row,
            index % buffer_depth,
            row + 1 == rows,
            row + 1 == rows and (index + 1) % chunks == 0,
        )
        for index, act in enumerate(acts)
        for row in range(rows)
    ]


def seen(row):
    p = row["step.p"]
    return p.weight, p.act, p.row, p.slot, p.ends_chunk, p.ends_pixel


@pytest.mark.parametrize("chunk", [8, 16, 128])
def test_two_cycles_to_a_step_and_one_step_per_cycle(simulate, chunk):
    rng = seeded(chunk)
    weights, acts = draw_masks(rng, 6, chunk), draw_masks(rng, 2, chunk)
    writes = load(weights, chunk)
    begin = {"write_en": 0, "run": 1, "rows": 3, "masks": 6, "step.ready": 1}
    cycles = [*writes, begin]
    cycles += [{"push_en": 1}, {"push_en": 1, "acts": acts}] + [{"push_en": 0}] * 7
    rows = play(simulate, walk(chunk), cycles, OUTPUTS)[len(writes) :]
    assert [row["available"] for row in rows] == [0] * 2 + [1] * 6 + [0] * 2
    # the first mask is fetched before there is a chunk, the last one for the next pixel
    assert [row["fetches"] for row in rows] == [1, 0] + [1] * 6 + [0] * 2
    assert [row["step.valid"] for row in rows] == [0, 0, 0] + [1] * 6 + [0]
    assert [row["room"] for row in rows] == [1, 1, 1] + [0] * 7
    assert [seen(row) for row in rows[3:9]] == expected(weights, acts, 3, 2, 2)


def test_a_layer_begins_at_the_first_mask(simulate):
    weights = [3, 5, 7]
    writes = load(weights, 8)
    layer = [{"write_en": 0, "run": 1, "rows": 1, "masks": 3, "acts": [255, 255]}, {"push_en": 1}]
    layer += [{"push_en": 0, "step.ready": 1}] * 3 + [{"run": 0, "step.ready": 0}]
    rows = play(simulate, walk(8), writes + layer + layer, OUTPUTS)
    # one chunk of three is all that either layer gets
    assert [row["step.p"].weight for row in rows if row["step.valid"]] == [3, 3]


def test_a_release_makes_room_in_the_next_cycle(simulate):
    push = {"rows": 1, "masks": 1, "push_en": 1}
    cycles = [push, {"push_en": 0}, {"release": 1}, {"release": 0}]
    rows = play(simulate, walk(buffer_depth=1), cycles, OUTPUTS)
    assert [row["room"] for row in rows] == [1, 0, 0, 1]


@pytest.mark.parametrize("buffer_depth", [1, 2, 3])
@pytest.mark.parametrize(("filters", "chunks"), [(1, 1), (3, 2), (1, 5), (4, 3)])
def test_steps_wait_and_none_is_lost(simulate, buffer_depth, filters, chunks):
    rng = seeded(10 * buffer_depth + filters)
    weights, acts = draw_masks(rng, filters * chunks, 8), draw_masks(rng, 4 * chunks, 8)
    steps = []

    def stimuli(rows):
        """Push while there is room, take steps with pauses, release a chunk after its last."""
        yield from load(weights, 8)
        yield {"write_en": 0, "run": 1, "rows": filters, "masks": filters * chunks}
        pushed = walked = released = 0
        while len(steps) < len(acts) * filters:
            ready, releases = bool(rng.random() < 0.6), released < walked and rng.random() < 0.5
            has_room = pushed - released < buffer_depth
            pushes = pushed < len(acts) and has_room and rng.random() < 0.7
            push = {"push_en": pushes, "acts": masks_of(acts[:pushed], buffer_depth)}
            yield push | {"step.ready": ready, "release": releases}
            row = rows[-1]
            assert row["room"] == has_room
            if row["step.valid"] and ready:
                steps.append(seen(row))
                walked += row["step.p"].ends_chunk
            pushed, released = pushed + pushes, released + releases

    rows = play(simulate, walk(8, 12, buffer_depth), stimuli, OUTPUTS)
    assert steps == expected(weights, acts, filters, chunks, buffer_depth)
    assert sum(row["fetches"] for row in rows) == len(steps) + 1


@pytest.mark.parametrize("key", ["mask_depth", "buffer_depth", "filters"])
def test_nothing_to_hold_is_refused(key):
    with pytest.raises(ValueError, match=f"{key} must be at least 1, not 0"):
        walk(**{key: 0})


@pytest.mark.parametrize("chunk", [0, 4, 12, 24])
def test_chunks_that_pieces_do_not_address_are_refused(chunk):
    with pytest.raises(ValueError, match=f"chunk must be a power of two times 8, not {chunk}"):
        walk(chunk)
