"""The alternating direction method of multipliers: one solver for every constraint.

Minimising f(W) with W in S is written as minimising f(W) + g(Z) with W = Z, where g is 0 inside S
and infinite outside. With the scaled dual variable U, one iteration is as follows (ADMM-NN, ASPLOS
2019, section 3; Boyd et al., "Distributed Optimization and Statistical Learning via ADMM", 2011,
section 3.1.1):

* W: minimise f(W) + rho / 2 ||W - Z + U||^2, by training;
* Z: the projection of W + U onto S;
* U: U + W - Z.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from hwsim.models.training.train import Pull

__all__ = ["Split"]

Weights = Mapping[str, Tensor]
Project = Callable[[Weights], Weights]


@dataclass
class Split:
    """Z and U of the constrained layers, by layer name, each of its weight's shape."""

    z: dict[str, Tensor]
    u: dict[str, Tensor]
    rho: float

    @classmethod
    def start(cls, weights: Weights, project: Project, rho: float) -> Split:
        """Set Z to the projection of W, and U to 0.

        Parameters
        ----------
        weights
            W by layer name.
        project
            Nearest member of S.
        rho
            Penalty of the first iteration.
        """
        z = {name: each.clone() for name, each in project(weights).items()}
        return cls(z, {name: torch.zeros_like(each) for name, each in z.items()}, rho)

    def pulls(self) -> dict[str, Pull]:
        """Return the penalty of the W-step, rho / 2 ||W - (Z - U)||^2, by layer name."""
        return {name: Pull(self.z[name] - self.u[name], self.rho) for name in self.z}

    def update(
        self, weights: Weights, project: Project, growth: float
    ) -> tuple[dict[str, float], dict[str, float]]:
        """Do the Z-step and the U-step, then raise rho by ``growth``.

        U is the Lagrange multiplier divided by rho: it shrinks as rho grows (Boyd et al., 3.4.1).

        Parameters
        ----------
        weights
            W by layer name, after the W-step.
        project
            Nearest member of S.
        growth
            Factor of rho, at least 1.

        Returns
        -------
        primal, dual
            ``||W - Z||_F`` and ``||Z - previous Z||_F`` of each layer, relative to ``||W||_F``;
            ADMM has converged when both are small.
        """
        targets = {name: weights[name] + self.u[name] for name in self.z}
        projected = project(targets)
        primal, dual = {}, {}
        for name in self.z:
            new = projected[name].clone()
            size = max(float(weights[name].norm()), 1e-12)
            primal[name] = float((weights[name] - new).norm()) / size
            dual[name] = float((new - self.z[name]).norm()) / size
            self.u[name] = (targets[name] - new) / growth
            self.z[name] = new
        self.rho *= growth
        return primal, dual
