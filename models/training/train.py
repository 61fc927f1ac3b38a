"""Stochastic gradient training, one epoch at a time, on images held as one tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hwsim.config.jobs.compress import TrainConfig
from hwsim.errors import InputError
from hwsim.models.networks.network import Network
from hwsim.models.networks.slim import Masks, slim
from hwsim.models.quantization.codes import Aware
from hwsim.models.training.distil import Teacher
from hwsim.models.training.saliency import Saliency

__all__ = [
    "Dataset",
    "Pull",
    "accuracy",
    "apply_masks",
    "device",
    "kept",
    "logits",
    "mirror_randomly",
    "nonzeros",
    "schedule",
    "shift_randomly",
    "train_epoch",
]


@dataclass(frozen=True)
class Dataset:
    """Images ``(n, C, H, W)`` float32 in 0..1 and labels ``(n,)`` int64."""

    images: Tensor
    labels: Tensor
    #: What training follows beside the labels.
    teacher: Teacher | None = None

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)

    def split(self, count: int) -> tuple[Dataset, Dataset]:
        """Return the images before the last ``count``, and the last ``count``; no teacher."""
        rest = len(self) - count
        return (
            Dataset(self.images[:rest], self.labels[:rest]),
            Dataset(self.images[rest:], self.labels[rest:]),
        )


@dataclass(frozen=True)
class Pull:
    """A penalty ``rho / 2 ||W - target||^2`` on a layer's weights; ADMM's W-step.

    Its gradient is ``rho (W - target)``. ``target`` has the weight's shape.
    """

    target: Tensor
    rho: float


def device() -> torch.device:
    """Choose the device to train on: the first CUDA device, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def train_epoch(
    network: Network,
    data: tuple[Dataset, Dataset],
    config: TrainConfig,
    at: tuple[int, int],
    optimizer_state: dict[str, Any] | None,
    generator: torch.Generator,
    *,
    masks: Masks,
    free: Mapping[str, Tensor] | None = None,
    pulls: Mapping[str, Pull] | None = None,
    aware: Aware | None = None,
    saliency: Saliency | None = None,
) -> tuple[dict[str, float], dict[str, Any]]:
    """Train in place for one epoch with AdamW.

    The work is done on a copy without the filters that the masks remove
    (:mod:`hwsim.models.networks.slim`).

    Parameters
    ----------
    network
        The network to train.
    data
        Training images, and images held out.
    config
        The schedule.
    at
        Number of this epoch (from 0), and epochs of the schedule.
    optimizer_state
        What the previous epoch returned; ``None`` in the first.
    generator
        Source of every random choice.
    masks
        ``bool`` tensor of the weight's shape per layer: weights outside are 0. A layer that is not
        named is whole.
    free
        ``bool`` tensors like the masks: weights outside do not move, because they are fixed or
        masked. By default ``masks``.
    pulls
        Targets that the weights of a layer are drawn to.
    aware
        Compute with quantized weights.
    saliency
        Takes in the gradients of every step.

    Returns
    -------
    figures
        ``learning_rate`` (the largest of the epoch), ``loss``, ``train_accuracy`` and
        ``heldout_accuracy`` (fractions).
    optimizer_state
        For the next epoch.

    Raises
    ------
    InputError
        The loss is not finite any more.
    """
    train, heldout = data
    trainer = _Trainer(network, config, masks, masks if free is None else free, pulls or {}, aware)
    if optimizer_state is not None:
        trainer.optimizer.load_state_dict(optimizer_state)
    epoch, epochs = at
    steps = math.ceil(len(train) / config.batch)
    loss_sum, correct, top_rate = 0.0, 0, 0.0
    trainer.worker.train()
    order = torch.randperm(len(train), generator=generator)
    for step, chosen in enumerate(torch.split(order, config.batch), epoch * steps):
        rate = config.learning_rate * schedule(config, step, epochs * steps)
        top_rate = max(top_rate, rate)
        images = shift_randomly(train.images[chosen], config.shift, generator)
        if config.mirror:
            images = mirror_randomly(images, generator)
        teacher = None if train.teacher is None else train.teacher.of(chosen)
        loss, hits = trainer.step(images, train.labels[chosen], rate, teacher, saliency)
        loss_sum += loss * len(chosen)
        correct += hits
    if not math.isfinite(loss_sum):
        rule = f"must stay finite: lower learning_rate ({config.learning_rate:g})"
        raise InputError(network.config.name, "loss", loss_sum, rule)
    figures = {
        "learning_rate": top_rate,
        "loss": loss_sum / len(train),
        "train_accuracy": correct / len(train),
        "heldout_accuracy": trainer.accuracy(heldout),
    }
    trainer.copy.give_back(network)
    if saliency is not None:
        saliency.give_back(trainer.copy, network)
    return figures, trainer.optimizer.state_dict()


