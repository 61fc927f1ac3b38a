"""One command for the array and for what is before it."""

from __future__ import annotations

from typing import Protocol

from hwsim.arrays.base import Job, Pauses
from hwsim.arrays.streams import Source
from hwsim.arrays.systolic.model import Ints

__all__ = ["Fork", "Taker"]


class Taker(Protocol):
    """What is before the array."""

    @property
    def ready(self) -> bool:
        """Whether a command would be taken."""

    def accept(self, command: dict[str, Ints]) -> None:
        """Take a command; it starts with the next cycle."""


class Fork(Source):
    """The ``command`` stream, taken by the array and by what is before it together."""

    def __init__(self, job: Job, pauses: Pauses, taker: Taker) -> None:
        super().__init__(job, "command", pauses)
        self._taker = taker

    def valid(self, cycle: int) -> bool:
        """Whether a command is offered and the taker would take it."""
        return super().valid(cycle) and self._taker.ready

    def take(self) -> dict[str, Ints]:
        """Transfer the command to both."""
        command = super().take()
        self._taker.accept(command)
        return command
