"""Time of the vector unit."""

from __future__ import annotations

from hwsim.contract.machine import VECTOR_LATENCY

__all__ = ["vector_cycles"]


def vector_cycles(window: int, windows: int, beats_per_word: int) -> int:
    """Cycles from the first word to the last beat, both included, where neither side waits.

    The words of a window come one per cycle while the beats of the window before leave: the slower
    of the two counts.

    Parameters
    ----------
    window
        Words of each window.
    windows
        Their number, at least 1.
    beats_per_word
        Beats that a word's lanes leave in.
    """
    between = (windows - 1) * max(window, beats_per_word)
    # the last word of the first window, its way to its first beat, and the beats after that
    return window + between + VECTOR_LATENCY + beats_per_word - 1
