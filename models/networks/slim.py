"""Remove pruned filters physically: an equivalent, smaller network."""

from __future__ import annotations

import copy
from dataclasses import dataclass

import torch
from torch import Tensor

from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.models.networks.network import Network

__all__ = ["Masks", "Slim", "slim"]

#: Layer name -> ``bool`` tensor of the weight's shape: weights that may be non-zero.
Masks = dict[str, Tensor]


@dataclass(frozen=True)
class Slim:
    """A narrower copy of a network, and the rows and columns of each weight that it kept.

    ``rows`` and ``columns`` are int64 indices into the weight ``(M, columns, ...)``, by layer name.
    """

    network: Network
    rows: dict[str, Tensor]
    columns: dict[str, Tensor]

    def take(self, name: str, tensor: Tensor) -> Tensor:
        """Cut a tensor of the layer's weight shape to the copy's shape."""
        return tensor[self.rows[name]][:, self.columns[name]]

    def put(self, name: str, narrow: Tensor, whole: Tensor) -> None:
        """Write a tensor of the copy's weight shape into one of the layer's, in place."""
        where = self.rows[name][:, None], self.columns[name]
        whole[where] = narrow.to(whole.device)

    @torch.no_grad()
    def give_back(self, network: Network) -> None:
        """Write the copy's weights, biases and normalization back into the original network."""
        network.norms.load_state_dict(self.network.norms.state_dict())
        for (shape, stage), (_, narrow) in zip(
            network.weighted(), self.network.weighted(), strict=True
        ):
            self.put(shape.layer.name, narrow.weight, stage.weight)
            if stage.bias is not None and narrow.bias is not None:
                stage.bias[self.rows[shape.layer.name]] = narrow.bias.to(stage.bias.device)


@torch.no_grad()
def slim(network: Network, masks: Masks) -> Slim:
    """Copy a network without the filters that its masks remove whole.

    Such a filter computes a constant 0, so the copy differs only in the order of sums. Layers whose
    outputs are summed keep all filters, as the sum's other inputs may have theirs. A network with
    grouped convolutions is copied whole.

    Parameters
    ----------
    network
        The network.
    masks
        ``bool`` tensor of the weight's shape per layer, without dead paths
        (:func:`hwsim.models.compress.pruning.purify`). A layer that is not named is whole. There
        are none while the network is normalized.

    Raises
    ------
    InputError
        A layer has no weight left.
    """
    layers = list(network.weighted())
    rows: dict[str, Tensor] = {}
    columns: dict[str, Tensor] = {}
    channels = {"input": torch.arange(network.config.input.channels)}
    grouped, whole = any(shape.layer.G > 1 for shape, _ in layers), _whole(network)
    for shape in network.shapes:
        name = shape.layer.name
        source = channels[network.reads[name][0]]
        channels[name] = source
        if not shape.has_weights:
            continue
        alive = torch.arange(shape.ofmap.channels)
        if name in masks and not grouped and name not in whole:
            alive = masks[name].flatten(1).any(dim=1).nonzero().flatten()
        if name in masks and not masks[name].any():
            rule = "must keep at least one weight: nothing would pass through the network"
            raise InputError(network.config.name, f"layers.{name}", 0, rule)
        rows[name] = alive
        columns[name] = source
        if shape.layer.type == "fc":
            positions = shape.ifmap.height * shape.ifmap.width
            columns[name] = (source[:, None] * positions + torch.arange(positions)).flatten()
        elif grouped:
            columns[name] = torch.arange(shape.C)
        channels[name] = alive
    narrow = Network(_narrowed(network.config, {name: len(each) for name, each in rows.items()}))
    narrow.norms = copy.deepcopy(network.norms)
    result = Slim(narrow, rows, columns)
    for (shape, stage), (_, target) in zip(layers, narrow.weighted(), strict=True):
        name = shape.layer.name
        target.weight.copy_(result.take(name, stage.weight))
        if stage.bias is not None and target.bias is not None:
            target.bias.copy_(stage.bias[rows[name]])
    return result


def _whole(network: Network) -> set[str]:
    """Layers that keep every channel: those whose channels a sum or the network's outputs have."""
    whole = {network.shapes[-1].layer.name}
    for shape in reversed(network.shapes):
        name = shape.layer.name
        if shape.layer.type == "add" or (name in whole and not shape.has_weights):
            whole.update(network.reads[name])
    return whole


def _narrowed(config: NetworkConfig, filters: dict[str, int]) -> NetworkConfig:
    layers = [
        layer.model_copy(update={"M": filters[layer.name]}) if layer.name in filters else layer
        for layer in config.layers
    ]
    return config.model_copy(update={"layers": layers})
