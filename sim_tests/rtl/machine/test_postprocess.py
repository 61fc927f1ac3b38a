# amaranth: UnusedElaboratable=no
"""Postprocess: every value, every address and every cycle of a write."""

from itertools import product
from types import SimpleNamespace

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.contract.machine import POST_LATENCY, RAW_LATENCY
from hwsim.fixedpoint import requantize, wrap
from hwsim.rtl.machine.postprocess import Postprocess

OUTPUTS = [
    "psum.ready", "scale.en", "scale.addr", "write.valid", "write.addr", "write.data", "done",
    "busy",
]  # fmt: skip


def positions(job):
    """Address and indices of each beat of a job, those of the innermost loop first."""
    address, bounds = job["to"], job["bounds"]
    for position in product(*(range(bound) for bound in reversed(bounds))):
        yield address, position[::-1]
        level = next((i for i, index in enumerate(position[::-1]) if index + 1 < bounds[i]), 0)
        address = (address + job["steps"][level]) % (1 << 16)


def writes_of(dut, job, scales, beats):
    """Beats that each beat of partial sums becomes: (address, lanes)."""
    for (address, indices), beat in zip(positions(job), beats, strict=True):
        index = 0 if job["one_scale"] else indices[dut.scale_level]
        totals = [
            int(wrap(np.int64(psum + scale["bias"]), dut.psum_width))
            for psum, scale in zip(beat, scales[index], strict=True)
        ]
        if not job["raw"]:
            lanes = zip(totals, scales[index], strict=True)
            yield [(address, [act_of(dut, *lane, job) for lane in lanes])]
            continue
        mask = (1 << dut.psum_width) - 1
        bits = sum((total & mask) << (n * dut.psum_width) for n, total in enumerate(totals))
        acts = [
            int(wrap(np.int64((bits >> (n * dut.act_width)) % (1 << dut.act_width)), dut.act_width))
            for n in range(dut.raw_beats * dut.lanes)
        ]
        yield [
            ((address + n) % (1 << 16), acts[n * dut.lanes : (n + 1) * dut.lanes])
            for n in range(dut.raw_beats)
        ]


def reads_of(dut, job):
    """Words of scales, each once per iteration of the loop that walks them."""
    level = dut.scale_level
    if job["one_scale"]:
        return [0]
    return [i[level] for _, i in positions(job) if not any(i[:level])]


def act_of(dut, total, scale, job):
    total, relu = np.int64(total), bool(job["relu"])
    return int(requantize(total, scale["multiplier"], scale["shift"], dut.act_width, relu))


def run(simulate, dut, jobs, rng, probability):
    """Play jobs one after the other: (job, scales, beats); hold every cycle to what must be."""
    word = Random(rng, dut)
    expected, starts, dones = {}, [], []

    def stimuli(rows):
        memory, reads = [], []

        def cycle(**inputs):
            # the memory answers in the next cycle; in all others its output is anything
            read = bool(rows) and rows[-1]["scale.en"]
            reads.extend([int(rows[-1]["scale.addr"])] if read else [])
            answer = memory[rows[-1]["scale.addr"]] if read else word.scale()
            return {"scale.data": answer, "start": 0, "psum.valid": 0, **inputs}

        for job, scales, beats in jobs:
            memory[:], reads[:] = scales, []
            # the first job after a few idle cycles, each other one with the end of that before
            while starts and len(rows) < dones[-1]:
                yield cycle()
            starts.append(len(rows))
            yield cycle(start=1, job=job)
            for outputs, beat in zip(writes_of(dut, job, scales, beats), beats, strict=True):
                while rng.random() >= probability:
                    yield cycle(job=word.job())
                yield cycle(**{"psum.valid": 1, "psum.payload": beat})
                while not rows[-1]["psum.ready"]:
                    yield cycle(**{"psum.valid": 1})
                latency = RAW_LATENCY if job["raw"] else POST_LATENCY
                for number, output in enumerate(outputs):
                    expected[len(rows) - 1 + latency + number] = output
            dones.append(max(expected))
            yield cycle()
            assert reads == reads_of(dut, job)
        while len(rows) < dones[-1] + 3:
            yield cycle()

    rows = play(simulate, dut, stimuli, OUTPUTS)
    written = {
        n: (int(row["write.addr"]), [int(act) for act in row["write.data"]])
        for n, row in enumerate(rows)
        if row["write.valid"]
    }
    assert written == expected
    assert [n for n, row in enumerate(rows) if row["done"]] == dones
    busy = {n for begin, end in zip(starts, dones, strict=True) for n in range(begin + 1, end + 1)}
    assert {n for n, row in enumerate(rows) if row["busy"]} == busy
    return SimpleNamespace(rows=rows, starts=starts, dones=dones)


class Random:
    """Words drawn so that every corner is frequent."""

    def __init__(self, rng, dut):
        self.rng, self.dut = rng, dut

    def psum(self):
        half = 1 << (self.dut.psum_width - 1)
        corners = (-half, half - 1, 0, -1, 1)
        if self.rng.random() < 0.3:
            return int(self.rng.choice(corners))
        return int(self.rng.integers(-half, half)) >> int(self.rng.integers(self.dut.psum_width))

    def beat(self):
        return [self.psum() for _ in range(self.dut.lanes)]

    def scale(self):
        multiplier = int(self.rng.choice([0, 1, 65535, int(self.rng.integers(65536))]))
        most = 64 if self.rng.random() < 0.2 else self.dut.psum_width
        return [
            {"bias": self.psum(), "multiplier": multiplier, "shift": int(self.rng.integers(most))}
            for _ in range(self.dut.lanes)
        ]

    def job(self, **fields):
        return {
            "to": int(self.rng.integers(1 << 16)),
            "bounds": self.rng.integers(1, 4, 3).tolist(),
            "steps": self.rng.integers(1 << 16, size=3).tolist(),
            "relu": int(self.rng.integers(2)),
            "raw": 0,
            "one_scale": 0,
        } | fields

    def whole_job(self, **fields):
        job = self.job(**fields)
        beats = [self.beat() for _ in positions(job)]
        return job, [self.scale() for _ in range(job["bounds"][self.dut.scale_level])], beats


