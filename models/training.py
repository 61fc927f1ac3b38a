"""Stochastic gradient training of a network on a data set held in memory as one tensor."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from hwsim.config.compress import TrainConfig
from models.networks import Network

__all__ = [
    "Dataset",
    "Epoch",
    "Masks",
    "Penalty",
    "Substitution",
    "accuracy",
    "apply_masks",
    "kept",
    "shift_randomly",
    "train",
]

#: Layer name to ``bool`` tensor of the weight's shape: what may be non-zero.
Masks = dict[str, Tensor]
#: Adds to the loss of a step: how a method such as ADMM pulls the weights towards a set.
Penalty = Callable[[Network], Tensor]
#: Gives the network other weights for a while: those a quantized network computes with.
Substitution = Callable[[Network], AbstractContextManager[object]]


@dataclass(frozen=True)
class Dataset:
    """Images ``(n, C, H, W)`` float32 in 0..1 and labels ``(n,)`` int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)


@dataclass(frozen=True)
class Epoch:
    """One line of the training log.

    ``learning_rate`` is the largest of the epoch; loss and accuracy are running means over it.
    """

    stage: str
    epoch: int
    learning_rate: float
    loss: float
    train_accuracy: float
    kept: float


def train(
    network: Network,
    data: Dataset,
    config: TrainConfig,
    generator: torch.Generator,
    stage: str,
    masks: Mapping[str, Tensor] | None = None,
    penalty: Penalty | None = None,
    substituted: Substitution = nullcontext,
    report: Callable[[Epoch], None] = lambda epoch: None,
) -> list[Epoch]:
    """Train in place with AdamW; the learning rate warms up, then falls to 0 by a half cosine.

    Parameters
    ----------
    network, data, config
        What is trained, on what, and by which schedule.
    generator
        Source of every random choice.
    stage
        Name of the stage in the log.
    masks
        Weights outside are 0 after every step.
    penalty
        Added to the loss of every step.
    substituted
        The forward and backward passes run inside it, the update outside.
    report
        Called with each finished epoch.

    Returns
    -------
    list of Epoch
        The log.
    """
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=config.weight_decay)
    steps_per_epoch = math.ceil(len(data) / config.batch)
    log = []
    network.train()
    for epoch in range(config.epochs):
        loss_sum, correct, top_rate = 0.0, 0, 0.0
        order = torch.randperm(len(data), generator=generator)
        for step, chosen in enumerate(torch.split(order, config.batch), epoch * steps_per_epoch):
            rate = config.learning_rate * _schedule(step, config.epochs * steps_per_epoch)
            top_rate = max(top_rate, rate)
            for group in optimizer.param_groups:
                group["lr"] = rate
            labels = data.labels[chosen]
            images = shift_randomly(data.images[chosen], config.shift, generator)
            optimizer.zero_grad()
            with substituted(network):
                logits = network(images)
                loss = functional.cross_entropy(logits, labels)
                objective = loss if penalty is None else loss + penalty(network)
                objective.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            apply_masks(network, masks or {})
            loss_sum += float(loss.detach()) * len(labels)
            correct += int((logits.detach().argmax(1) == labels).sum())
        mean, right = loss_sum / len(data), correct / len(data)
        log.append(Epoch(stage, epoch + 1, top_rate, mean, right, kept(network)))
        report(log[-1])
    return log


def _schedule(step: int, steps: int) -> float:
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def apply_masks(network: Network, masks: Mapping[str, Tensor]) -> None:
    """Set every weight outside its layer's mask to 0, in place."""
    for name, weight in network.weights().items():
        if name in masks:
            weight.mul_(masks[name])


def kept(network: Network) -> float:
    """Fraction of the network's weights that are not 0."""
    weights = network.weights().values()
    return sum(int(w.count_nonzero()) for w in weights) / sum(w.numel() for w in weights)


def shift_randomly(images: Tensor, shift: int, generator: torch.Generator) -> Tensor:
    """Move each image by up to ``shift`` pixels in both directions; zeros come in at the border."""
    if shift == 0:
        return images
    count, channels, height, width = images.shape
    padded = functional.pad(images, (shift,) * 4)
    moves = torch.randint(0, 2 * shift + 1, (2, count, 1, 1, 1), generator=generator)
    rows = moves[0] + torch.arange(height).view(1, 1, height, 1)
    cols = moves[1] + torch.arange(width).view(1, 1, 1, width)
    image = torch.arange(count).view(count, 1, 1, 1)
    channel = torch.arange(channels).view(1, channels, 1, 1)
    return padded[image, channel, rows, cols]


@torch.no_grad()
def accuracy(network: Network, data: Dataset, batch: int = 1000) -> float:
    """Fraction of the images whose largest logit is the label's."""
    network.eval()
    parts = zip(torch.split(data.images, batch), torch.split(data.labels, batch), strict=True)
    correct = sum(int((network(images).argmax(1) == labels).sum()) for images, labels in parts)
    return correct / len(data)
