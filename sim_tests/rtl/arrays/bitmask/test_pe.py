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

ROWS, CHUNKS, CHUNK, DEPTH = 4, 2, 8, 2
ARCH = ArchConfig.model_validate(
    {
        "name": "bitmask_test",
        "numbers": {"psum_width": 18},
        "array": {
            "family": "bitmask", "pes": 1, "chunk": CHUNK, "window": 4, "mask_depth": 8,
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


class Chunks:
    """Buffer of a cluster, as the PE sees it: a chunk is there one cycle after its push."""

    def __init__(self):
        self.masks, self.acts = [0] * DEPTH, [[0] * CHUNK] * DEPTH
        self.pushed = 0

    def push(self, chunk):
        """Complete the next chunk."""
        before = self.hold()
        slot, self.pushed = self.pushed % DEPTH, self.pushed + 1
        self.masks[slot] = sum(1 << k for k in np.flatnonzero(chunk).tolist())
        self.acts[slot] = chunk.tolist()
        return before | {"push_en": 1}

    def hold(self):
        """Complete none."""
        return {"push_en": 0, "act_masks": list(self.masks), "acts": list(self.acts)}


def pushes(act, idle=0):
    """Inputs of the cycles that push the chunks of ``act``, and of ``idle`` cycles after each."""
    chunks = Chunks()
    for chunk in act.reshape(-1, CHUNK):
        yield chunks.push(chunk)
        yield from [chunks.hold()] * idle


def test_pipeline_of_one_pair(simulate):
    weight, act = np.zeros((1, CHUNK), np.int64), np.zeros(CHUNK, np.int64)
    weight[0, 5] = 7
    act[[2, 5]] = 3, -4
    writes = load(weight)
    begin = {"load_en": 0, "run": 1, "more": 0, "rows": 1, "masks": 1}
    cycles = [*writes, begin, *pushes(act, idle=8)]
    fetch = {"read": 1, "read_bank": 0, "read_row": 0}
    cycles += [{"drain": fetch}, {"drain": {}}]
    first, *rows = play(simulate, pe(), cycles, OUTPUTS)[len(writes) :]
    assert first["events"].mask_reads
    when = {
        name: [cycle for cycle, row in enumerate(rows[:9]) if getattr(row["events"], name)]
        for name, _ in pe_events(ARCH.array)
    }
    # push, offer, pick, join, fetch, capture, multiply, add: stored at the end of cycle 7
    assert when == {
        "mask_reads": [1], "joins": [2], "value_reads": [4], "macs": [5], "psum_reads": [5],
        "psum_writes": [7], "mask_writes": [], "value_writes": [],
    }  # fmt: skip
    causes = ["done", "fetch", "fetch", "mac", "done"]
    assert [row["cause"] for row in rows[:5]] == [CODE[cause] for cause in causes]
    assert [row["finished"] for row in rows] == [0] * 8 + [1] * 3
    assert int(rows[-1]["psum"][0]) == -28


def test_one_pair_per_cycle_and_a_cycle_for_masks_without_one(simulate):
    weight = np.array([[1] * 8, [0] * 8, [1, 1, 0, 0, 0, 0, 0, 0]])
    act = np.array([0, 2, 3, 4, 0, 0, 0, 0])
    writes = load(weight)
    begin = {"load_en": 0, "run": 1, "more": 0, "rows": 3, "masks": 3}
    rows = play(simulate, pe(), [*writes, begin, *pushes(act, idle=8)], OUTPUTS)[len(writes) + 1 :]
    causes = ["fetch", "fetch", "mac", "mac", "mac", "empty", "mac", "done"]
    assert [row["cause"] for row in rows[1:]] == [CODE[cause] for cause in causes]


@pytest.mark.parametrize("density", [0.1, 0.5, 1.0])
def test_sums_of_pixels_while_pixels_before_are_drained(simulate, density):
    rng = seeded(int(10 * density))
    shape, pixels = (ROWS, CHUNKS * CHUNK), 6
    weight = rng.integers(-128, 128, shape) * (rng.random(shape) < density)
    shape = pixels, CHUNKS * CHUNK
    acts = rng.integers(-128, 128, shape) * (rng.random(shape) < density)
    left, chunks = list(acts.reshape(-1, CHUNK)), Chunks()
    writes, shown = load(weight), []

    def stimuli(rows):
        """Push with pauses while there is room; drain a pixel, row by row, once it is finished."""
        yield from writes
        yield {"load_en": 0, "run": 1, "more": 1, "rows": ROWS, "masks": ROWS * CHUNKS}
        drained, row, inputs = 0, -1, {"drained": 0, "push_en": 0}
        while drained < pixels:
            finished = rows[-1]["finished"] and not inputs["drained"]
            # room is of the cycle before; a chunk may have been completed in it
            has_room = rows[-1]["room"] and not inputs["push_en"]
            goes = bool(left) and has_room and rng.random() < 0.8
            inputs = chunks.push(left.pop(0)) if goes else chunks.hold()
            inputs |= {"drain": {}, "drained": 0, "more": bool(left)}
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
    begin = {"load_en": 0, "run": 1, "more": 1, "rows": 1, "masks": 1}
    acts = np.array([5] + [0] * 7)
    cycles = [*writes, begin, *pushes(np.tile(acts, 3), idle=1)]
    rows = play(simulate, pe(), cycles + [{"push_en": 0}] * 10, OUTPUTS)[len(writes) :]
    assert [row["cause"] for row in rows[-8:]] == [CODE["drain"]] * 8
    assert rows[-1]["finished_two"]


@pytest.mark.parametrize(
    ("key", "value", "rule"),
    [
        ("buffer_depth", 0, "buffer_depth must be at least 1, not 0"),
        ("mask_depth", 0, "mask_depth must be at least 1, not 0"),
        ("entry_depth", 0, "entry_depth must be at least 1, not 0"),
        ("chunk", 12, "chunk must be a power of two, not 12"),
    ],
)
def test_sizes_that_cannot_be_are_refused(key, value, rule):
    with pytest.raises(ValueError, match=rule):
        replace(PESizes.of(ARCH), **{key: value})
