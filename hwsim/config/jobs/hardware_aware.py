"""Hardware-aware pruning (ADMM-NN, section 5): for which design, to lower what, at what loss."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hwsim.config.base import Config

__all__ = ["HardwareAwareConfig", "Objective"]

#: What is to be lowered: weights that are left, stored bits with indices, multiply-accumulates that
#: are left, or simulated cycles.
Objective = Literal["weights", "bits", "macs", "cycles"]


class HardwareAwareConfig(Config):
    """Search for what to keep of each layer, from the recipe's ``prune.layers`` on."""

    #: Index-decoding design that runs the pruned layers.
    arch: str
    #: Dense design, of as many multipliers, that runs those restored to dense; absent: the
    #: weight-stationary one that ships.
    dense: str | None = None
    objective: Objective
    #: Largest loss of accuracy on the images held out, below that of ``start``, in points of per
    #: cent.
    bound: Annotated[float, Field(ge=0, le=100)]
    #: The search ends where the costliest layer's share is known to a factor of 2 ** ``step``.
    step: Annotated[float, Field(gt=0, le=4)] = 0.25
    #: Most networks that are pruned; the best so far counts when they are used up.
    evaluations: Annotated[int, Field(ge=1, le=1000)] = 40
    #: Images, the first of those held out, whose activations cycles are counted for.
    images: Annotated[int, Field(ge=1, le=1000)] = 16
