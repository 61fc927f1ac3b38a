# amaranth: UnusedElaboratable=no
"""Memory in pieces: every word comes back two cycles after its address, from every piece."""

import pytest
from harness.component import play, seeded

from hwsim.contract.memories import PIECE_DEPTH
from hwsim.rtl.blocks.deep_memory import DeepMemory


@pytest.mark.parametrize("depth", [1, 2, PIECE_DEPTH, PIECE_DEPTH + 1, 4 * PIECE_DEPTH])
def test_words_of_all_pieces(simulate, depth):
    rng = seeded(depth)
    corners = [depth - 1, 0, *(first - 1 for first in range(PIECE_DEPTH, depth, PIECE_DEPTH))]
    addresses = list(dict.fromkeys([*corners, *rng.integers(depth, size=20).tolist()]))
    words = dict(zip(addresses, rng.integers(256, size=len(addresses)).tolist(), strict=True))
    cycles = [{"write_en": 1, "write_addr": a, "write_data": w} for a, w in words.items()]
    reads = rng.choice(addresses, 60).tolist()
    cycles += [{"write_en": 0, "read_en": 1, "read_addr": address} for address in reads]
    rows = play(simulate, DeepMemory(8, depth), [*cycles, {}, {}], ["word"])[len(words) + 2 :]
    assert [row["word"] for row in rows] == [words[address] for address in reads]


def test_no_words_are_refused():
    with pytest.raises(ValueError, match="depth must be at least 1, not 0"):
        DeepMemory(8, 0)
