"""Layers that only move activations: parts of channels, interleaved groups, blocks of pixels."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hwsim.config import LayerConfig

__all__ = ["rearranged"]

T = TypeVar("T", bound=np.generic)


def rearranged(layer: LayerConfig, act: NDArray[T]) -> NDArray[T]:
    """Compute a layer that only moves activations (:attr:`LayerConfig.moves`).

    Parameters
    ----------
    layer
        ``slice`` takes ``M`` channels from ``first`` on. ``shuffle`` takes the first channel of
        each of ``G`` groups, then the second of each. ``upsample`` repeats each pixel ``stride``
        times. ``depth_to_space`` makes a block of ``stride`` pixels of each pixel: the channels of
        its first pixel come first (ONNX's DCR). ``space_to_depth`` undoes that. ``crop`` leaves
        ``padding`` pixels out at each side.
    act
        ``(images, C, H, W)``.

    Returns
    -------
    (images, M, P, Q) array of the same type
    """
    images, channels, height, width = act.shape
    down, right = layer.strides
    if layer.type == "slice":
        return act[:, layer.first : layer.first + (layer.M or 0)]
    if layer.type == "shuffle":
        groups = act.reshape(images, layer.G, -1, height, width)
        return groups.swapaxes(1, 2).reshape(act.shape)
    if layer.type == "upsample":
        return act.repeat(down, axis=2).repeat(right, axis=3)
    if layer.type == "depth_to_space":
        blocks = act.reshape(images, down, right, -1, height, width).transpose(0, 3, 4, 1, 5, 2)
        return blocks.reshape(images, -1, height * down, width * right)
    if layer.type == "space_to_depth":
        size = (images, channels, height // down, down, width // right, right)
        blocks = act.reshape(size).transpose(0, 3, 5, 1, 2, 4)
        return blocks.reshape(images, -1, height // down, width // right)
    top, left, bottom, beyond = layer.pads
    return act[:, :, top : height - bottom, left : width - beyond]
