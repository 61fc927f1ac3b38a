"""What a run costs: cycles by cause, and events."""

from __future__ import annotations

from dataclasses import dataclass, field

__all__ = ["Counts"]


@dataclass(frozen=True)
class Counts:
    """Cycles of a run, in total and by cause, and how often what happened.

    ``causes`` maps a status group (``array``; or ``control`` and ``pe``) to cycles by cause. A
    group of one member sums to ``cycles``; the group of P PEs sums to ``P * cycles``. ``events``
    maps an event of the family (:attr:`hwsim.config.arrays.base.ArrayConfig.EVENTS`) to how often
    it happened.
    """

    cycles: int
    causes: dict[str, dict[str, int]] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        """Counts of two runs one after the other."""
        groups = self.causes | other.causes
        return Counts(
            self.cycles + other.cycles,
            {
                group: _sum(self.causes.get(group, {}), other.causes.get(group, {}))
                for group in groups
            },
            _sum(self.events, other.events),
        )

    def scaled(self, times: int) -> Counts:
        """Counts of ``times`` identical runs one after the other."""
        return Counts(
            self.cycles * times,
            {g: {c: n * times for c, n in names.items()} for g, names in self.causes.items()},
            {event: n * times for event, n in self.events.items()},
        )


def _sum(one: dict[str, int], other: dict[str, int]) -> dict[str, int]:
    return {name: one.get(name, 0) + other.get(name, 0) for name in one | other}
