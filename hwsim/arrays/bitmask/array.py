"""Index-decoding array (SparTen): every PE joins the masks of its filters and of a pixel.

The parts: :mod:`~hwsim.arrays.bitmask.compile` cuts M tiles, deals filters to PEs and lays out the
streams, :mod:`~hwsim.arrays.bitmask.model` and :mod:`~hwsim.arrays.bitmask.pes` are the
cycle-by-cycle model, :mod:`~hwsim.arrays.bitmask.count` is the fast exact form: of packed
:mod:`~hwsim.arrays.bitmask.masks`, by the :mod:`~hwsim.arrays.bitmask.recurrence`.
:mod:`~hwsim.arrays.bitmask.machine` is what a machine needs.
"""

from __future__ import annotations

from hwsim.arrays.bitmask.compile import compile, resident_words
from hwsim.arrays.bitmask.count import count
from hwsim.arrays.bitmask.machine import count_fed, held_words, holds, spread, weight_words
from hwsim.arrays.bitmask.model import simulate

__all__ = [
    "compile",
    "count",
    "count_fed",
    "held_words",
    "holds",
    "resident_words",
    "simulate",
    "spread",
    "weight_words",
]
