# amaranth: UnusedElaboratable=no
"""Bitmask PE: sums of pairs, its pipeline, and the causes of its cycles."""

from dataclasses import replace

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.contract.causes import cause_names
from hwsim.fixedpoint import wrap
from hwsim.formats.bitmask import encode, mask_words
from hwsim.rtl.arrays.bitmask.layout import PESizes, load_layout
from hwsim.rtl.arrays.bitmask.pe import PE
from hwsim.rtl.arrays.decoding.tiles import pe_events

ROWS, CHUNKS, CHUNK, WINDOW, DEPTH = 4, 2, 8, 4, 2
ARCH = ArchConfig.model_validate(
    {
        "name": "bitmask_test",
        "numbers": {"psum_width": 18},
        "array": {
            "family": "bitmask", "pes": 1, "chunk": CHUNK, "window": WINDOW, "mask_depth": 8,
            "entry_depth": 64, "acc_depth": ROWS, "buffer_depth": DEPTH,
        },
    }
)  # fmt: skip
CODE = {cause: code for code, cause in enumerate(cause_names(BitmaskConfig.CAUSES)["pe"])}
OUTPUTS = ["room", "finished", "finished_two", "psum", "cause", "events"]


def pe():
    return PE(PESizes.of(ARCH), load_layout(ARCH), pe_events(ARCH.array))


def load(weight):
    """Write masks and values of ``(ROWS, CHUNKS * CHUNK)`` in the order of the walk."""
    walked = weight.reshape(len(weight), -1, CHUNK).swapaxes(0, 1).reshape(1, -1)
    memory = encode(walked, CHUNK)
    words = [(0, mask_words(memory.mask, 8).reshape(-1)), (1, memory.values & 255)]
    return [
        {"load_en": 1, "load": {"kind": kind, "addr": addr, "data": int(word)}}
        for kind, memory in words
        for addr, word in enumerate(memory)
    ]


