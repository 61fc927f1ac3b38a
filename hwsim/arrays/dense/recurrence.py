"""Recurrence over the rows of a compressed weight stream (``docs/timing/dense.md`` derives it)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

__all__ = ["Stream", "os", "ws"]

Ints = NDArray[np.int64]

#: State of the decompressor, by index: the next word, the cycle in which the last one was taken,
#: what left the shift register last, and what had to leave for the last word.
_WORD, _TAKEN, _LAST, _LEFT = range(4)


class Stream(NamedTuple):
    """A compressed stream, and the shift register that takes it."""

    #: Slots of a word.
    port: int
    #: Slots from which on the register takes no word.
    full: int
    #: Cycle in which the first word is offered.
    begin: int


@njit(cache=True, nogil=True)
def _start(stream):  # type: ignore[no-untyped-def]
    """State at reset, and a ring of what left the register: up to which slot, in which cycle."""
    ring = np.zeros((2 * (stream.full + stream.port + 1), 2), dtype=np.int64)
    ring[0, 1] = -1
    return np.array([0, stream.begin - 1, 0, 0]), ring


@njit(cache=True, nogil=True)
def _leave(state, ring, end, cycle):  # type: ignore[no-untyped-def]
    """Note that all slots before ``end`` leave the register in a cycle."""
    state[_LAST] += 1
    ring[state[_LAST] % len(ring), 0] = end
    ring[state[_LAST] % len(ring), 1] = cycle


@njit(cache=True, nogil=True)
def _offer(stream, state, ring, slots, free):  # type: ignore[no-untyped-def]
    """Find the first cycle in which the next row, of ``slots``, is offered to the array.

    ``free`` is the cycle in which the row before it is taken.
    """
    port, full, _ = stream
    last = state[_LAST] % len(ring)
    end = ring[last, 0] + slots
    while state[_WORD] * port < end:
        while ring[state[_LEFT] % len(ring), 0] <= state[_WORD] * port - full:
            state[_LEFT] += 1
        state[_TAKEN] = max(state[_TAKEN], ring[state[_LEFT] % len(ring), 1]) + 1
        state[_WORD] += 1
    cycle = max(ring[last, 1] + 1, state[_TAKEN] + 1, free)
    _leave(state, ring, end, cycle)
    return cycle + 1


@njit(cache=True, nogil=True)
def _end_pass(stream, state, ring):  # type: ignore[no-untyped-def]
    """Skip what is left of the last word, in the cycle after the last row."""
    last = state[_LAST] % len(ring)
    _leave(state, ring, state[_WORD] * stream.port, ring[last, 1] + 1)


@njit(cache=True, nogil=True)
def ws(slots: Ints, pixels: Ints, reuse: int, stream: Stream, cut: int) -> tuple[int, int]:
    """Cycles ``preload`` and ``weight`` of a weight-stationary array.

    Parameters
    ----------
    slots
        ``(folds, rows)``: those of each row of a fold in the order of loading; 0 where no row comes
        from the stream.
    pixels
        Of the folds of each pass.
    reuse
        Cycles from a pixel to the same one of the next fold at the least.
    cut
        Fold with which a second command begins, after the only pass of the first; 0 without.
    """
    state, ring = _start(stream)
    preload = weight = 0
    # cycles of the last load, of the last pixel, of the last swap; whether that one was waited for,
    # and the first cycle in which the next one may come
    loaded = end = settled = 0
    swap, waited = 1, False
    free = 1
    for tile in range(len(pixels)):
        for fold in range(len(slots)):
            if cut and fold == cut:
                _end_pass(stream, state, ring)
                # the command is taken in the cycle after the last pixel
                end += 1
                loaded, free = end, end + 1
            for row in range(slots.shape[1]):
                able = max(loaded + 1, swap) if row == 0 else loaded + 1
                loaded = able
                if slots[fold, row]:
                    loaded = free = max(able, _offer(stream, state, ring, slots[fold, row], free))
                    # a lack of weights shows where no pixel is fed, the cycle of a swap included
                    weight += max(0, loaded - max(able, end + 1))
                    weight += waited and able == swap and loaded > able and able <= end
            swap = max(loaded + 1, settled)
            waited = swap > end
            preload += swap - end
            end = swap + pixels[tile]
            settled = swap + max(reuse, pixels[tile])
        _end_pass(stream, state, ring)
    return preload - weight, weight


@njit(cache=True, nogil=True)
def os(slots: Ints, passes: int, rows: int, stream: Stream) -> tuple[int, int]:
    """Cycles ``preload`` and ``weight`` of an output-stationary array of ``rows`` rows.

    Parameters
    ----------
    slots
        ``(folds, K)``: those of each k of a fold.
    """
    state, ring = _start(stream)
    preload = weight = 0
    taken, drained = (
        0,
        0,
    )  # the last beat, and the first cycle in which a fold's last one may follow
    free = 1
    for _ in range(passes):
        for fold in range(len(slots)):
            for k in range(slots.shape[1]):
                offered = _offer(stream, state, ring, slots[fold, k], free)
                able = taken + 1
                if k == slots.shape[1] - 1:
                    able = max(able, drained)
                preload += able - taken - 1
                taken = free = max(able, offered)
                weight += taken - able
            drained = taken + rows
        _end_pass(stream, state, ring)
    return preload, weight
