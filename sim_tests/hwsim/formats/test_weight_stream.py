"""Compressed weight stream: slots by hand, there and back, sizes."""

import numpy as np
import pytest

from hwsim.formats.base import Bits
from hwsim.formats.weight_stream import Packing, bits, decode, encode


def test_slots_by_hand():
    rows = np.array([[0, 7, 0, 9], [0, 0, 0, 0], [1, 2, 3, 4]])
    # masks 0b1010, 0, 0b1111, the lowest lane in the lowest bit
    assert encode(rows, Packing(4, 4, 2)).tolist() == [[10, 7], [9, 0], [15, 1], [2, 3], [4, 0]]
    # codes of 3 bits: a mask of 4 takes two slots
    assert encode(rows[:2], Packing(4, 3, 4)).tolist() == [[2, 1, 7, 9], [0, 0, 0, 0]]


@pytest.mark.parametrize("seed", range(20))
def test_there_and_back(seed):
    print(f"seed {seed}")
    rng = np.random.default_rng(seed)
    packing = Packing(*(int(n) for n in rng.integers(1, 12, 2)), 1 << int(rng.integers(0, 5)))
    shape = (int(rng.integers(0, 30)), packing.lanes)
    rows = np.where(rng.random(shape) < 0.4, rng.integers(0, 1 << packing.width, shape), 0)
    words = encode(rows, packing)
    assert words.shape == (packing.words(len(rows), np.count_nonzero(rows)), packing.port)
    assert (decode(words, len(rows), packing) == rows).all()


def test_bits_by_kind():
    # 5 filters on 4 lanes, 3 columns: 6 rows with a mask each, 2 words of 8 slots for 6 + 7
    assert bits(Packing(4, 4, 8), (5, 3), 7) == Bits(28, 15, 0, 2 * 8 * 4 - 28 - 15)
    # filters that fill the lanes, and a stream that fills its words: nothing is padding
    assert bits(Packing(8, 8, 8), (16, 4), 8 * 7) == Bits(8 * 56, 64)
