"""Index-decoding array (EIE): P PEs share the broadcast non-zero activations.

The parts: :mod:`.compile` cuts M tiles and lays out the streams, :mod:`.model` and :mod:`.pes` are
the cycle-by-cycle model, :mod:`.count` and :mod:`.recurrence` are the fast exact form.
"""

from __future__ import annotations

from hwsim.arrays.csc.compile import (
    compile,
    cut_folds,
    group_folds,
    resident_words,
    weight_words,
)
from hwsim.arrays.csc.count import count, count_groups
from hwsim.arrays.csc.model import simulate

__all__ = [
    "compile",
    "count",
    "count_groups",
    "cut_folds",
    "group_folds",
    "resident_words",
    "simulate",
    "weight_words",
]
