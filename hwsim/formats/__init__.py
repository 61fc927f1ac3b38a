"""Weight formats, one file each: encode, decode, size in bits by kind."""

from __future__ import annotations

from importlib import import_module
from typing import cast

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, PatternConfig
from hwsim.formats import codes
from hwsim.formats.base import Bits

__all__ = ["Bits", "measure", "project"]


def measure(
    arch: ArchConfig,
    weight: NDArray[np.integer] | None,
    shape: tuple[int, int],
    channels: int = 0,
    name: str = "weights",
) -> Bits:
    """Size of a weight matrix in the format that a design consumes.

    Parameters
    ----------
    weight
        ``(M, K)``; ``None`` where only the shape is known, which a format with indices refuses.
    shape
        ``(M, K)``.
    channels
        Input channels of a 3x3 layer, 0 for any other: what the kernels of ``pattern`` are.
    name
        The layer, for messages.

    Raises
    ------
    InputError
        A weight has no code, or the weights break the format's constraint: layer, place and rule.
    """
    if weight is not None:
        codes.check(name, weight, arch.numbers)
    module = import_module(f"hwsim.formats.{arch.array.family}")
    if isinstance(arch.array, PatternConfig):
        return cast(Bits, module.measure(arch, weight, shape, channels, name))
    return cast(Bits, module.measure(arch, weight, shape, name))


def project(
    arch: ArchConfig, weight: NDArray[np.integer], channels: int = 0
) -> NDArray[np.integer]:
    """Nearest weights that a design's format can hold; as they are where it holds any.

    ``channels`` as in :func:`measure`.
    """
    module = import_module(f"hwsim.formats.{arch.array.family}")
    if not hasattr(module, "project"):
        return weight
    if isinstance(arch.array, PatternConfig):
        has_zero = arch.numbers.has_zero
        projected = module.project(weight, arch.array, channels, has_zero=has_zero)
        return cast("NDArray[np.integer]", projected)
    return cast("NDArray[np.integer]", module.project(weight, arch.array))
