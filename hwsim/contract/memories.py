"""Memories of an array: their shape, their ports, and the events that count their accesses."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["LARGE_BITS", "PIECE_DEPTH", "Memory", "pieces"]

#: A memory of more bits should not end as flip-flops: each bit takes several times the area.
LARGE_BITS = 1024

#: Words of a piece of a deep memory: a macro of twice as many takes a third longer, and nearly
#: twice the energy, for a fourteenth less area.
PIECE_DEPTH = 4096


def pieces(depth: int) -> int:
    """Pieces of a deep memory."""
    return -(-depth // PIECE_DEPTH)


@dataclass(frozen=True)
class Memory:
    """``count`` memories alike, each of ``depth`` words of ``width`` bits."""

    name: str
    depth: int
    width: int
    count: int = 1
    #: 1: no cycle reads and writes, so one port serves both. 2: a read and a write port.
    ports: int = 2
    #: A read of the word that is written in the same cycle gives the new one.
    transparent: bool = False
    #: Read in the cycle of its address: no macro does that.
    combinational: bool = False
    #: Events of the family that count its reads and its writes; all ``count`` memories together.
    #: Where two memories take turns (banks), both name the same events.
    reads: str = ""
    writes: str = ""
    #: Accesses per event: a word of the event may be spread over ``count`` memories.
    each: int = 1

    @property
    def bits(self) -> int:
        """Bits of all of them."""
        return self.count * self.depth * self.width