class _Trainer:
    """A slim copy of a network on the training device, and what its optimizer steps obey."""

    def __init__(
        self,
        network: Network,
        config: TrainConfig,
        masks: Masks,
        free: Mapping[str, Tensor],
        pulls: Mapping[str, Pull],
        aware: Aware | None,
    ) -> None:
        self.copy = slim(network, masks)
        self._config, self._device = config, device()
        self.worker: Network = self.copy.network.to(self._device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        self._weights = self.worker.weights()
        self._free = self._cut(free)
        #: Weights at the start of the epoch, which those outside ``free`` keep.
        self._still = {name: self._weights[name].clone() for name in self._free}
        targets = self._cut({name: pull.target for name, pull in pulls.items()})
        self._dead = self._dead_filters(masks)
        self._pulls = {name: Pull(targets[name], pull.rho) for name, pull in pulls.items()}
        self._aware = None if aware is None else Aware(aware.codes, self._cut(masks), aware.scales)
        self.optimizer = torch.optim.AdamW(
            self.worker.parameters(), weight_decay=config.weight_decay, fused=True
        )

    def step(
        self,
        images: Tensor,
        labels: Tensor,
        rate: float,
        teacher: Teacher | None,
        saliency: Saliency | None,
    ) -> tuple[float, int]:
        """Take one optimizer step; return the mean loss and how many images were right before."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        labels, images = labels.to(self._device), images.to(self._device)
        self.optimizer.zero_grad()
        with self._quantized():
            with _precision(self._config, self._device):
                logits = self.worker(images.contiguous(memory_format=torch.channels_last))
                learn = functional.cross_entropy if teacher is None else teacher.loss
                loss = learn(logits.float(), labels)
            loss.backward()  # type: ignore[no-untyped-call]
        self._pull()
        if saliency is not None:
            saliency.add(self.worker)
        self.optimizer.step()
        for name, mask in self._free.items():
            torch.where(mask, self._weights[name], self._still[name], out=self._weights[name])
        for bias, dead in self._dead:
            bias[dead] = 0
        correct = int((logits.detach().argmax(1) == labels).sum())
        return float(loss.detach()), correct

    def accuracy(self, data: Dataset) -> float:
        """Fraction of the images that the copy, quantized where asked, classifies correctly."""
        with self._quantized():
            return accuracy(self.worker, data)

    def _quantized(self) -> AbstractContextManager[None]:
        return nullcontext() if self._aware is None else self._aware.substituted(self.worker)

    @torch.no_grad()
    def _pull(self) -> None:
        """Add the gradient of the pulls."""
        for shape, stage in self.worker.weighted():
            pull = self._pulls.get(shape.layer.name)
            if pull is not None:
                assert stage.weight.grad is not None
                stage.weight.grad.add_(stage.weight - pull.target, alpha=pull.rho)

    def _dead_filters(self, masks: Masks) -> list[tuple[Tensor, Tensor]]:
        """Biases, but of the logits, each with the filters that have no weight and stay at 0."""
        found = []
        for shape, stage in list(self.worker.weighted())[:-1]:
            if shape.layer.name in masks and stage.bias is not None:
                mask = self.copy.take(shape.layer.name, masks[shape.layer.name])
                dead = (~mask.flatten(1).any(dim=1)).nonzero().flatten()
                found.append((stage.bias.detach(), dead.to(self._device)))
        return [each for each in found if len(each[1])]

    def _cut(self, tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Cut tensors of the weights' shapes to the copy, on its device."""
        cut = {name: self.copy.take(name, each).to(self._device) for name, each in tensors.items()}
        return {
            name: each.contiguous(memory_format=torch.channels_last)
            if each.dim() == 4
            else each.contiguous()
            for name, each in cut.items()
        }


def _precision(config: TrainConfig, device: torch.device) -> torch.autocast:
    # where the CPU has bfloat16, oneDNN's kernels are twice as fast as those of float32
    is_wanted = config.precision == "bfloat16"
    return torch.autocast(device.type, torch.bfloat16, enabled=is_wanted, cache_enabled=False)


def schedule(config: TrainConfig, step: int, steps: int) -> float:
    """Factor on the peak learning rate in one of so many steps."""
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


def apply_masks(network: Network, masks: Mapping[str, Tensor]) -> None:
    """Set every weight outside its layer's mask to 0, in place."""
    for name, weight in network.weights().items():
        if name in masks:
            weight.mul_(masks[name])


def kept(network: Network) -> float:
    """Compute the fraction of the network's weights that are not 0."""
    total = sum(weight.numel() for weight in network.weights().values())
    return sum(nonzeros(network).values()) / total


def nonzeros(network: Network) -> dict[str, int]:
    """Count the weights of each layer that are not 0."""
    return {name: int(weight.count_nonzero()) for name, weight in network.weights().items()}


def shift_randomly(images: Tensor, shift: int, generator: torch.Generator) -> Tensor:
    """Move each image by up to ``shift`` pixels in both directions.

    Parameters
    ----------
    images
        ``(images, C, H, W)``.
    shift
        Largest move, in pixels; 0 draws nothing from the generator.
    generator
        Source of the moves.

    Returns
    -------
    (images, C, H, W) tensor
        Zeros come in at the border.
    """
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


def mirror_randomly(images: Tensor, generator: torch.Generator) -> Tensor:
    """Mirror each image left to right with a probability of one half.

    Parameters
    ----------
    images
        ``(images, C, H, W)``.
    generator
        Source of the choices.
    """
    mirrored = torch.randint(0, 2, (len(images), 1, 1, 1), generator=generator).bool()
    return torch.where(mirrored, images.flip(3), images)


@torch.no_grad()
def accuracy(network: Network, data: Dataset, batch: int = 1000) -> float:
    """Compute the fraction of the images whose largest logit is the label's.

    Parameters
    ----------
    network
        The network, which is put into evaluation mode.
    data
        Images and labels.
    batch
        Images that are inferred at once.
    """
    classes = logits(network, data.images, batch).argmax(1)
    return int((classes == data.labels).sum()) / len(data)


@torch.no_grad()
def logits(network: Network, images: Tensor, batch: int = 1000) -> Tensor:
    """Compute the logits ``(n, classes)`` of images ``(n, C, H, W)``, on the CPU.

    Parameters
    ----------
    network
        The network, which is put into evaluation mode.
    images
        float32 in 0..1.
    batch
        Images that are inferred at once.
    """
    network.eval()
    device = next(network.parameters()).device
    return torch.cat([network(each.to(device)).cpu() for each in torch.split(images, batch)])
