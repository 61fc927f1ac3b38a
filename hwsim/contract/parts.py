"""Parts that an array is composed of, each with how often it occurs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["AROUND", "Part", "linear", "places"]


@dataclass(frozen=True)
class Part:
    """One module of the RTL of a small array of the same kind, its *probe*.

    What grows with the array is written as a straight line through probes of two sizes, so a
    ``count`` may be a fraction or less than 0.
    """

    #: What it belongs to: ``pe``, ``control``, ``accumulator`` ...
    group: str
    #: Path of the module below the probe's top; ``""`` is the top itself.
    path: str
    #: Fields of ``array`` in which the probe differs from the design.
    probe: Mapping[str, int] = field(default_factory=dict)
    count: float = 1.0
    #: Without what its submodules hold.
    is_own: bool = False
    #: A module of the machine around the array, which is not in it; the probe is the design.
    is_around: bool = False

    def fields(self, array: Mapping[str, Any]) -> dict[str, Any]:
        """``array`` section of the probe."""
        return dict(array) | dict(self.probe)


def linear(
    group: str,
    path: str,
    sizes: Mapping[str, tuple[int, int, int]],
    *,
    is_own: bool = False,
) -> list[Part]:
    """Write a module as linear in several fields.

    Parameters
    ----------
    sizes
        Field -> its value in the design, and the two values at which the module is measured.
    """
    base = {name: low for name, (_, low, _) in sizes.items()}
    steps = {name: (size - low) / (high - low) for name, (size, low, high) in sizes.items()}
    parts = [Part(group, path, base, 1 - sum(steps.values()), is_own)]
    parts += [
        Part(group, path, base | {name: high}, steps[name], is_own)
        for name, (_, _, high) in sizes.items()
    ]
    return [part for part in parts if part.count]


def places(size: int, probe: int = 3) -> dict[int, int]:
    """Kinds of rows (or columns) of a grid: place in a probe of ``probe`` -> how many alike.

    The first and the last differ from those between them.
    """
    if size <= probe:
        return dict.fromkeys(range(size), 1)
    return {0: 1, 1: size - 2, probe - 1: 1}


#: Parts of every machine, its array apart.
AROUND = tuple(
    Part(group, path, is_own=path == "machine", is_around=True)
    for group, path in (
        ("host", "machine.registers"), ("host", "machine.counters"),
        ("sequencer", "machine.sequencer"), ("load", "machine.load"), ("store", "machine.store"),
        ("banks", "machine.banks"), ("banks", "machine.weights"), ("banks", "machine.scales"),
        ("execute", "machine.execute"), ("wires", "machine"),
    )
)  # fmt: skip
