"""Sparse formats that no array consumes: the measure of those that one does."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NumberConfig
from hwsim.formats import dense
from hwsim.formats.base import Bits
from hwsim.formats.generic import coo, csr, relative, run_length

__all__ = ["GENERIC", "OWN_WIDTH", "Size"]

#: Size of a layer in its own bits, one matrix per group, and the index width that was chosen.
Size = Callable[[Sequence[NDArray[np.integer]], NumberConfig], tuple[Bits, int | None]]

#: Formats without an array, by name.
GENERIC: dict[str, Size] = {
    "coo": coo.size,
    "csr": csr.size,
    "run_length": run_length.size,
    "relative": relative.size,
}
#: Formats that take each layer in its own bits: those, and dense codes.
OWN_WIDTH: dict[str, Size] = {"dense": dense.size} | GENERIC
