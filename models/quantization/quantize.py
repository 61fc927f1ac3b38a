"""Quantization: float network to the integers of ``hwsim.inference.golden``, and back.

A weight is ``integer * weight_scale``, an activation ``integer * act_scale``; the input's scale is
1/127, so that a pixel of 1.0 is 127. The unit of a partial sum is ``act_scale * weight_scale``;
``multiplier / 2**shift`` converts it to the scale of the layer's activations. Sums of layers and
averages have a multiplier for each input.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor

from hwsim.checkpoints.checkpoint import INPUT_SCALE, Checkpoint, LayerWeights, Rescale
from hwsim.config import LayerShape
from hwsim.models.networks.network import Network
from hwsim.models.quantization.codes import Codes
from hwsim.models.quantization.scales import averaged, fixed_point, rescale, scale_of

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
) -> tuple[dict[str, LayerWeights], dict[str, Rescale]]:
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
    rescales
        Multipliers of the layers without weights that sum or average, by name.
    """
    act_scales = calibrate(network, images)
    layers = {}
    for shape, stage in network.weighted():
        name = shape.layer.name
        weight, mask = stage.weight.detach(), (masks or {}).get(name)
        weight_scale = scales[name] if scales else _fit(codes[name], weight, mask)
        psum_scale = act_scales[network.reads[name][0]] * weight_scale
        last = shape is network.shapes[-1]
        multiplier, shift = (1, 0) if last else fixed_point(psum_scale / act_scales[name])
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
    rescales = {}
    for shape in network.shapes:
        name = shape.layer.name
        if shape.layer.rescales:
            unit = act_scales[name] * averaged(shape)
            rescales[name] = rescale([act_scales[each] / unit for each in network.reads[name]])
    return layers, rescales


def _fit(codes: Codes, weight: Tensor, mask: Tensor | None) -> float:
    if codes.numbers.weight_code == "int":
        return scale_of(weight.double().numpy(), codes.largest)
    return codes.fit(weight if mask is None else weight[mask])


@torch.no_grad()
def calibrate(network: Network, images: Tensor) -> dict[str, float]:
    """Choose the scale of the input and of each layer's activations.

    A max-pool has its input's scale. Where nothing else reads that input, the scale is chosen for
    what the pool gives.

    Parameters
    ----------
    network
        Trained float network.
    images
        ``(n, C, H, W)``, 0..1.

    Returns
    -------
    scales
        Real value of one integer step: of ``input`` and by layer name. The last layer with weights
        has none where it is the last layer.
    """
    network.eval()
    scales, givers = {"input": INPUT_SCALE}, _givers(network)
    for name, act in network.acts(images):
        giver = givers.get(name)
        if giver is not None and giver not in scales:
            scales[giver] = scale_of(act.double().numpy(), _ACT_LIMIT)
    for shape in network.shapes:
        if shape.layer.keeps_scale:
            scales[shape.layer.name] = scales[network.reads[shape.layer.name][0]]
    return scales


def _givers(network: Network) -> dict[str, str]:
    """By layers whose activations are looked at: the layers whose scale follows from them."""
    readers: dict[str, list[LayerShape]] = {}
    for shape in network.shapes:
        for source in network.reads[shape.layer.name]:
            readers.setdefault(source, []).append(shape)
    givers = {}
    for shape in network.shapes:
        if shape.layer.keeps_scale or (shape.has_weights and shape is network.shapes[-1]):
            continue
        seen = shape.layer.name
        while len(readers.get(seen, [])) == 1 and readers[seen][0].layer.keeps_scale:
            seen = readers[seen][0].layer.name
        givers[seen] = shape.layer.name
    return givers


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
    stages = {shape.layer.name: stage for shape, stage in network.weighted()}
    act_scales = {"input": checkpoint.input_scale}
    for shape in network.shapes:
        name = shape.layer.name
        before = np.array([act_scales[each] for each in network.reads[name]])
        if name in stages:
            layer, stage = checkpoint.layers[name], stages[name]
            scales = layer.weight_scales
            channels = scales.reshape(-1, *[1] * (layer.weight.ndim - 1))
            stage.weight.copy_(torch.from_numpy(layer.weight * channels))
            psum_scales = before[0] * scales
            if stage.bias is not None:
                stage.bias.copy_(torch.from_numpy(layer.bias * psum_scales))
            # one for all channels, but for the rounding of their multipliers
            act_scales[name] = float(np.median(psum_scales * 2.0**layer.shifts / layer.multipliers))
        elif shape.layer.rescales:
            own = checkpoint.rescales[name]
            # one for all inputs, but for the rounding of their multipliers
            factors = np.array(own.multipliers) * 2.0**-own.shift * averaged(shape)
            act_scales[name] = float(before.sum() / factors.sum())
        else:
            act_scales[name] = before[0]
