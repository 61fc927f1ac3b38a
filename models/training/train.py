"""Stochastic gradient training, one epoch at a time, of a network on data held as one tensor."""

from __future__ import annotations

import math
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from hwsim.config.jobs.compress import TrainConfig
from hwsim.errors import InputError
from hwsim.models.networks.network import Network
from hwsim.models.networks.slim import Masks, Slim, slim
from hwsim.models.quantization.codes import Aware

__all__ = ["Dataset", "Pull", "accuracy", "apply_masks", "device", "kept", "train_epoch"]


@dataclass(frozen=True)
class Dataset:
    """Images ``(n, C, H, W)`` float32 in 0..1 and labels ``(n,)`` int64."""

    images: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """Count the images."""
        return len(self.labels)

    def split(self, count: int) -> tuple[Dataset, Dataset]:
        """Hold out the last ``count`` images: what is left, and those."""
        rest = len(self) - count
        return (
            Dataset(self.images[:rest], self.labels[:rest]),
            Dataset(self.images[rest:], self.labels[rest:]),
        )


@dataclass(frozen=True)
class Pull:
    """Adds ``rho / 2 ||W - target||^2`` to the loss: its gradient, ``rho (W - target)``."""

    target: Tensor
    rho: float


def device() -> torch.device:
    """Choose where to train: the first CUDA device where there is one."""
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
) -> tuple[dict[str, float], dict[str, Any]]:
    """Train in place for one epoch with AdamW.

    The work is done on a copy without the filters that the masks remove
    (:mod:`hwsim.models.networks.slim`).

    Parameters
    ----------
    network, data, config
        What is trained, on what (training images, images held out), and by which schedule.
    at
        This epoch (from 0) of how many the schedule has.
    optimizer_state
        What the epoch before returned; ``None`` at first.
    generator
        Source of every random choice.
    masks
        Weights outside are 0, by layer; a layer not named is whole.
    free
        Weights outside do not move: those that are fixed, and those outside the masks. ``masks``
        where absent.
    pulls
        Where the weights of a layer are drawn to.
    aware
        Compute with quantized weights.

    Returns
    -------
    figures, optimizer_state
        ``learning_rate``, ``loss``, ``train_accuracy`` and ``heldout_accuracy``; and the state.

    Raises
    ------
    InputError
        The loss is no number any more.
    """
    train, heldout = data
    where = device()
    copy = slim(network, masks)
    worker = copy.network.to(where, memory_format=torch.channels_last)  # type: ignore[call-overload]
    weights = worker.weights()
    moving = _restrict(copy, masks if free is None else free, where)
    still = {name: weights[name].clone() for name in moving}
    drawn = {
        name: Pull(_to(copy, name, pull.target, where), pull.rho)
        for name, pull in (pulls or {}).items()
    }
    if aware is not None:
        aware = Aware(aware.codes, _restrict(copy, masks, where), aware.scales)
    optimizer = torch.optim.AdamW(worker.parameters(), weight_decay=config.weight_decay, fused=True)
    if optimizer_state is not None:
        optimizer.load_state_dict(optimizer_state)
    epoch, epochs = at
    steps = math.ceil(len(train) / config.batch)
    loss_sum, correct, top_rate = 0.0, 0, 0.0
    worker.train()
    order = torch.randperm(len(train), generator=generator)
    for step, chosen in enumerate(torch.split(order, config.batch), epoch * steps):
        rate = config.learning_rate * _schedule(config, step, epochs * steps)
        top_rate = max(top_rate, rate)
        for group in optimizer.param_groups:
            group["lr"] = rate
        labels = train.labels[chosen].to(where)
        images = shift_randomly(train.images[chosen], config.shift, generator).to(where)
        optimizer.zero_grad()
        with aware.substituted(worker) if aware is not None else nullcontext():
            with _precision(config, where):
                logits = worker(images.contiguous(memory_format=torch.channels_last))
                loss = functional.cross_entropy(logits.float(), labels)
            loss.backward()  # type: ignore[no-untyped-call]
        _draw(worker, drawn)
        optimizer.step()
        for name, mask in moving.items():
            torch.where(mask, weights[name], still[name], out=weights[name])
        loss_sum += float(loss.detach()) * len(labels)
        correct += int((logits.detach().argmax(1) == labels).sum())
    if not math.isfinite(loss_sum):
        rule = f"must stay finite: lower learning_rate ({config.learning_rate:g})"
        raise InputError(network.config.name, "loss", loss_sum, rule)
    with aware.substituted(worker) if aware is not None else nullcontext():
        heldout_accuracy = accuracy(worker, heldout)
    copy.give_back(network)
    figures = {
        "learning_rate": top_rate,
        "loss": loss_sum / len(train),
        "train_accuracy": correct / len(train),
        "heldout_accuracy": heldout_accuracy,
    }
    return figures, optimizer.state_dict()


def _precision(config: TrainConfig, where: torch.device) -> torch.autocast:
    # oneDNN's bfloat16 kernels take the place of twice as slow float32 ones where the CPU has them
    wanted = config.precision == "bfloat16"
    return torch.autocast(where.type, torch.bfloat16, enabled=wanted, cache_enabled=False)


def _schedule(config: TrainConfig, step: int, steps: int) -> float:
    warm = max(1, steps // 20)
    if step < warm:
        return (step + 1) / warm
    if config.schedule == "constant":
        return 1.0
    return 0.5 * (1 + math.cos(math.pi * (step - warm) / max(1, steps - warm)))


@torch.no_grad()
def _draw(worker: Network, pulls: Mapping[str, Pull]) -> None:
    for shape, stage in worker.weighted():
        pull = pulls.get(shape.layer.name)
        if pull is not None:
            assert stage.weight.grad is not None
            stage.weight.grad.add_(stage.weight - pull.target, alpha=pull.rho)


def _restrict(copy: Slim, tensors: Mapping[str, Tensor], where: torch.device) -> dict[str, Tensor]:
    return {name: _to(copy, name, tensor, where) for name, tensor in tensors.items()}


def _to(copy: Slim, name: str, tensor: Tensor, where: torch.device) -> Tensor:
    cut = copy.take(name, tensor).to(where)
    return cut.contiguous(memory_format=torch.channels_last) if cut.dim() == 4 else cut.contiguous()


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
    where = next(network.parameters()).device
    correct = 0
    for images, labels in zip(
        torch.split(data.images, batch), torch.split(data.labels, batch), strict=True
    ):
        correct += int((network(images.to(where)).argmax(1) == labels.to(where)).sum())
    return correct / len(data)
