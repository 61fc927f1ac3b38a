"""Both ends of a stream in a cycle model."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Pauses, is_paused

__all__ = ["Sink", "Source"]


class Source:
    """The bench's end of an input stream: words in order, held from the offer to the transfer."""

    def __init__(self, job: Job, stream: str, pauses: Pauses) -> None:
        _check(stream, pauses)
        self._words = job.inputs[stream]
        self._transfers = len(next(iter(self._words.values())))
        self._stream, self._pauses = stream, pauses
        self._taken, self._held = 0, False

    def valid(self, cycle: int) -> bool:
        """Whether a word is offered in ``cycle``; ask once per cycle."""
        if self._taken == self._transfers:
            return False
        self._held = self._held or not is_paused(self._pauses, self._stream, cycle)
        return self._held

    def peek(self) -> dict[str, NDArray[np.int64]]:
        """The word offered: each field as the array (or scalar) it is in the job."""
        return self._word()

    def take(self) -> dict[str, NDArray[np.int64]]:
        """Transfer the word offered."""
        word = self._word()
        self._taken += 1
        self._held = False
        return word

    def _word(self) -> dict[str, NDArray[np.int64]]:
        return {field: values[self._taken] for field, values in self._words.items()}


class Sink:
    """The bench's end of the ``ofmap`` stream: the transfers taken, ``(transfers, lanes)``."""

    def __init__(self, job: Job, pauses: Pauses) -> None:
        _check("ofmap", pauses)
        self.payloads = np.zeros(job.ofmap_index.shape, dtype=np.int64)
        self.taken = 0
        self._pauses = pauses

    @property
    def done(self) -> bool:
        """Whether the job's last transfer has been seen."""
        return self.taken == len(self.payloads)

    def ready(self, cycle: int) -> bool:
        """Whether an offer would be taken in ``cycle``."""
        return not is_paused(self._pauses, "ofmap", cycle)

    def take(self, payload: NDArray[np.int64]) -> None:
        """Transfer the payload offered."""
        self.payloads[self.taken] = payload
        self.taken += 1


def _check(stream: str, pauses: Pauses) -> None:
    pattern = pauses.get(stream)
    if pattern is not None and len(pattern) and bool(np.all(pattern)):
        raise ValueError(f"pauses of {stream} must leave a cycle in which it does not pause")
