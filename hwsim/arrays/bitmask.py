"""Index-decoding array (SparTen): every PE joins the masks of its filters and of a pixel.

The parts: :mod:`bitmask_compile` cuts M tiles, deals filters to PEs and lays out the streams,
:mod:`bitmask_model` and :mod:`bitmask_pes` are the clock-by-clock model, :mod:`bitmask_count` is
the fast exact form.
"""

from __future__ import annotations

from hwsim.arrays.bitmask_compile import compile
from hwsim.arrays.bitmask_count import count
from hwsim.arrays.bitmask_model import simulate
from hwsim.config.causes import CAUSES as FAMILIES

__all__ = ["CAUSES", "compile", "count", "simulate"]

CAUSES = FAMILIES["bitmask"]
