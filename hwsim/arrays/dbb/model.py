"""Cycle model of the density-bound-block family: an output-stationary array behind an encoder."""

from __future__ import annotations

from hwsim.arrays.base import Job, Pauses, Words
from hwsim.arrays.dbb.encoder import Encoder
from hwsim.arrays.systolic.model import Ints
from hwsim.arrays.systolic.os import OSModel
from hwsim.config import ArchConfig, DBBConfig
from hwsim.formats import codes

__all__ = ["DBBModel"]


class DBBModel(OSModel):
    """The array, cycle by cycle."""

    def __init__(self, arch: ArchConfig, job: Job, pauses: Pauses) -> None:
        super().__init__(arch, job, pauses)
        self.act_stream = self.encoder = Encoder(arch.array_as(DBBConfig), self._job, pauses)

    @staticmethod
    def weight_values(arch: ArchConfig, words: Words) -> Ints:
        """Integers ``(transfers, lanes, m)`` of the words of the weight stream."""
        return codes.decode(words["weight"], arch.numbers)

    def step(self) -> str:
        """Pass one cycle; return its cause."""
        cause = super().step()
        self.encoder.step()
        return cause

    def spans(self) -> tuple[bool, bool]:
        """Whether the activations on offer are the first, the last of their blocks."""
        return self.encoder.opens, self.encoder.offered and self.encoder.closes

    def _control(self, step: bool, last: bool) -> None:
        self.events["blocks"] += step
        super()._control(step, last)
