"""Time of the load engine (``hwsim.rtl.bus.load``): a recurrence over its bursts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from hwsim.accelerator.bursts import burst_length, numbers
from hwsim.config import BusConfig, MemoryConfig
from hwsim.contract.descriptors import DESCRIPTOR_TARGET, TARGETS
from hwsim.contract.machine import LOAD_QUEUE

__all__ = ["LoadBlock", "load_cycles", "load_row", "load_table"]

#: Long before the first cycle.
_NEVER = -(1 << 40)


class LoadBlock(NamedTuple):
    """Block that is loaded; the fields of the engine's ``block``."""

    #: First byte of the first row.
    address: int
    #: Bytes from a row to the next in memory.
    row_step: int
    rows: int
    #: Beats of the bus in each row.
    beats: int
    #: Words on chip in each row.
    words: int
    #: First word on chip.
    to: int
    #: Words from a row to the next on chip.
    to_step: int
    #: Code of the memory on chip: ``TARGETS`` or ``DESCRIPTOR_TARGET``.
    target: int
    #: Which bank or half.
    index: int  # type: ignore[assignment]


def load_cycles(
    blocks: Sequence[LoadBlock], memory: MemoryConfig, bus: BusConfig, widths: Mapping[str, int]
) -> int:
    """Cycles from the one in which the first block is offered to the first in which all is loaded.

    Each further block is offered in the cycle after the transfer of the one before. In a cycle 0 of
    an idle engine, what registers add is:

    * a block leaves the queue one cycle after its transfer, and each walker has it one cycle later;
      a walker that ends a block has the next in the following cycle;
    * the end of a burst makes room for the next in the following cycle (register of the count);
    * a beat gives its first word in its own cycle and the others one per cycle; the next beat is
      taken in the cycle after the last of them;
    * the last word passes the register ``write``, and then the engine is not busy.

    Parameters
    ----------
    widths
        Bits of a word of each target that the machine has.

    Raises
    ------
    ValueError
        A row's beats are not those that hold its words.
    """
    if not blocks:
        return 0
    table = np.array([load_row(block, bus, widths) for block in blocks], dtype=np.int64)
    return int(_recur(table, numbers(memory, bus, bus.outstanding)))


def load_row(block: LoadBlock, bus: BusConfig, widths: Mapping[str, int]) -> tuple[int, ...]:
    """Row of the table of :func:`load_table`: address, step, rows, beats, words, bits of a word.

    Raises
    ------
    ValueError
        A row's beats are not those that hold its words.
    """
    width: int = bus.data_width
    if block.target != DESCRIPTOR_TARGET:
        width = next(bits for name, bits in widths.items() if TARGETS[name] == block.target)
    beats = -(-block.words * width // bus.data_width)
    if block.beats != beats or beats < 1:
        raise ValueError(f"beats must be {max(beats, 1)} for {block.words} words of {width} "
                         f"bits, not {block.beats}")  # fmt: skip
    return (*block[:5], width)


def load_table(
    blocks: NDArray[np.int64], firsts: NDArray[np.int64], memory: MemoryConfig, bus: BusConfig
) -> NDArray[np.int64]:
    """Cycles as of :func:`load_cycles` of many tiles.

    Parameters
    ----------
    blocks, firsts
        Blocks of all tiles, a row each; where those of each tile begin, and the end.
    """
    found: NDArray[np.int64] = _recur_each(blocks, firsts, numbers(memory, bus, bus.outstanding))
    return found


@njit(cache=True, nogil=True)
def _recur_each(blocks, firsts, numbers):  # type: ignore[no-untyped-def]
    found = np.zeros(len(firsts) - 1, np.int64)
    for tile in range(len(found)):
        if firsts[tile + 1] > firsts[tile]:
            found[tile] = _recur(blocks[firsts[tile] : firsts[tile + 1]], numbers)
    return found


@njit(cache=True, nogil=True)
def _recur(blocks, numbers):  # type: ignore[no-untyped-def]
    longest, beat_bytes, outstanding, latency, interval, overhead = numbers
    beat_bits = 8 * beat_bytes
    # when bursts ended, and when the receiver took blocks from the queue: rings
    ends = np.full(outstanding, _NEVER)
    pops = np.full(LOAD_QUEUE, _NEVER)
    burst = 0
    entered = -1
    requested = end = word = _NEVER
    free = 0
    for b in range(len(blocks)):
        address, row_step, rows, beats, words, width = blocks[b]
        # no two beats of a burst come sooner than the words of one take
        steady = width * interval >= beat_bits
        entered = max(entered, pops[b % LOAD_QUEUE]) + 1
        requested = max(requested, entered + 1)
        pops[b % LOAD_QUEUE] = max(word, entered + 1)
        for row in range(rows):
            first = address + row * row_step
            done = 0
            while done < beats:
                length = burst_length(first + done * beat_bytes, beats - done, longest, beat_bytes)
                requested = max(requested, ends[burst % outstanding]) + 1
                offered = max(requested + latency, end + interval + overhead, free)
                if steady:
                    end = offered + (length - 1) * interval
                    done += length
                    word = end
                    if width < beat_bits:
                        ended = min(words, done * beat_bits // width)
                        word += ended - (done - 1) * beat_bits // width - 1
                else:
                    for _ in range(length):
                        end = max(offered, free)
                        before = done * beat_bits // width
                        done += 1
                        word = end + min(words, done * beat_bits // width) - before - 1
                        free = word + 1
                        offered = end + interval
                ends[burst % outstanding] = end
                burst += 1
    return word + 2
