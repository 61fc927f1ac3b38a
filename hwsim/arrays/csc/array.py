"""Index-decoding array (EIE): P PEs share the broadcast non-zero activations.

The parts: :mod:`csc_compile` cuts M tiles and lays out the streams, :mod:`csc_model` and
:mod:`csc_pes` are the clock-by-clock model, :mod:`csc_count` is the fast exact form.
"""

from __future__ import annotations

from hwsim.arrays.csc.compile import compile
from hwsim.arrays.csc.count import count
from hwsim.arrays.csc.model import simulate

__all__ = ["compile", "count", "simulate"]
