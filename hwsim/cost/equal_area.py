"""Two arrays in the same silicon: the memory of the weights is paid first, PEs take the rest."""

from __future__ import annotations

from dataclasses import dataclass

from hwsim.config import ArchConfig
from hwsim.contract.memories import Memory
from hwsim.cost.book import Book
from hwsim.cost.memories import build

__all__ = ["EqualArea", "equal_area"]

#: Bits of a word of the memory that holds a layer's weights.
WORD = 64


@dataclass(frozen=True)
class EqualArea:
    """What an index-decoding array of the same total area as a dense one gains or loses by it.

    Both hold all weights of the layer on the chip, the dense one as they are.
    """

    technology: str
    #: um2 without memories of weights, of the index-decoding and of the dense array.
    array: float
    dense: float
    #: Clock of the index-decoding array / clock of the dense one.
    clock: float

    def gain(self, bits: int, dense_bits: int) -> float:
        """Factor on the speed of equally many multipliers; 0 where the weights leave no room.

        Parameters
        ----------
        bits, dense_bits
            Stored weights of the layer, indices included, and as they are.
        """
        total = self.dense + self._memory(dense_bits)
        return self.clock * max(0.0, total - self._memory(bits)) / self.array

    def _memory(self, bits: int) -> float:
        """um2 of a memory of so many bits."""
        words = Memory("weights", max(1, -(-bits // WORD)), WORD, ports=1)
        return build(words, self.technology).area


def equal_area(book: Book, arch: ArchConfig, dense: ArchConfig) -> EqualArea:
    """Areas and clocks of two designs.

    Raises
    ------
    InputError
        A part of a design cannot be measured.
    """
    array = book.area(arch)
    # what is written between runs and read during them holds weights
    weights = sum(
        memory.count * silicon.area for memory, silicon in array.memories if memory.ports == 1
    )
    return EqualArea(
        book.technology,
        array.total - weights,
        book.area(dense).total,
        book.clock(arch).mhz / book.clock(dense).mhz,
    )
