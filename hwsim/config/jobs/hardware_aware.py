"""Hardware-aware pruning (ADMM-NN, section 5): the design, the objective, the largest loss."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hwsim.config.base import Config

__all__ = ["HardwareAwareConfig", "Objective"]

#: Cost that is lowered: weights that are left, stored bits with indices, multiply-accumulates that
#: are left, or simulated cycles.
Objective = Literal["weights", "bits", "macs", "cycles"]


class HardwareAwareConfig(Config):
    """Search for the fraction to keep of each layer, beginning at the recipe's ``prune.layers``."""

    #: Index-decoding design that runs the pruned layers.
    arch: str
    #: Dense design, of equal multipliers, that runs the layers restored to dense. Absent: the
    #: weight-stationary design that ships.
    dense: str | None = None
    objective: Objective
    #: Largest loss of accuracy against ``start``, on the images held out, in points of per cent.
    bound: Annotated[float, Field(ge=0, le=100)]
    #: The search ends where the costliest layer's share is known to a factor of 2 ** ``step``.
    step: Annotated[float, Field(gt=0, le=4)] = 0.25
    #: Budget of pruning runs; when it is exhausted, the best result so far is used.
    evaluations: Annotated[int, Field(ge=1, le=1000)] = 40
    #: Number of images, the first of those held out, on whose activations cycles are counted.
    images: Annotated[int, Field(ge=1, le=1000)] = 16
