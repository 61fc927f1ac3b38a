"""Time of the store engine (``hwsim.rtl.bus.store``): a recurrence over its bursts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.accelerator.bursts import burst_length, numbers
from hwsim.config import BusConfig, MemoryConfig

__all__ = ["StoreBlock", "store_cycles", "store_table"]

#: Long before the first cycle.
_NEVER = -(1 << 40)


class StoreBlock(NamedTuple):
    """Block that is stored; the fields of the engine's ``block``."""

    #: First byte of the first row.
    address: int
    #: Bytes from a row to the next in memory.
    row_step: int
    rows: int
    #: Words of the act bank in each row.
    words: int
    #: First word on chip.
    from_: int
    #: Words from a row to the next on chip.
    from_step: int
    #: Which bank.
    index: int  # type: ignore[assignment]


def store_cycles(
    blocks: Sequence[StoreBlock], memory: MemoryConfig, bus: BusConfig, width: int
) -> int:
    """Cycles from the one in which the first block is offered to the first in which all is stored.

    Each further block is offered in the first cycle in which the one before is stored. Of a block
    that is offered in cycle 0:

    * the first burst is requested, and the first word read, in cycle 1 (registers of the walkers);
      the word comes in 2 and leaves the queue in 3;
    * the words of a beat enter the gearbox one per cycle, the first of them in the cycle in which
      the beat before is written; the beat is offered one cycle after the last of them;
    * a burst's data follow its address by one cycle at least (queue of lengths, and the memory's);
    * a response makes room for the next burst in the following cycle (register of the count), and
      after the last one the engine is not busy.

    Three words are read ahead, so the bank never limits: a word is there one cycle after the one
    before has entered the gearbox.

    Parameters
    ----------
    width
        Bits of a word of the act banks.
    """
    table = np.array([block[:4] for block in blocks], dtype=np.int64).reshape(-1, 4)
    return int(_recur(table, max(1, bus.data_width // width), width,
                      numbers(memory, bus, bus.outstanding)))  # fmt: skip


def store_table(
    blocks: NDArray[np.int64],
    firsts: NDArray[np.int64],
    memory: MemoryConfig,
    bus: BusConfig,
    width: int,
) -> NDArray[np.int64]:
    """Cycles as of :func:`store_cycles` of many tiles.

    Parameters
    ----------
    blocks, firsts
        First four fields of the blocks of all tiles; where those of each tile begin, and the end.
    """
    found: NDArray[np.int64] = _recur_each(
        blocks, firsts, max(1, bus.data_width // width), width,
        numbers(memory, bus, bus.outstanding),
    )  # fmt: skip
    return found


@njit(cache=True, nogil=True)
def _recur_each(blocks, firsts, per_beat, width, numbers):  # type: ignore[no-untyped-def]
    found = np.zeros(len(firsts) - 1, np.int64)
    for tile in range(len(found)):
        if firsts[tile + 1] > firsts[tile]:
            some = blocks[firsts[tile] : firsts[tile + 1]]
            found[tile] = _recur(some, per_beat, width, numbers)
    return found


@njit(cache=True, nogil=True)
def _recur(blocks, per_beat, width, numbers):  # type: ignore[no-untyped-def]
    """Add up the blocks; ``per_beat`` words enter the gearbox for a beat."""
    longest, beat_bytes, outstanding, latency, interval, overhead = numbers
    total = 0
    for b in range(len(blocks)):
        address, row_step, rows, words = blocks[b]
        beats = -(-words * width // (8 * beat_bytes))
        # words of a row's last beat; a wide word is there at once
        rest = (words - 1) % per_beat + 1
        # when bursts were answered: a ring
        answers = np.full(outstanding, _NEVER)
        burst = requested = 0
        end = 3
        for row in range(rows):
            first = address + row * row_step
            done = 0
            while done < beats:
                length = burst_length(first + done * beat_bytes, beats - done, longest, beat_bytes)
                requested = max(requested, answers[burst % outstanding]) + 1
                done += length
                final = rest if done == beats else per_beat
                opening = final if length == 1 else per_beat
                pause = interval + overhead if burst else 0
                end = max(requested + 1, end + max(opening, pause))
                if length > 1:
                    end += (length - 2) * max(per_beat, interval) + max(final, interval)
                answers[burst % outstanding] = end + latency
                burst += 1
        total += end + latency + 1
    return total
