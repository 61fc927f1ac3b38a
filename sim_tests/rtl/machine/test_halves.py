# amaranth: UnusedElaboratable=no
"""Halves: one is filled while the other is read."""

from harness.component import play, seeded

from hwsim.rtl.machine.counters import Counters
from hwsim.rtl.machine.halves import Halves


def test_filling_one_half_leaves_the_other(simulate):
    rng, words = seeded(1), {}
    expected = []

    def cycles(_):
        for half in (0, 1, 0, 1):
            for at in range(8):
                value, other = int(rng.integers(1 << 12)), int(rng.integers(8))
                yield {
                    "fill.valid": 1, "fill.half": half, "fill.addr": at, "fill.data": value,
                    "read.en": 1, "read.half": 1 - half, "read.addr": other,
                }  # fmt: skip
                expected.append(words.get((1 - half, other), 0))
                words[half, at] = value
        yield {"fill.valid": 0, "read.en": 0}
        # the word stays until the next read
        yield {"read.half": 0}

    rows = play(simulate, Halves(width=12, depth=8), cycles, ["read.data"])
    assert [row["read.data"] for row in rows[1:-1]] == expected
    assert rows[-1] == rows[-2]


def test_counters_count_their_own_strobe(simulate):
    rng = seeded(2)
    strobes = rng.random((200, 10)) < 0.5
    names = [name for name, _ in Counters().signature.members["strobes"].shape]
    ports = [f"strobes.{name}" for name in names]
    cycles = [dict(zip(ports, row, strict=True)) for row in strobes.astype(int).tolist()]
    cleared = dict.fromkeys(ports, 0)
    cycles += [cleared, cleared | {"clear": 1}, cleared | {"clear": 0}]
    rows = play(simulate, Counters(), cycles, ["values"])
    assert list(rows[-3]["values"]) == strobes.sum(axis=0).tolist()
    assert not any(rows[-1]["values"])
