"""What each layer of a pruned network costs on hardware, for hardware-aware pruning."""

from __future__ import annotations

from functools import reduce
from operator import add

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import array_model
from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.jobs.hardware_aware import HardwareAwareConfig
from hwsim.cost import breakeven
from hwsim.errors import InputError
from hwsim.formats import measure
from hwsim.formats.base import Bits
from hwsim.inference.operands import on_images
from hwsim.workload.layer import Layer

__all__ = ["PORTIONS", "LayerCosts", "in_own_code"]

#: Pruned portions in which break-even is looked for: layers may keep a few weights of a thousand.
PORTIONS = (*breakeven.PORTIONS, 0.98, 0.99, 0.995)


def in_own_code(arch: ArchConfig, layer: LayerWeights) -> ArchConfig:
    """Give a design the width and code of one layer's weights, to measure their stored bits."""
    numbers = arch.numbers.model_copy(
        update={"weight_width": layer.weight_bits, "weight_code": layer.weight_code}
    )
    return arch.model_copy(update={"numbers": numbers})


class LayerCosts:
    """Costs under one objective: of pruned layers on ``arch``, of those restored on ``dense``.

    Parameters
    ----------
    start
        The unpruned network, from whose weights break-even is measured.
    images
        ``(n, H, W)`` unsigned 8-bit pixels, run as one batch; none of the test images.

    Raises
    ------
    InputError
        A design is missing or bad, or the two differ in multipliers.
    """

    def __init__(
        self,
        config: HardwareAwareConfig,
        network: NetworkConfig,
        start: Checkpoint,
        images: NDArray[np.uint8],
    ) -> None:
        self.arch = ArchConfig.read(config.arch)
        self.dense = (
            breakeven.dense_rival(self.arch)
            if config.dense is None
            else ArchConfig.read(config.dense)
        )
        if self.arch.array.multipliers != self.dense.array.multipliers:
            rule = f"must have {self.arch.array.multipliers} multipliers, as {self.arch.name}"
            raise InputError(self.dense.name, "array", self.dense.array.multipliers, rule)
        self._objective = config.objective
        self._network, self._start, self._images = network, start, images
        self._pixels = {shape.layer.name: shape.pixels for shape in network.shapes()}

    def break_even(self) -> dict[str, float | None]:
        """Pruned portion from which on each layer takes no more cycles than dense."""
        operands = on_images(self._network, self._start, self._images)
        return {
            name: breakeven.measure(self.arch, self.dense, layer, "real", portions=PORTIONS).portion
            for name, layer in operands.items()
        }

    def of(self, checkpoint: Checkpoint, restored: frozenset[str]) -> dict[str, float]:
        """Cost of each layer; those in ``restored`` run on the dense design."""
        operands = on_images(self._network, checkpoint, self._images)
        return {
            name: float(self._layer(layer, checkpoint.layers[name], name in restored))
            for name, layer in operands.items()
        }

    def _layer(self, layer: Layer, weights: LayerWeights, is_dense: bool) -> int:
        gemms = layer.gemms()
        arch = self.dense if is_dense else self.arch
        if self._objective == "cycles":
            return sum(array_model(arch).count(arch, gemm).cycles for gemm in gemms)
        if self._objective == "bits":
            own = in_own_code(arch, weights)
            sizes = [measure(own, g.weight, (g.M, g.K), g.channels, layer.name) for g in gemms]
            return reduce(add, sizes, Bits()).total
        left = int(np.count_nonzero(weights.weight))
        return left * self._pixels[layer.name] if self._objective == "macs" else left