def pushes(act, first=0):
    """Beats of the chunks of one pixel; ``first`` chunks were pushed before."""
    beats = []
    for index, chunk in enumerate(act.reshape(-1, CHUNK), first):
        packed = chunk[chunk != 0].tolist()
        words = max(1, -(-len(packed) // WINDOW))
        packed += [0] * (words * WINDOW - len(packed))
        mask = sum(1 << k for k in np.flatnonzero(chunk).tolist())
        for word in range(words):
            last = word + 1 == words
            values = packed[word * WINDOW : (word + 1) * WINDOW]
            push = {"slot": index % DEPTH, "word": word, "last": last, "act": values}
            beats.append({"push_en": 1, "push": push | {"mask": mask if last else 0}})
    return beats


def test_pipeline_of_one_pair(simulate):
    weight, act = np.zeros((1, CHUNK), np.int64), np.zeros(CHUNK, np.int64)
    weight[0, 5] = 7
    act[[2, 5]] = 3, -4
    writes = load(weight)
    begin = {"load_en": 0, "run": 1, "more": 0, "rows": 1, "chunks": 1}
    cycles = writes + [begin | push for push in pushes(act)] + [{"push_en": 0}] * 9
    fetch = {"read": 1, "read_bank": 0, "read_row": 0}
    cycles += [{"drain": fetch}, {"drain": {}}]
    rows = play(simulate, pe(), cycles, OUTPUTS)[len(writes) :]
    when = {
        name: [cycle for cycle, row in enumerate(rows[:10]) if getattr(row["events"], name)]
        for name, _ in pe_events(ARCH.array)
    }
    # push, masks, and, join, rank, fetch, select, multiply, add: stored at the end of cycle 8
    assert when == {
        "buffer_writes": [0], "buffer_mask_writes": [0], "mask_reads": [1],
        "buffer_mask_reads": [1], "joins": [2], "value_reads": [5], "buffer_reads": [5],
        "macs": [7], "psum_reads": [7], "psum_writes": [8], "mask_writes": [], "value_writes": [],
    }  # fmt: skip
    causes = ["done", "fetch", "fetch", "mac", "done"]
    assert [row["cause"] for row in rows[:5]] == [CODE[cause] for cause in causes]
    assert [row["finished"] for row in rows] == [0] * 9 + [1] * 3
    assert int(rows[-1]["psum"][0]) == -28


def test_one_pair_per_cycle_and_a_cycle_for_masks_without_one(simulate):
    weight = np.array([[1] * 8, [0] * 8, [1, 1, 0, 0, 0, 0, 0, 0]])
    act = np.array([0, 2, 3, 4, 0, 0, 0, 0])
    writes = load(weight)
    begin = {"load_en": 0, "run": 1, "more": 0, "rows": 3, "chunks": 1}
    cycles = writes + [begin | push for push in pushes(act)] + [{"push_en": 0}] * 8
    rows = play(simulate, pe(), cycles, OUTPUTS)[len(writes) :]
    causes = ["fetch", "fetch", "mac", "mac", "mac", "empty", "mac", "done"]
    assert [row["cause"] for row in rows[1:]] == [CODE[cause] for cause in causes]


@pytest.mark.parametrize("density", [0.1, 0.5, 1.0])
def test_sums_of_pixels_while_pixels_before_are_drained(simulate, density):
    rng = seeded(int(10 * density))
    shape, pixels = (ROWS, CHUNKS * CHUNK), 6
    weight = rng.integers(-128, 128, shape) * (rng.random(shape) < density)
    shape = pixels, CHUNKS * CHUNK
    acts = rng.integers(-128, 128, shape) * (rng.random(shape) < density)
    beats = [beat for n in range(pixels) for beat in pushes(acts[n], n * CHUNKS)]
    writes, shown = load(weight), []

    def stimuli(rows):
        """Push with pauses while there is room; drain a pixel, row by row, once it is finished."""
        yield from writes
        yield {"load_en": 0, "run": 1, "more": 1, "rows": ROWS, "chunks": CHUNKS}
        drained, row, inputs = 0, -1, {"drained": 0, "push_en": 0}
        while drained < pixels:
            finished = rows[-1]["finished"] and not inputs["drained"]
            # room is of the cycle before; a chunk may have been completed in it
            has_room = rows[-1]["room"] and not inputs["push_en"]
            goes = bool(beats) and has_room and rng.random() < 0.8
            inputs = dict(beats.pop(0)) if goes else {"push_en": 0}
            inputs |= {"drain": {}, "drained": 0, "more": bool(beats)}
            bank = drained % ARCH.array.acc_banks
            if row >= 0:  # a row is shown: clear it, fetch the next
                shown.append(len(rows))
                ends = row == ROWS - 1
                inputs["drained"] = ends
                drain = {"zero": 1, "bank": bank, "row": row}
                if not ends:
                    drain |= {"read": 1, "read_bank": bank, "read_row": row + 1}
                inputs["drain"] = drain
                drained, row = drained + ends, -1 if ends else row + 1
            elif finished:
                inputs["drain"] = {"read": 1, "read_bank": bank, "read_row": 0}
                row = 0
            yield inputs

    rows = play(simulate, pe(), stimuli, OUTPUTS)
    sums = wrap(acts @ weight.T, ARCH.numbers.psum_width)
    assert [int(rows[cycle]["psum"][0]) for cycle in shown] == sums.reshape(-1).tolist()
    macs = int((weight != 0).sum(axis=0) @ (acts != 0).sum(axis=0))
    events = {name: sum(getattr(row["events"], name) for row in rows) for name in ("macs", "joins")}
    assert events == {"macs": macs, "joins": pixels * CHUNKS * ROWS}
    causes = [row["cause"] for row in rows]
    assert causes.count(CODE["mac"]) == macs


def test_a_pixel_waits_for_its_bank(simulate):
    """Three pixels of one pair each, and two banks of which none is drained."""
    writes = load(np.array([[1] + [0] * 7]))
    begin = {"load_en": 0, "run": 1, "more": 1, "rows": 1, "chunks": 1}
    beats = [b for n in range(3) for b in [*pushes(np.array([5] + [0] * 7), n), {"push_en": 0}]]
    beats = [b | {"push_en": 0} if i % 2 else b for i, b in enumerate(beats)]
    cycles = writes + [begin] + beats + [{"push_en": 0}] * 10
    rows = play(simulate, pe(), cycles, OUTPUTS)[len(writes) :]
    assert [row["cause"] for row in rows[-8:]] == [CODE["drain"]] * 8
    assert rows[-1]["finished_two"]


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("buffer_depth", 0, "buffer_depth must be at least 1, not 0"),
        ("mask_depth", 0, "mask_depth must be at least 1, not 0"),
        ("entry_depth", 0, "entry_depth must be at least 1, not 0"),
        ("window", 3, "window must be a power of two, not 3"),
        ("chunk", 12, "chunk must be a power of two, not 12"),
        ("window", 16, r"window must be at most chunk \(8\), not 16"),
    ],
)
def test_sizes_that_cannot_be_are_refused(key, value, rule):
    with pytest.raises(ValueError, match=rule):
        replace(PESizes.of(ARCH), **{key: value})
