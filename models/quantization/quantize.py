"""Quantization: float network to the integers of ``hwsim.inference.golden``, and back.

A weight is ``integer * weight_scale``, an activation ``integer * act_scale``; the input's scale is
1/127, so that a pixel of 1.0 is 127. The unit of a partial sum is ``act_scale * weight_scale``;
``multiplier / 2**shift`` converts it to the next layer's scale.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from hwsim.checkpoints.checkpoint import INPUT_SCALE, Checkpoint, LayerWeights
from hwsim.models.networks.network import Network
from hwsim.models.quantization.codes import Codes
from hwsim.models.quantization.scales import fixed_point, scale_of

__all__ = ["calibrate", "dequantize", "fixed_point", "quantize", "scale_of"]

#: Largest integer of an activation.
_ACT_LIMIT = 127


@torch.no_grad()
def quantize(
    network: Network,
    images: Tensor,
    codes: Mapping[str, Codes],
    masks: Mapping[str, Tensor] | None = None,
    scales: Mapping[str, float] | None = None,
) -> dict[str, LayerWeights]:
    """Quantize every layer after training.

    Parameters
    ----------
    network
        Trained float network.
    images
        Training images ``(n, C, H, W)``, 0..1; the ranges of the activations are measured on them.
    codes
        The integers that a weight of each layer may be.
    masks
        ``bool`` tensor of the weight's shape per layer: weights outside are 0 (not stored, where
        the code has no zero). A layer that is not named is whole.
    scales
        Weight scale of each layer; by default the scale of the least squared error.

    Returns
    -------
    layers
        Integers and scales by layer name; the last layer's partial sums are not rescaled.
    """
    act_scales = calibrate(network, images)
    layers = {}
    names = [shape.layer.name for shape, _ in network.weighted()]
    for index, (shape, stage) in enumerate(network.weighted()):
        name = shape.layer.name
        weight, mask = stage.weight.detach(), (masks or {}).get(name)
        weight_scale = scales[name] if scales else _fit(codes[name], weight, mask)
        act_scale = act_scales[name]
        psum_scale = act_scale * weight_scale
        last = index == len(names) - 1
        multiplier, shift = (
            (1, 0) if last else fixed_point(psum_scale / act_scales[names[index + 1]])
        )
        bias = np.zeros(len(weight)) if stage.bias is None else stage.bias.double().numpy()
        integers = codes[name].nearest(weight.double(), weight_scale)
        layers[name] = LayerWeights(
            weight=(integers if mask is None else integers * mask).numpy().astype(np.int8),
            bias=np.rint(bias / psum_scale).astype(np.int32),
            weight_bits=codes[name].numbers.weight_width,
            multiplier=multiplier,
            shift=shift,
            weight_scale=weight_scale,
            weight_code=codes[name].numbers.weight_code,
        )
    return layers


def _fit(codes: Codes, weight: Tensor, mask: Tensor | None) -> float:
    if codes.numbers.weight_code == "int":
        return scale_of(weight.double().numpy(), codes.largest)
    return codes.fit(weight if mask is None else weight[mask])


@torch.no_grad()
def calibrate(network: Network, images: Tensor) -> dict[str, float]:
    """Choose the scale of the activations that enter each layer with weights.

    Parameters
    ----------
    network
        Trained float network.
    images
        ``(n, C, H, W)``, 0..1.

    Returns
    -------
    scales
        Real value of one integer step, by layer name.
    """
    scales: dict[str, float] = {}
    act = images
    network.eval()
    for shape, stage in zip(network.shapes, network.stages, strict=True):
        if shape.has_weights:
            scale = scale_of(act.double().numpy(), _ACT_LIMIT) if scales else INPUT_SCALE
            scales[shape.layer.name] = scale
        act = stage(act.flatten(1) if shape.layer.type == "fc" else act)
        if shape.layer.relu:
            act = torch.relu(act)
    return scales


@torch.no_grad()
def dequantize(network: Network, checkpoint: Checkpoint) -> None:
    """Load a checkpoint's weights and biases into a float network, in place.

    Parameters
    ----------
    network
        Float network; its weights and biases are replaced.
    checkpoint
        Integers of the same network.

    Raises
    ------
    InputError
        The checkpoint is another network's.
    """
    checkpoint.check(network.config)
    act_scale = checkpoint.input_scale
    for shape, stage in network.weighted():
        layer = checkpoint.layers[shape.layer.name]
        scales = layer.weight_scales
        channels = scales.reshape(-1, *[1] * (layer.weight.ndim - 1))
        stage.weight.copy_(torch.from_numpy(layer.weight * channels))
        psum_scales = act_scale * scales
        if stage.bias is not None:
            stage.bias.copy_(torch.from_numpy(layer.bias * psum_scales))
        # one for all channels, but for the rounding of their multipliers
        act_scale = float(np.median(psum_scales * 2.0**layer.shifts / layer.multipliers))
