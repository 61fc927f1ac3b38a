"""Index-decoding array (SparTen): every PE joins the masks of its filters and of a pixel.

The parts: :mod:`bitmask_compile` cuts M tiles, deals filters to PEs and lays out the streams,
:mod:`bitmask_model` and :mod:`bitmask_pes` are the clock-by-clock model, :mod:`bitmask_count` is
the fast exact form.
"""

from __future__ import annotations

from hwsim.arrays.bitmask.compile import compile
from hwsim.arrays.bitmask.count import count
from hwsim.arrays.bitmask.model import simulate

__all__ = ["compile", "count", "simulate"]