@pytest.mark.parametrize("probability", [1.0, 0.4])
@pytest.mark.parametrize(
    ("lanes", "psum_width", "act_width"),
    [(4, 32, 8), (1, 32, 16), (3, 18, 4), (2, 19, 8), (2, 48, 8), (2, 24, 11), (2, 4, 1)],
    ids=str,
)
def test_jobs_one_after_the_other(simulate, lanes, psum_width, act_width, probability):
    rng = seeded(lanes + psum_width + act_width)
    dut = Postprocess(lanes=lanes, psum_width=psum_width, act_width=act_width, scale_depth=4)
    draw = Random(rng, dut)
    jobs = [draw.whole_job(raw=raw) for raw in (0, 0, 1, 1, 0, 1, 0)]
    run(simulate, dut, jobs, rng, probability)


@pytest.mark.parametrize("level", [0, 2])
def test_one_word_of_scales(simulate, level):
    rng = seeded(20 + level)
    dut = Postprocess(lanes=2, psum_width=32, act_width=8, scale_depth=4, scale_level=level)
    draw = Random(rng, dut)
    jobs = [draw.whole_job(raw=raw, one_scale=one) for one in (1, 0, 1) for raw in (0, 1)]
    run(simulate, dut, jobs, rng, 0.8)


@pytest.mark.parametrize("level", [0, 1])
def test_scales_of_an_inner_loop(simulate, level):
    rng = seeded(10 + level)
    dut = Postprocess(lanes=2, psum_width=32, act_width=8, scale_depth=4, scale_level=level)
    draw = Random(rng, dut)
    jobs = [draw.whole_job(raw=raw) for raw in (0, 0, 1, 0, 1, 0, 0)]
    run(simulate, dut, jobs, rng, 0.8)


@pytest.mark.parametrize("level", [0, 2])
@pytest.mark.parametrize("bounds", [[2, 1, 8], [1, 1, 16], [16, 1, 1]], ids=str)
def test_one_beat_per_cycle(simulate, bounds, level):
    rng = seeded(1)
    dut = Postprocess(lanes=2, psum_width=32, act_width=8, scale_depth=16, scale_level=level)
    job = Random(rng, dut).whole_job(bounds=bounds)
    ran = run(simulate, dut, [job], rng, 1.0)
    # start, 16 beats, and the way of the last
    assert ran.dones == [ran.starts[0] + 16 + POST_LATENCY]


def test_a_raw_beat_takes_the_cycles_of_its_writes(simulate):
    rng = seeded(2)
    dut = Postprocess(lanes=2, psum_width=32, act_width=8, scale_depth=8)
    job = Random(rng, dut).whole_job(bounds=[3, 2, 1], raw=1)
    ran = run(simulate, dut, [job], rng, 1.0)
    assert ran.dones == [ran.starts[0] + 5 * 4 + 1 + RAW_LATENCY + 3]
    ready = [int(row["psum.ready"]) for row in ran.rows[ran.starts[0] + 1 :][:24]]
    assert ready == [1, 0, 0, 0] * 5 + [1, 0, 0, 0]


def test_nothing_is_taken_or_written_without_a_job(simulate):
    dut = Postprocess(lanes=2, psum_width=32, act_width=8, scale_depth=8)
    rows = play(simulate, dut, [{"psum.valid": 1}] * 12, OUTPUTS)
    names = ("psum.ready", "scale.en", "write.valid", "done", "busy")
    assert not any(row[name] for row in rows for name in names)


def test_halves_are_rounded_up_and_the_range_is_kept(simulate):
    dut = Postprocess(lanes=1, psum_width=32, act_width=8, scale_depth=1)
    psums = [254, 255, 256, -255, -256, -257, -258, 1, -1, 0, 3, -3]
    rounded = [127, 127, 127, -127, -128, -128, -128, 1, 0, 0, 2, -1]
    scales = [[{"bias": 0, "multiplier": 1, "shift": 1}]]
    fields = {"to": 0, "bounds": [len(psums), 1, 1], "steps": [1, 0, 0], "raw": 0}
    fields |= {"one_scale": 0}
    for relu in (0, 1):
        job = (fields | {"relu": relu}, scales, [[psum] for psum in psums])
        rows = run(simulate, dut, [job], seeded(relu), 1.0).rows
        acts = [int(row["write.data"][0]) for row in rows if row["write.valid"]]
        assert acts == ([max(act, 0) for act in rounded] if relu else rounded)


@pytest.mark.parametrize(
    "name", ["lanes", "psum_width", "act_width", "multiplier_width", "scale_depth"]
)
def test_a_size_of_nothing_is_refused(name):
    sizes = {"lanes": 2, "psum_width": 32, "act_width": 8, "scale_depth": 8} | {name: 0}
    with pytest.raises(ValueError, match=f"{name} must be at least 1, not 0"):
        Postprocess(**sizes)
