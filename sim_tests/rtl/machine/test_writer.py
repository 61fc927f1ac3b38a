"""Writer: the place of every word, under stalls."""

import pytest
from amaranth.lib import data
from harness.component import play, seeded

from hwsim.rtl.machine.writer import Writer

PLACE = data.StructLayout({"kind": 1, "bank": 3, "addr": 6, "data": data.ArrayLayout(8, 2)})
OUTPUTS = ["word.ready", "write.valid", "write.p"]


def drawn(rng):
    """Writes of a few banks, of which some have no word of kind 1."""
    writes = []
    for bank in range(int(rng.integers(1, 9))):
        sizes = (int(rng.integers(1, 20)), int(rng.integers(0, 20)) * int(rng.integers(0, 2)))
        for kind, size in enumerate(sizes):
            for addr in range(size):
                writes.append((kind, bank, addr, rng.integers(256, size=2).tolist()))
    return writes


@pytest.mark.parametrize("seed", range(6))
def test_jobs_one_after_the_other(simulate, seed):
    rng = seeded(seed)
    dut, jobs, left = Writer(PLACE), [drawn(rng) for _ in range(3)], []
    rates = rng.choice([0.4, 1.0], 2)

    def stimuli(rows):
        for job in jobs:
            yield {"start": 1, "word.valid": 0}
            words = [{"kind": k, "begins": int(a == 0), "data": d} for k, _, a, d in job]
            offered = False
            while words:
                # an offer stands until it is taken
                offered = offered or bool(rng.random() < rates[0])
                ready = bool(rng.random() < rates[1])
                yield {
                    "start": 0, "word.valid": int(offered), "word.payload": words[0],
                    "write.ready": int(ready),
                }  # fmt: skip
                row = rows[-1]
                assert row["write.valid"] == offered
                assert row["word.ready"] == ready
                if offered and ready:
                    write = row["write.p"]
                    left.append((write.kind, write.bank, write.addr, list(write.data)))
                    words.pop(0)
                    offered = False

    play(simulate, dut, stimuli, OUTPUTS)
    assert left == [write for job in jobs for write in job]
