"""First row of a group: bank after bank, then further down."""

import pytest
from harness.component import play, seeded

from hwsim.config.arrays.decoding import Banks
from hwsim.rtl.arrays.decoding.base_row import BaseRow


@pytest.mark.parametrize("banks", [Banks(2, 8), Banks(4, 16)], ids=str)
@pytest.mark.parametrize("stays", [0, 1])
def test_steps_by_its_rows_after_the_last_bank(simulate, banks, stays):
    rng, rows = seeded(banks.count + stays), 3
    cycles, expected, group = [{"run": 1, "stays": stays, "rows": rows}], [0], 0
    while group < banks.count * (banks.depth // rows):
        ends = bool(rng.random() < 0.5)
        cycles.append({"ends_group": ends, "bank": group % banks.count})
        expected.append(group // banks.count * rows * stays)
        group += ends
    cycles += [{"run": 0, "ends_group": 0}, {}]
    expected += [group // banks.count * rows * stays % banks.depth, 0]
    assert [row["base"] for row in play(simulate, BaseRow(banks), cycles, ["base"])] == expected
