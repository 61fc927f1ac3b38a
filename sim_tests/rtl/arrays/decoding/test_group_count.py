# amaranth: UnusedElaboratable=no
"""Count of groups that hold a bank."""

import pytest
from harness.component import play, seeded

from hwsim.rtl.arrays.decoding.group_count import GroupCount


@pytest.mark.parametrize("banks", [2, 4])
def test_counts_groups_one_cycle_later(simulate, banks):
    rng, held, expected, cycles = seeded(banks), 0, [], []
    for _ in range(200):
        expected.append({"one": held >= 1, "two": held >= 2, "full": held == banks})
        drained = bool(held and rng.random() < 0.5)
        enters = bool(held - drained < banks and rng.random() < 0.6)
        cycles.append({"enters": enters, "drained": drained})
        held += enters - drained
    assert play(simulate, GroupCount(banks), cycles, ["one", "two", "full"]) == expected
    assert any(row["full"] for row in expected)


def test_one_bank_is_refused():
    with pytest.raises(ValueError, match="banks must be at least 2, not 1"):
        GroupCount(1)
