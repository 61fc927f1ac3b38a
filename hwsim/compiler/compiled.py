"""A compiled network: its program, and how its images and results lie in memory."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.program import Program
from hwsim.compiler.bits import to_bytes
from hwsim.compiler.layout import Map, Sums, Unrolled
from hwsim.config import TensorShape

__all__ = ["Compiled"]


@dataclass(frozen=True)
class Compiled:
    """A network compiled for ``images`` at once.

    Attributes
    ----------
    source
        Layout of each input.
    result
        Layout of each result: a map of activations, or the sums of the last layer, pixel after
        pixel, each with its folds of filters.
    """

    program: Program
    source: Map | Unrolled
    result: Map | Unrolled
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
        """Results ``(images, values)``, channel by channel, from the region of the outputs."""
        bits = self._bits()
        width = bits.shape[-1]
        taken = np.unpackbits(region, bitorder="little")[bits].astype(np.int64)
        values: NDArray[np.int64] = taken @ (1 << np.arange(width, dtype=np.int64))
        signed: NDArray[np.int64] = values - ((values >> (width - 1)) << width)
        return signed

    def expected(self, values: NDArray[np.integer]) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
        """Region of the outputs that holds results ``(images, values)``, and the bits that count.

        The inverse of :meth:`outputs`: lanes beyond the last channel do not count.
        """
        bits, size = self._bits(), self.program.output_bytes
        planes, counts = np.zeros((2, 8 * size), np.uint8)
        planes[bits] = (values[..., None] >> np.arange(bits.shape[-1])) & 1
        counts[bits] = 1
        return np.packbits(planes, bitorder="little"), np.packbits(counts, bitorder="little")

    def _bits(self) -> NDArray[np.int64]:
        """Bits of each result in the region of the outputs: ``(images, values, width)``."""
        shape, result, tensor = self.program.shape, self.result, self.result.shape
        assert isinstance(tensor, TensorShape)
        width = shape.psum_width if isinstance(result, Sums) else shape.act_width
        pixel = result.blocks * shape.act_bits
        pixels = pixel * np.arange(tensor.height * tensor.width)
        lanes = (width * np.arange(tensor.channels))[:, None] + pixels
        images = np.arange(self.images) * result.words * shape.act_bits
        firsts = images[:, None] + lanes.reshape(-1)
        found: NDArray[np.int64] = firsts[..., None] + np.arange(width)
        return found

    def image(self, act: NDArray[np.integer]) -> NDArray[np.uint8]:
        """All of memory: constants, inputs of ``(images, C, H, W)``, zeros for the outputs."""
        memory = np.zeros(self.program.size, np.uint8)
        constants, inputs = self.program.image(), self.inputs(act)
        first = self.program.bases()[1]
        memory[: len(constants)] = constants
        memory[first : first + len(inputs)] = inputs
        return memory
