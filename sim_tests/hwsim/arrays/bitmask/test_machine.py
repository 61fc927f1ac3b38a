"""What a machine needs of the array: words of one command, what fits, counts of its own beats."""

import sys

import numpy as np
import pytest
from harness.component import seeded

from hwsim.arrays.bitmask import array as bitmask
from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.workload.gemm import GEMM

BASE = {
    "family": "bitmask", "pes": 8, "chunk": 16, "window": 4, "load_pes": 2, "drain_pes": 4,
    "mask_depth": 32, "entry_depth": 64, "acc_depth": 4,
}  # fmt: skip


def design(**changes):
    return ArchConfig.model_validate({"name": "test", "array": BASE | changes})


def drawn(rng, shape, density):
    return rng.integers(-127, 128, shape) * (rng.random(shape) < density)


@pytest.mark.parametrize("seed", range(6))
def test_words_are_those_of_the_bare_array(seed):
    rng, arch = seeded(seed), design()
    filters, chunks, pixels = (int(rng.integers(1, top)) for top in (5, 6, 8))
    weight = drawn(rng, (4 * filters, 16 * chunks), 0.3)
    act = drawn(rng, (pixels, 16 * chunks), rng.random())
    gemm = GEMM.of(weight, act.T)
    job = bitmask.compile(arch, gemm)
    words = bitmask.weight_words(arch, weight, "layer")
    writes = job.inputs["weight"]
    assert all((words[name] == writes[name]).all() for name in ("kind", "data"))
    assert (words["begins"] == (writes["addr"] == 0)).all()
    assert bitmask.held_words(arch, weight, "layer") == len(words["begins"])
    # the feeder gives a pixel's chunks one after the other
    counts = bitmask.count_fed(arch, weight, pixels, act.reshape(-1, 16))
    assert counts == bitmask.simulate(arch, job, {}).counts


@pytest.mark.parametrize(
    ("filters", "chunks", "density"),
    [(33, 1, 0.1), (16, 17, 0.1), (16, 4, 1.0)],
    ids=["accumulators", "masks", "values"],
)
def test_what_the_memories_do_not_hold(filters, chunks, density):
    weight = drawn(seeded(1), (filters, 16 * chunks), density)
    assert bitmask.held_words(design(), weight, "layer") == sys.maxsize


@pytest.mark.parametrize(
    ("shape", "rule"),
    [((1, 16 * 33), "K = 528: must be at most mask_depth"), ((1, 80), "must fit entry_depth")],
)
def test_what_can_not_be_cut_is_refused(shape, rule):
    weight = np.ones(shape, np.int64)
    with pytest.raises(InputError, match=rule):
        bitmask.held_words(design(), weight, "layer")


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"clusters": 2}, "clusters of a machine's array must be 1"),
        ({"balance": "greedy"}, "balance of a machine's array must be none"),
        ({"chunk": 8}, "chunk of a machine's array must be at least 16"),
        ({"pes": 12}, "pes / drain_pes of a machine's array must be a power of two"),
        ({"pes": 6, "drain_pes": 3}, "drain_pes of a machine's array must be a power of two"),
    ],
    ids=str,
)
def test_arrays_that_have_no_machine(changes, rule):
    raw = {"name": "test", "array": BASE | changes, "memory": {}}
    with pytest.raises(ValueError, match=rule):
        ArchConfig.model_validate(raw)
