"""Gradual pruning: after each epoch, the weights that matter least to the loss are removed.

The pace is that of Zhu and Gupta ("To prune, or not to prune", 2017), what is removed is chosen by
importance (:mod:`hwsim.models.training.saliency`) in place of magnitude, and removed weights may
return until late. Under one budget the split over the layers is a result.
"""

from __future__ import annotations

from hwsim.config.jobs.compress import GradualConfig
from hwsim.models.compress.log import Epoch
from hwsim.models.compress.pruning import clear_dead_biases, find_masks, purify
from hwsim.models.compress.stages import Data, Stage, State
from hwsim.models.constraints.joint import Joint
from hwsim.models.training.saliency import Saliency
from hwsim.models.training.train import apply_masks

__all__ = ["Gradual"]


class Gradual(Stage):
    """Training, with a step of pruning after each epoch; the last one obeys the constraint.

    Parameters
    ----------
    name
        Name of the stage in the log.
    constraints
        What the last step obeys; each other step obeys a relaxed form, which goes from what is
        left at the beginning of the stage to the constraint.
    config
        Epochs, and until when masks may regrow.
    """

    def __init__(self, name: str, constraints: Joint, config: GradualConfig) -> None:
        self.name, self.epochs = name, config.train.epochs
        self._constraints, self._config = constraints, config

    def begin(self, state: State) -> None:
        """Remember what is left."""
        state.anchor = {name: each.clone() for name, each in state.network.weights().items()}

    def step(self, state: State, data: Data) -> Epoch:
        """Train for one epoch, then choose the masks anew."""
        # the shapes that are trained change with the masks, so moments do not carry over
        state.optimizer = None
        saliency = Saliency()
        at = (state.epoch, self.epochs)
        entry = self._train(state, data, self._config.train, at, saliency=saliency)
        self._prune(state, saliency)
        return Epoch(**entry | self._left(state))

    def end(self, state: State) -> None:
        """Forget what was left."""
        state.anchor = {}

    def _prune(self, state: State, saliency: Saliency) -> None:
        done = (state.epoch + 1) / self.epochs
        regrow = done <= self._config.regrow
        scores = saliency.scores(state.network.weights(), state.masks, regrow=regrow)
        constraints = self._constraints.begun(state.anchor).frozen(state.anchor)
        masks = find_masks(state.network, scores, constraints.relaxed(1 - (1 - done) ** 3))
        for name, before in state.masks.items():
            # no constraint, no choice: what the layer had lost does not come back
            if not regrow or name not in constraints.names:
                masks[name] &= before
        state.masks = purify(state.network.shapes, masks)
        apply_masks(state.network, state.masks)
        clear_dead_biases(state.network, state.masks)
