"""Weight formats, one file each: encode, decode, size in bits by kind."""

from __future__ import annotations

from typing import cast

import numpy as np
from numpy.typing import NDArray

from hwsim.config import ArchConfig, wing
from hwsim.formats import codes
from hwsim.formats.base import Bits
from hwsim.formats.lists import NONE, Lists

__all__ = ["Bits", "Lists", "lists", "measure", "nonzeros", "project"]


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
        ``(M, K)``; ``None`` where only the shape is known, then every weight that the
        format keeps is non-zero.
    shape
        ``(M, K)``.
    channels
        Input channels of a 3x3 layer, 0 for any other: what the kernels of ``pattern`` are.
    name
        The layer, for messages.

    Raises
    ------
    InputError
        A weight has no code, or the weights break the constraint of the format.
    """
    if weight is not None:
        codes.check(name, weight, arch.numbers)
    return cast(Bits, wing(arch.array.FORMAT).measure(arch, weight, shape, channels, name))


def lists(
    arch: ArchConfig,
    weight: NDArray[np.integer] | None,
    taps: int = 1,
    channels: int = 0,
    name: str = "weights",
) -> Lists:
    """Gather lists that lie beside a weight matrix in the format that a design consumes.

    There are none where the format has its indices in the words of the weight stream, and where
    only the shape is known: nothing is left out.

    Parameters
    ----------
    weight
        ``(M, K)``.
    taps
        Of the kernels of a layer: its K is ordered (tap, channel).
    channels, name
        As in :func:`measure`.
    """
    module = wing(arch.array.FORMAT)
    if weight is None or not hasattr(module, "lists"):
        return NONE
    return cast(Lists, module.lists(arch, weight, taps, channels, name))


def nonzeros(arch: ArchConfig, shape: tuple[int, int], channels: int = 0) -> int:
    """Weights of an ``(M, K)`` matrix that a design's format keeps where none is zero."""
    return cast(int, wing(arch.array.FORMAT).nonzeros(arch, shape, channels))


def project(
    arch: ArchConfig, weight: NDArray[np.integer], channels: int = 0
) -> NDArray[np.integer]:
    """Nearest weights that a design's format can hold; as they are where it holds any.

    ``channels`` as in :func:`measure`.
    """
    module = wing(arch.array.FORMAT)
    if not hasattr(module, "project_for"):
        return weight
    return cast("NDArray[np.integer]", module.project_for(arch, weight, channels))
