"""What is done to pixels before a network reads them: a mean and a spread of each channel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NetworkConfig
from hwsim.errors import InputError

__all__ = ["Normalization"]

#: Key of a checkpoint's ``info``.
_KEY = "normalization"


@dataclass(frozen=True)
class Normalization:
    """``(pixel / 255 - mean) / std``, one ``mean`` and ``std`` per channel or one for all."""

    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def given(
        cls, mean: Sequence[float] | None, std: Sequence[float] | None, network: NetworkConfig
    ) -> Self | None:
        """Normalization of a network's input; ``None`` where neither is given.

        Raises
        ------
        InputError
            Another number of values than 1 or the input's channels, or a spread that is not
            positive.
        """
        if mean is None and std is None:
            return None
        channels = network.input.channels
        found = cls(tuple(mean or (0.0,)), tuple(std or (1.0,)))
        for key, values in (("mean", found.mean), ("std", found.std)):
            if len(values) not in (1, channels):
                rule = f"must be one number, or {channels}: one per channel of {network.name}"
                raise InputError("arguments", key, values, rule)
            if not np.isfinite(values).all() or (key == "std" and min(values) <= 0):
                rule = "must be positive" if key == "std" else "must be finite"
                raise InputError("arguments", key, values, rule)
        return found

    @classmethod
    def of(cls, info: Mapping[str, Any]) -> Self | None:
        """Normalization that a checkpoint's ``info`` records; ``None`` where it records none."""
        stored = info.get(_KEY)
        return None if stored is None else cls(tuple(stored["mean"]), tuple(stored["std"]))

    @property
    def info(self) -> dict[str, Any]:
        """What :meth:`of` reads back."""
        return {_KEY: {"mean": list(self.mean), "std": list(self.std)}}

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Real values ``(images, C, H, W)`` of pixels of that shape."""
        mean, std = (np.array(each)[:, None, None] for each in (self.mean, self.std))
        real: NDArray[np.float32] = ((pixels / 255 - mean) / std).astype(np.float32)
        return real
