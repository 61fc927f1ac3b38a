"""Train an imported network on labelled images, so that its pruned weights are made up for.

Weights that are 0 in a pruned layer stay 0; all others, and the biases, move. Normalization is
folded into the weights before, so that learning rates are those of fine-tuning.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional

from hwsim.config.jobs.compress import TrainConfig
from hwsim.errors import InputError
from hwsim.models.importers.calibrate import Images, real
from hwsim.models.importers.float_model import FloatModel
from hwsim.models.networks.graph import GraphNetwork
from hwsim.models.training.train import device, schedule, shift_randomly

__all__ = ["retrain"]


def retrain(
    model: FloatModel,
    pruned: Collection[str],
    images: Images,
    labels: NDArray[np.int64],
    config: TrainConfig,
    seed: int = 0,
    progress: Callable[[str], None] = lambda what: None,
) -> FloatModel:
    """Train a network.

    Parameters
    ----------
    model
        The network, its weights pruned.
    pruned
        Layers whose zeros stay.
    images, labels
        ``(n, C, H, W)`` as of :func:`hwsim.models.importers.calibrate.quantize`; ``(n,)`` classes.
    config
        Schedule of AdamW.
    seed
        Of the order of the images, and of their moves.
    progress
        Called with each epoch and its loss.

    Returns
    -------
    FloatModel
        With other weights and biases.

    Raises
    ------
    InputError
        A layer cannot be trained, or the loss is not finite any more.
    """
    # one thread makes a run repeatable: with more, sums change their order
    torch.set_num_threads(1)
    names = list(model.layers)
    network = GraphNetwork(
        model.config,
        {name: model.layers[name].weight for name in names},
        {name: model.layers[name].bias for name in names},
    ).to(device())
    masks = {name: network.weight(name).detach() != 0 for name in names if name in pruned}
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=config.weight_decay)
    generator = torch.Generator().manual_seed(seed)
    classes = torch.from_numpy(np.asarray(labels, np.int64))
    batches = math.ceil(len(classes) / config.batch)
    for epoch in range(config.epochs):
        total = 0.0
        order = torch.randperm(len(classes), generator=generator)
        for step, chosen in enumerate(torch.split(order, config.batch), epoch * batches):
            for group in optimizer.param_groups:
                rate = schedule(config, step, config.epochs * batches)
                group["lr"] = config.learning_rate * rate
            batch = shift_randomly(
                torch.from_numpy(real(images[chosen.numpy()])), config.shift, generator
            )
            optimizer.zero_grad()
            logits = network(batch.to(device()))
            loss = functional.cross_entropy(logits, classes[chosen].to(device()))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            with torch.no_grad():
                for name, mask in masks.items():
                    network.weight(name).mul_(mask)
            total += float(loss.detach()) * len(chosen)
        progress(f"training: epoch {epoch + 1} of {config.epochs}, loss {total / len(classes):.4f}")
        if not math.isfinite(total):
            rule = f"must stay finite: lower the learning rate ({config.learning_rate:g})"
            raise InputError(model.config.name, "loss", total, rule)
    return replace(
        model,
        layers={
            name: replace(
                own,
                weight=network.weight(name).detach().cpu().numpy(),
                bias=network.bias(name).detach().cpu().numpy(),
                steps=None,
            )
            for name, own in model.layers.items()
        },
        grids={},
    )
