"""Weights and scales as the machine's memories hold them: filters in groups that fit a half."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.program import Constants
from hwsim.accelerator.tile import Load
from hwsim.arrays.base import array_model
from hwsim.compiler.bits import to_bytes
from hwsim.config import ArchConfig
from hwsim.config.shape import MULTIPLIER_BITS, SHIFT_BITS, MachineShape
from hwsim.errors import InputError

__all__ = ["Chunk", "Scale", "Weights"]

Ints = NDArray[np.integer]


@dataclass(frozen=True)
class Scale:
    """Bias, multiplier and shift of each channel."""

    bias: Ints
    multiplier: Ints
    shift: Ints

    @classmethod
    def of(cls, bias: Ints, multiplier: int | Ints, shift: int | Ints) -> Scale:
        """Scale of channels; a single multiplier or shift is that of all."""
        return cls(
            bias, np.broadcast_to(multiplier, bias.shape), np.broadcast_to(shift, bias.shape)
        )


@dataclass
class Chunk:
    """Filters whose weights lie in a half together: folds ``first`` to ``first + m_folds``."""

    first: int
    m_folds: int
    k_folds: int
    half: int
    loads: tuple[Load, ...] = field(default=())

    def take(self) -> tuple[Load, ...]:
        """Blocks of the chunk for the first tile that needs them, none for the others."""
        loads, self.loads = self.loads, ()
        return loads


class Weights:
    """Weights and scales of a program; the halves take turns.

    Parameters
    ----------
    arch
        The design.
    constants
        Where blocks are put.
    """

    def __init__(self, arch: ArchConfig, constants: Constants) -> None:
        assert arch.memory is not None
        self.arch, self.memory, self.constants = arch, arch.memory, constants
        self.shape = MachineShape.of(arch)
        self.half = 1

    def turn(self) -> int:
        """The other half."""
        self.half ^= 1
        return self.half

    def scale(self, scale: Scale) -> tuple[int, Load]:
        """Half and block of the scales of one beat of channels."""
        half = self.turn()
        return half, self.constants.load("scale", half, self._scales(scale, 1))

    def chunks(self, name: str, matrix: Ints, scale: Scale) -> Iterator[Chunk]:
        """Filters of a layer, in groups.

        Parameters
        ----------
        matrix
            ``(M, K)``: K in the order of the feeder, whole beats.

        Raises
        ------
        InputError
            One fold of filters does not fit, or a weight has no code.
        """
        model, cols = array_model(self.arch), self.shape.ofmap_lanes
        k_folds = matrix.shape[1] // self.shape.act_lanes
        one = model.weight_words(self.arch, matrix[:1], name)
        per_fold = len(next(iter(one.values())))
        most = min(self.memory.weight_depth // per_fold, self.memory.scale_depth)
        if most == 0:
            limit = self.memory.weight_depth
            rule = f"must be at most memory.weight_depth, {limit}: words of one fold of filters"
            raise InputError(self.arch.name, name, per_fold, rule)
        widths = self.arch.array.weight_fields(self.arch.numbers)
        total = -(-len(matrix) // cols)
        for first in range(0, total, most):
            m_folds = min(most, total - first)
            part = slice(first * cols, (first + m_folds) * cols)
            words = model.weight_words(self.arch, matrix[part], name)
            fields = [(v.reshape(len(v), -1), widths[key]) for key, v in words.items()]
            packed = to_bytes(fields, self.shape.weight_word)
            of_part = Scale(scale.bias[part], scale.multiplier[part], scale.shift[part])
            half = self.turn()
            loads = (
                self.constants.load("weight", half, packed),
                self.constants.load("scale", half, self._scales(of_part, m_folds)),
            )
            yield Chunk(first, m_folds, k_folds, half, loads)

    def _scales(self, scale: Scale, words: int) -> NDArray[np.uint8]:
        """Words of the scale memory; channels beyond the last are 0."""
        lanes = self.shape.ofmap_lanes
        columns = []
        for values in (scale.bias, scale.multiplier, scale.shift):
            padded = np.zeros(words * lanes, np.int64)
            padded[: len(values)] = values
            columns.append(padded.reshape(words, lanes))
        widths = (self.shape.psum_width, MULTIPLIER_BITS, SHIFT_BITS)
        fields = [
            (column[:, lane : lane + 1], width)
            for lane in range(lanes)
            for column, width in zip(columns, widths, strict=True)
        ]
        return to_bytes(fields, self.shape.scale_word)
