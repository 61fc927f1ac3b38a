"""What act banks hold while a program runs: values, for arrays whose cycles depend on them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.tile import Nest
from hwsim.compiler.layout import Map, Unrolled
from hwsim.config.shape import MachineShape

__all__ = ["Contents"]


@dataclass(frozen=True)
class Contents:
    """Beats of activations that lie in a bank from beat ``start`` on.

    Attributes
    ----------
    beats
        ``(beats, act_lanes)``.
    """

    start: int
    beats: NDArray[np.integer]

    @classmethod
    def of(
        cls,
        sources: Sequence[Map | Unrolled],
        acts: NDArray[np.integer],
        shape: MachineShape,
    ) -> Contents:
        """Contents of maps that follow each other, with their activations ``(maps, C, H, W)``."""
        words = [source.image(act) for source, act in zip(sources, acts, strict=True)]
        beats = np.concatenate(words).reshape(-1, shape.act_lanes)
        return cls(sources[0].start * shape.feed_beats, beats)

    def fed(self, nest: Nest) -> NDArray[np.integer]:
        """Beats that the feeder gives, in order."""
        return self.beats[nest.positions() - self.start]
