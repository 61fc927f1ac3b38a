"""Jobs of a machine: the fast form against the model behind a transposer, sums taken slowly."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from harness.csc_cases import design, product
from hypothesis import given, settings
from hypothesis import strategies as st

from hwsim.arrays.base import Fed
from hwsim.arrays.csc import array as csc
from hwsim.arrays.csc.model import Model
from hwsim.arrays.streams import Sink, Source
from hwsim.workload.gemm import GEMM


class Transposed(Source):
    """A source behind a transposer: two blocks that take turns, filled from cycle 1 on."""

    def __init__(self, job, fills, words):
        super().__init__(job, "act", {})
        self.sizes = {"fill": fills, "empty": words}
        self.full, self.at, self.count = [False, False], {}, {}
        for side in self.sizes:
            self.at[side] = self.count[side] = 0
        self.moved = []

    def valid(self, cycle):
        for side in self.moved:
            self.count[side] += 1
            if self.count[side] == self.sizes[side]:
                self.full[self.at[side]] = side == "fill"
                self.count[side], self.at[side] = 0, 1 - self.at[side]
        self.moved = []
        if cycle >= 1 and not self.full[self.at["fill"]]:
            self.moved.append("fill")
        return super().valid(cycle) and self.full[self.at["empty"]]

    def take(self):
        self.moved.append("empty")
        return super().take()


class Slow(Sink):
    """Partial sums are taken at most every ``gap`` cycles."""

    def __init__(self, job, gap):
        super().__init__(job, {})
        self.gap, self.free, self.now = gap, 0, 0

    def ready(self, cycle):
        self.now = cycle
        return cycle >= self.free

    def take(self, payload):
        super().take(payload)
        self.free = self.now + self.gap


@given(
    st.integers(0, 2**32 - 1),
    st.sampled_from([(1, 1), (2, 2), (4, 1), (3, 2), (8, 1), (1, 4)]),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 9),
    st.booleans(),
    st.sampled_from([1, 2, 4]),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.sampled_from([0.0, 0.1, 0.5, 1.0]),
    st.sampled_from([1, 2, 8]),
)
@settings(deadline=None, max_examples=60)
def test_fast_form_equals_the_model(
    seed, sizes, words, rows, groups, loads, gap, density, act_density, fifo_depth
):
    rng = np.random.default_rng(seed)
    lanes, window = sizes
    arch = design(
        pes=4, lanes=lanes, window=window, load_pes=4, fifo_depth=fifo_depth, drain_lanes=1,
        col_depth=256, entry_depth=256, acc_depth=8,
    )  # fmt: skip
    pixels = int(rng.integers(1, lanes + 1))
    beat = lanes * window
    m, k, n = 4 * rows, beat * words, pixels * groups
    weight = rng.integers(-128, 128, (m, k)) * (rng.random((m, k)) < density)
    act = rng.integers(-128, 128, (k, n)) * (rng.random((k, n)) < act_density)
    fed = act.reshape(words, beat, groups, pixels).transpose(2, 0, 3, 1).reshape(-1, beat)
    counts = csc.count_groups(arch, weight, Fed(fed, pixels, loads, gap))

    # groups of so many pixels, zeros in the lanes beyond
    wide = np.zeros((k, groups, lanes), np.int64)
    wide[..., :pixels] = act.reshape(k, groups, pixels)
    gemm = GEMM.of(weight.astype(np.int8), wide.reshape(k, -1).astype(np.int8))
    job = csc.compile(arch, gemm)
    command = job.inputs["command"]
    assert len(command["rows"]) == 1
    command["beats"], command["tail"] = np.array([pixels]), np.array([pixels])
    kept = job.ofmap_index.reshape(groups, rows, lanes, -1)[:, :, :pixels]
    job = replace(job, ofmap_index=kept.reshape(-1, kept.shape[-1]))
    model = Model(arch, job, {})
    if not loads:
        for index in range(len(job.inputs["weight"]["addr"])):
            model.pes.load({name: v[index] for name, v in job.inputs["weight"].items()})
        model.pes.events = dict.fromkeys(model.pes.events, 0)
        command["weight_beats"][:] = 0
    model.sources["act"] = Transposed(job, pixels, lanes)
    model.sink = Slow(job, gap)
    run = model.run()
    expected = product(arch, gemm).reshape(m, groups, lanes)
    assert (run.ofmap.reshape(m, groups, lanes)[..., :pixels] == expected[..., :pixels]).all()
    assert counts.cycles == run.counts.cycles
    assert counts.causes == run.counts.causes
    events = run.counts.events | {"weight_beats": counts.events["weight_beats"]}
    assert counts.events == events
    assert counts.events["weight_beats"] == int(command["weight_beats"][0])
