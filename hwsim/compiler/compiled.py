"""A compiled network: its program, and how its images and results lie in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.program import Program
from hwsim.compiler.bits import to_bytes
from hwsim.compiler.layout import Map, Unrolled

__all__ = ["Compiled"]


@dataclass(frozen=True)
class Compiled:
    """A network compiled for ``images`` at once.

    Attributes
    ----------
    source
        Layout of each input.
    result
        Layout of each result that leaves as activations; absent where sums leave whole.
    classes
        Values of each result.
    """

    program: Program
    source: Map | Unrolled
    result: Map | None
    classes: int
    images: int

    def inputs(self, act: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Region of the inputs, of activations ``(images, C, H, W)``."""
        shape, bus = self.program.shape, self.program.arch.bus.bytes
        parts = []
        for image in act:
            words = to_bytes([(self.source.image(image), shape.act_width)], shape.act_bits)
            flat = words.reshape(-1)
            parts.append(np.pad(flat, (0, -len(flat) % bus)))
        return np.concatenate(parts)

    def outputs(self, region: NDArray[np.uint8]) -> NDArray[np.int64]:
        """Results ``(images, classes)`` from the region of the outputs."""
        shape = self.program.shape
        if self.result is None:
            width = shape.psum_width
            folds = -(-self.classes // shape.ofmap_lanes)
            beats = shape.raw_beats * shape.ofmap_lanes * shape.act_width
            per_image = folds * beats
        else:
            width, per_image = shape.act_width, self.result.words * shape.act_bits
        bits = np.unpackbits(region, bitorder="little")
        taken = bits[: self.images * per_image].reshape(self.images, -1, width).astype(np.int64)
        values: NDArray[np.int64] = taken @ (1 << np.arange(width, dtype=np.int64))
        signed = values - ((values >> (width - 1)) << width)
        if self.result is None:
            whole: NDArray[np.int64] = signed[:, : self.classes]
            return whole
        tensor = self.result.shape
        grid = signed.reshape(self.images, tensor.height, tensor.width, -1)
        found = grid[..., : tensor.channels].transpose(0, 3, 1, 2).reshape(self.images, -1)
        return found

    def image(self, act: NDArray[np.integer]) -> NDArray[np.uint8]:
        """All of memory: constants, inputs of ``(images, C, H, W)``, zeros for the outputs."""
        memory = np.zeros(self.program.size, np.uint8)
        constants, inputs = self.program.image(), self.inputs(act)
        first = self.program.bases()[1]
        memory[: len(constants)] = constants
        memory[first : first + len(inputs)] = inputs
        return memory
