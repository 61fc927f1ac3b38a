"""Act banks by first fit: pieces never overlap, and come back whole."""

import pytest
from harness.component import seeded

from hwsim.compiler.banks import Banks, NoRoom


@pytest.mark.parametrize("seed", range(10))
def test_pieces_never_overlap_and_come_back(seed):
    rng = seeded(seed)
    banks, taken = Banks(3, 100), []
    for _ in range(300):
        if taken and rng.random() < 0.5:
            banks.give(*taken.pop(int(rng.integers(len(taken)))))
            continue
        words = int(rng.integers(1, 40))
        bank = int(rng.integers(3)) if rng.random() < 0.3 else None
        try:
            found, start = banks.take(words, bank=bank)
        except NoRoom:
            continue
        assert bank in (None, found)
        assert start + words <= 100
        for other, first, size in taken:
            assert other != found or first + size <= start or start + words <= first
        taken.append((found, start, words))
    for piece in taken:
        banks.give(*piece)
    assert [banks.take(100, bank=bank) for bank in range(3)] == [(0, 0), (1, 0), (2, 0)]


def test_banks_to_be_avoided_are_the_last_to_be_taken():
    banks = Banks(2, 10)
    assert banks.take(6, avoid=(0,)) == (1, 0)
    assert banks.take(6, avoid=(0,)) == (0, 0)
    with pytest.raises(NoRoom, match="6 words in one piece of a bank, which has 4 free"):
        banks.take(6)
