# amaranth: UnusedElaboratable=no
"""Vector unit: values of every beat, and the cycles that its closed form says."""

from itertools import pairwise

import numpy as np
import pytest
from harness.component import play, seeded

from hwsim.accelerator.vector import vector_cycles
from hwsim.contract.descriptors import OPS
from hwsim.fixedpoint import wrap
from hwsim.rtl.machine.vector import Vector

OUTPUTS = ["word.ready", "psum.valid", "psum.payload"]


def results(dut, job, words):
    """Beats of partial sums that a job gives."""
    words = np.array(words, dtype=np.int64).reshape(-1, job["window"], dut.word_lanes)
    if job["op"] == OPS["sum"]:
        first, others = job["multipliers"]
        factors = np.array([first] + [others] * (job["window"] - 1))
        lanes = wrap((words * factors[:, None]).sum(axis=1), dut.psum_width)
    else:
        lanes = words.max(axis=1)
    return lanes.reshape(-1, dut.lanes).tolist()


def random_job(rng, dut, op, window, windows):
    """A job with corners among its words and multipliers."""
    half = 1 << (dut.act_width - 1)
    words = rng.integers(-half, half, (window * windows, dut.word_lanes))
    corners = rng.random(words.shape) < 0.2
    words[corners] = rng.choice([-half, half - 1], int(corners.sum()))
    multipliers = rng.choice([0, 1, 65535, int(rng.integers(65536))], 2).tolist()
    return {"op": OPS[op], "window": window, "multipliers": multipliers}, words.tolist()


def run(simulate, dut, jobs, rng, offers=1.0, takes=1.0):
    """Play jobs one after the other; give the rows of each, from its first offer to its end."""
    spans = []

    def stimuli(rows):
        def ready():
            return {"psum.ready": int(rng.random() < takes)}

        def other():
            return {"job": random_job(rng, dut, "max", 3, 1)[0], "start": 0}

        for job, words in jobs:
            yield {"word.valid": 0, "start": 1, "job": job}
            begin, expected = len(rows), results(dut, job, words)
            for word in words:
                while rng.random() >= offers:
                    yield {"word.valid": 0, **other(), **ready()}
                yield {"word.valid": 1, "word.payload": word, **other(), **ready()}
                while not rows[-1]["word.ready"]:
                    yield ready()
            while taken(rows[begin:]) < len(expected):
                yield {"word.valid": 0, **ready()}
            spans.append((begin, len(rows), expected))
        for _ in range(4):
            yield {"psum.ready": 1}

    watched = [*OUTPUTS, "psum.ready"]
    rows = play(simulate, dut, stimuli, watched)
    for begin, end, expected in spans:
        beats = [
            [int(psum) for psum in row["psum.payload"]]
            for row in rows[begin:end]
            if row["psum.valid"] and row["psum.ready"]
        ]
        assert beats == expected
    for before, after in pairwise(rows):
        # an offer stays as it is until it is taken
        if before["psum.valid"] and not before["psum.ready"]:
            assert after["psum.valid"]
            assert after["psum.payload"] == before["psum.payload"]
    assert not any(row["psum.valid"] for row in rows[spans[-1][1] :])
    return [rows[begin:end] for begin, end, _ in spans]


def taken(rows):
    return sum(1 for row in rows if row["psum.valid"] and row["psum.ready"])


@pytest.mark.parametrize(("word_lanes", "lanes"), [(4, 4), (4, 2), (8, 2), (6, 1)], ids=str)
@pytest.mark.parametrize("op", OPS)
def test_cycles_are_those_of_the_closed_form(simulate, op, word_lanes, lanes):
    rng = seeded(word_lanes + lanes)
    dut = Vector(word_lanes=word_lanes, lanes=lanes, act_width=8, psum_width=32)
    shapes = [(1, 1), (1, 5), (2, 4), (3, 3), (4, 3), (9, 2)]
    jobs = [random_job(rng, dut, op, *shape) for shape in shapes]
    for (window, windows), rows in zip(shapes, run(simulate, dut, jobs, rng), strict=True):
        assert len(rows) == vector_cycles(window, windows, word_lanes // lanes)


@pytest.mark.parametrize("pauses", [(0.5, 1.0), (1.0, 0.5), (0.6, 0.4)], ids=str)
@pytest.mark.parametrize(("act_width", "psum_width"), [(8, 32), (16, 20), (1, 4)], ids=str)
def test_values_with_pauses_of_both_sides(simulate, act_width, psum_width, pauses):
    rng = seeded(act_width)
    dut = Vector(word_lanes=4, lanes=2, act_width=act_width, psum_width=psum_width)
    jobs = [
        random_job(rng, dut, op, int(rng.integers(1, 6)), int(rng.integers(1, 6)))
        for op in [*OPS, *OPS, *OPS]
    ]
    run(simulate, dut, jobs, rng, *pauses)


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"lanes": 0}, "lanes must be at least 1, not 0"),
        ({"act_width": 0}, "act_width must be at least 1, not 0"),
        ({"word_lanes": 6, "lanes": 4}, "word_lanes must be a multiple of 4, not 6"),
        ({"word_lanes": 0}, "word_lanes must be a multiple of 2, not 0"),
        ({"psum_width": 7}, "psum_width must be at least 8, not 7"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(sizes, message):
    with pytest.raises(ValueError, match=message):
        Vector(**{"word_lanes": 4, "lanes": 2, "act_width": 8, "psum_width": 32} | sizes)
