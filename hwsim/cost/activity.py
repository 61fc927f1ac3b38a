"""Shares of a design's logic that switch per event, from what its gates switched in samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

__all__ = ["Sample", "fit"]


@dataclass(frozen=True)
class Sample:
    """A run: how often each event happened, and how much of each group switched in all of it.

    ``switched`` counts in units of the whole group: 1 where the output of every cell changed once.
    """

    work: Mapping[str, float]
    switched: Mapping[str, float]


def fit(samples: Sequence[Sample], events: Sequence[str]) -> dict[str, dict[str, float]]:
    """Shares that explain the samples best: of PEs by event, of all other groups per cycle.

    Least squares on relative errors; a share that came out negative is left out.
    """
    return {
        group: _least_squares(samples, group, [*events] if group == "pe" else ["cycles"])
        for group in samples[0].switched
    }


def _least_squares(samples: Sequence[Sample], group: str, events: list[str]) -> dict[str, float]:
    seen = np.array([sample.switched[group] for sample in samples])
    if not seen.any():
        return dict.fromkeys(events, 0.0)
    weights = 1 / np.maximum(seen, 1e-9)
    while True:
        done = np.array([[sample.work.get(event, 0.0) for event in events] for sample in samples])
        shares = np.linalg.lstsq(done * weights[:, None], seen * weights, rcond=None)[0]
        if shares.min() >= 0 or len(events) == 1:
            return {
                event: round(float(share), 5) for event, share in zip(events, shares, strict=True)
            }
        events = [event for event, share in zip(events, shares, strict=True) if share >= 0]
