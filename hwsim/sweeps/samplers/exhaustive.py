"""Every point of a space, or of one shard of it."""

from __future__ import annotations

from collections.abc import Sequence

from hwsim.sweeps.samplers.base import Outcome

__all__ = ["Exhaustive"]


class Exhaustive:
    """Asks for every ``shards``-th point, beginning at ``shard``: a single batch, never a list."""

    def __init__(self, size: int, shard: int = 0, shards: int = 1) -> None:
        self._left = range(shard, size, shards)
        self.total = len(self._left)

    def ask(self) -> Sequence[int]:
        """All points, then none."""
        asked, self._left = self._left, range(0)
        return asked

    def tell(self, number: int, outcome: Outcome) -> None:
        """Hear nothing: what comes of a point decides nothing."""
