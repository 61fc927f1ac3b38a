# amaranth: UnusedElaboratable=no
"""Queue and pointers of a PE: columns of tokens, their cycles, backpressure."""

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.rtl.arrays.csc.columns import ColumnQueue
from hwsim.rtl.arrays.csc.layout import lane_acts

OUTPUTS = ["token.ready", "column.valid", "column.p", "waiting", "pops"]


def queue(fifo_depth=4, col_depth=8):
    acts = lane_acts(2, 8)
    return ColumnQueue(fifo_depth=fifo_depth, col_depth=col_depth, pointer_width=7, acts=acts)


def load(pointers):
    """Write all pointers, with the queue at rest."""
    return [
        {"write_en": 1, "write_addr": k, "write_data": int(pointer), "column.ready": 0}
        for k, pointer in enumerate(pointers)
    ]


def offer(token, ready):
    if token is None:
        return {"write_en": 0, "token.valid": 0, "column.ready": ready}
    return {"write_en": 0, "token.valid": 1, "token.p": token, "column.ready": ready}


def draw_tokens(rng, count, col_depth):
    return [
        {"k": int(rng.integers(col_depth)), "act": rng.integers(-128, 128, 2).tolist()}
        | {"last": int(rng.integers(2)), "null": int(rng.integers(2))}
        for _ in range(count)
    ]


def column(token, pointers):
    k = token["k"]
    start, end = int(pointers[k]), int(pointers[k + 1])
    return (start, end, *token["act"], token["last"], token["null"])


def seen(row):
    p = row["column.p"]
    return (p.start, p.end, *(int(act) for act in p.act), p.last, p.null)


@pytest.mark.parametrize("col_depth", [1, 2, 8])
def test_three_cycles_to_a_column_and_one_column_per_cycle(simulate, col_depth):
    rng = seeded(col_depth)
    pointers, tokens = rng.integers(0, 100, col_depth + 1), draw_tokens(rng, 12, col_depth)
    cycles = load(pointers) + [offer(token, 1) for token in [*tokens, None, None, None]]
    rows = play(simulate, queue(col_depth=col_depth), cycles, OUTPUTS)[len(pointers) :]
    assert [row["column.valid"] for row in rows] == [0, 0, 0] + [1] * 12
    assert [row["pops"] for row in rows] == [0] + [1] * 12 + [0, 0]
    assert [seen(row) for row in rows[3:]] == [column(token, pointers) for token in tokens]


@pytest.mark.parametrize("fifo_depth", [1, 2, 5])
def test_columns_wait_and_none_is_lost(simulate, fifo_depth):
    rng = seeded(fifo_depth)
    pointers, tokens = np.arange(9) * 3, draw_tokens(rng, 60, 8)
    columns, expected = [], []

    def stimuli(rows):
        """Offer tokens with pauses and hold them; what the queue does follows from its level."""
        yield from load(pointers)
        left, held, waiting, fetched, valid = list(tokens), False, 0, False, False
        while len(columns) < len(tokens):
            held = bool(left) and (held or rng.random() < 0.7)
            ready = bool(rng.random() < 0.5)
            takes = held and waiting < fifo_depth
            moves = not valid or ready
            pops = waiting > 0 and (not fetched or moves)
            expected.append((waiting < fifo_depth, valid, waiting > 0 or fetched, pops))
            if valid and ready:
                columns.append(len(rows) - len(pointers))
            yield offer(left[0] if held else None, ready)
            if takes:
                left.pop(0)
                held = False
            waiting += takes - pops
            valid = fetched if moves else valid
            fetched = pops or (fetched and not moves)

    rows = play(simulate, queue(fifo_depth), stimuli, OUTPUTS)[len(pointers) :]
    names = ("token.ready", "column.valid", "waiting", "pops")
    assert [tuple(bool(row[name]) for name in names) for row in rows] == expected
    assert [seen(rows[cycle]) for cycle in columns] == [column(token, pointers) for token in tokens]
    assert not all(ready for ready, *_ in expected), "no token had to wait"


@pytest.mark.parametrize("key", ["fifo_depth", "col_depth"])
def test_nothing_to_hold_is_refused(key):
    with pytest.raises(ValueError, match=f"{key} must be at least 1, not 0"):
        queue(**{key: 0})
