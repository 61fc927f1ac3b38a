"""Weight formats, one file each: encode, decode, size in bits by kind."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig
from hwsim.formats.base import Bits

__all__ = ["Bits", "measure", "project"]


def measure(arch: ArchConfig, weight: NDArray[np.integer] | None, shape: tuple[int, int]) -> Bits:
    """Size of a weight matrix in the format that a design consumes.

    Parameters
    ----------
    weight
        ``(M, K)``; ``None`` where only the shape is known, which a format with indices refuses.
    shape
        ``(M, K)``.
    """
    module = import_module(f"hwsim.formats.{arch.array.family}")
    return cast(Bits, module.measure(arch, weight, shape))


def project(arch: ArchConfig, weight: NDArray[np.integer]) -> NDArray[np.integer]:
    """Nearest weights that a design's format can hold; as they are where it holds any."""
    module = import_module(f"hwsim.formats.{arch.array.family}")
    if not hasattr(module, "project"):
        return weight
    return cast("NDArray[np.integer]", module.project(weight, arch.array))
