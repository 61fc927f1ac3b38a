# amaranth: UnusedElaboratable=no
"""Adapter of the pattern array: library, command and sums, whoever waits for whom."""

import numpy as np
import pytest
from harness.component import play, seeded
from harness.machine import small_machine

from hwsim.arrays.pattern.array import count_job
from hwsim.arrays.pattern.tiles import Tile as Patch
from hwsim.compiler.bits import to_bytes
from hwsim.compiler.pattern import options
from hwsim.config.shape import MachineShape
from hwsim.contract.machine import WEIGHT_OFFER
from hwsim.rtl.machine.adapters.pattern import Adapter
from hwsim.rtl.machine.descriptor import execute_layout

ARCH = small_machine("pattern")
ROWS, COLS, TAPS, PATTERNS = 4, 4, 4, 3
NAMES = {name for name, _ in execute_layout()}


def number(values, width):
    return sum((int(v) & ((1 << width) - 1)) << (width * i) for i, v in enumerate(values))


class Work:
    """A random job: its fields, the streams that it takes, and the sums that it must give."""

    def __init__(self, rng, *, direct):
        self.groups, self.folds = (int(n) for n in rng.integers(1, 4, 2))
        size = self.groups, self.folds, ROWS, COLS
        library = np.array([rng.choice(9, TAPS, replace=False) for _ in range(PATTERNS)])
        if direct:
            library[0] = np.arange(TAPS)
        values = rng.integers(-128, 128, (*size, TAPS))
        ids = np.zeros(size, int) if direct else rng.integers(PATTERNS, size=size)
        word, bottom = MachineShape.of(ARCH).weight_word, slice(None, None, -1)
        fields = [
            (values[:, :, bottom].reshape(-1, COLS * TAPS), 8),
            (ids[:, :, bottom].reshape(-1, COLS), 2),
        ]
        blocks = to_bytes([(library, 4)], word), to_bytes(fields, word)
        self.weights = [int.from_bytes(w.tobytes(), "little") for b in blocks for w in b]
        if direct:
            width, height = (int(n) for n in rng.integers(1, 5, 2))
            patch = Patch(0, width * height)
            windows = rng.integers(-128, 128, (self.folds, width * height, ROWS, TAPS))
            beats, stride = windows, 1
        else:
            width, height = (int(n) for n in rng.integers(3, 5, 2))
            stride = int(rng.integers(1, 3))
            rows, cols = -(-height // stride), -(-width // stride)
            patch = Patch(0, 1, False, 0, 0, rows, cols, 0, 0, height, width, stride=stride)
            pixels = rng.integers(-128, 128, (self.folds, height, width, ROWS))
            padded = np.pad(pixels, ((0, 0), (1, 1), (1, 1), (0, 0)))
            windows = np.array([
                [
                    padded[fold, y : y + 3, x : x + 3].reshape(9, ROWS).T
                    for y in range(0, height, stride) for x in range(0, width, stride)
                ]
                for fold in range(self.folds)
            ])  # fmt: skip
            beats = pixels.reshape(self.folds, -1, ROWS, 1)
        self.beats = [beat for _ in range(self.groups) for fold in beats for beat in fold]
        taps = library[ids]
        self.sums = []
        for group in range(self.groups):
            for pixel in range(windows.shape[1]):
                total = [
                    sum(
                        int(values[group, f, r, c] @ windows[f, pixel, r][taps[group, f, r, c]])
                        for f in range(self.folds) for r in range(ROWS)
                    )
                    for c in range(COLS)
                ]  # fmt: skip
                self.sums.append(number(total, 32))
        self.direct, self.patch = direct, patch
        more = options(direct=int(direct), edges=15, stride=stride - 1)
        self.job = {name: 0 for name in NAMES if name.startswith("feed")} | {
            "command_0": self.folds | self.groups << 16, "command_1": patch.pixels | more,
            "feed0_bound": width, "feed1_bound": height,
        }  # fmt: skip

    def act(self, beat, noise):
        """Beat and word: of a window's pixel any beat of the word, of a product all four."""
        if self.direct:
            return {"act.payload": noise, "word": number(beat.T.reshape(-1), 8)}
        return {"act.payload": number(beat[:, 0], 8), "word": noise}


def run(simulate, works, rng, chance):
    """Sums of each job, and the cycles from its first offer to its last sum."""
    sums, cycles = [[] for _ in works], []

    def stimuli(rows):
        for index, work in enumerate(works):
            yield {
                "start": 1, "job": work.job, "weight.valid": 0, "act.valid": 0, "sums.ready": 0,
            }  # fmt: skip
            yield {"start": 0}
            weights, beats, begin = list(work.weights), list(work.beats), len(rows)
            offered = {"weight": False, "act": False}
            while len(sums[index]) < len(work.sums) and len(rows) < begin + 3000:
                # what has been offered stays
                for name, left in (("weight", weights), ("act", beats)):
                    offered[name] = bool(left) and (offered[name] or rng.random() < chance)
                ready = int(rng.random() < chance)
                inputs = {f"{name}.valid": int(is_there) for name, is_there in offered.items()}
                if weights:
                    inputs["weight.payload"] = weights[0]
                if beats:
                    inputs |= work.act(beats[0], int(rng.integers(1 << 31)))
                yield inputs | {"sums.ready": ready}
                row = rows[-1]
                if offered["weight"] and row["weight.ready"]:
                    weights.pop(0)
                    offered["weight"] = False
                if offered["act"] and row["act.ready"]:
                    assert row["takes"]
                    beats.pop(0)
                    offered["act"] = False
                if row["sums.valid"] and ready:
                    sums[index].append(row["sums.payload"])
            assert not weights
            assert not beats
            cycles.append(len(rows) - begin)

    outputs = ["weight.ready", "act.ready", "takes", "sums.valid", "sums.payload"]
    play(simulate, Adapter(ARCH), stimuli, outputs)
    return sums, cycles


@pytest.mark.parametrize("chance", [1.1, 0.6, 0.2])
@pytest.mark.parametrize("seed", range(3))
def test_random_jobs(simulate, seed, chance):
    rng = seeded(100 * seed + int(10 * chance))
    works = [Work(rng, direct=bool(index % 2)) for index in range(4)]
    sums, cycles = run(simulate, works, rng, chance)
    assert sums == [work.sums for work in works]
    if chance > 1:
        counts = [count_job(ARCH, w.patch.timing(), w.folds, w.groups).cycles for w in works]
        assert cycles == [count - WEIGHT_OFFER for count in counts]
