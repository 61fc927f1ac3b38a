"""McNemar's exact test: whether one model is worse than another on the same images."""

from __future__ import annotations

from dataclasses import dataclass
from math import comb

__all__ = ["Paired"]


@dataclass(frozen=True)
class Paired:
    """Images on which two models differ; those that both get right or wrong say nothing."""

    #: Images that the model alone gets wrong, and that the other alone does.
    lost: int
    gained: int

    @property
    def p(self) -> float:
        """Chance that as many images or more are lost where both models are equally good.

        Each image on which they differ is then lost with probability 1/2.
        """
        differ = self.lost + self.gained
        return sum(comb(differ, k) for k in range(self.lost, differ + 1)) / (1 << differ)

    def margin(self, level: float) -> int:
        """Images more that the model may lose and be equal at a level.

        Below 0: as many of those that it lost it may not have lost.
        """
        more = 0
        if self.p > level:
            while Paired(self.lost + more + 1, self.gained).p > level:
                more += 1
        else:
            while Paired(self.lost + more, self.gained).p <= level:
                more -= 1
        return more
