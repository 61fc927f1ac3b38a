"""Distillation: a network learns another one's logits beside the labels.

Hinton, Vinyals and Dean, "Distilling the Knowledge in a Neural Network", 2015 (arXiv 1503.02531),
section 2.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor
from torch.nn import functional

__all__ = ["Teacher"]


@dataclass(frozen=True)
class Teacher:
    """The teacher's logits ``(images, classes)``, each of an image that was not shifted.

    Parameters
    ----------
    logits
        float32.
    weight
        Share of the teacher in the loss, 0..1; the labels have the rest.
    temperature
        Divides the logits of both networks.
    """

    logits: Tensor
    weight: float
    temperature: float

    def of(self, chosen: Tensor) -> Teacher:
        """Return the teacher of some of the images, by their indices."""
        return replace(self, logits=self.logits[chosen])

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Compute the mean loss of a batch.

        The divergence of the softened classes is multiplied by ``temperature ** 2``, as its
        gradients are that many times smaller.

        Parameters
        ----------
        logits
            ``(images, classes)`` of the network that learns, on its device.
        labels
            ``(images,)`` int64.
        """
        softened = functional.log_softmax(logits / self.temperature, dim=1)
        teacher = self.logits.to(logits.device) / self.temperature
        divergence = functional.kl_div(
            softened, functional.log_softmax(teacher, dim=1), reduction="batchmean", log_target=True
        )
        hard = functional.cross_entropy(logits, labels)
        return (1 - self.weight) * hard + self.weight * self.temperature**2 * divergence
