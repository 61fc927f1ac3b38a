"""Play stimuli on one component in the Amaranth simulator, cycle by cycle."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["play", "seeded"]

Inputs = Mapping[str, Any]
Outputs = dict[str, Any]


def play(
    simulate: Callable[..., None],
    dut: Any,
    cycles: Iterable[Inputs] | Callable[[list[Outputs]], Iterable[Inputs]],
    watched: Sequence[str],
) -> list[Outputs]:
    """Set the inputs of each cycle; give the outputs ``watched`` in each of them.

    A port is named as in Python (``token.valid``, ``drain.row``) and keeps its value until it is
    set again. Where the inputs depend on outputs, ``cycles`` is a function that gets the list of
    outputs so far, and yields the inputs of one cycle after the other.
    """
    rows: list[Outputs] = []
    ports = [_port(dut, name) for name in watched]

    async def bench(ctx):
        for inputs in cycles(rows) if callable(cycles) else cycles:
            for name, value in inputs.items():
                ctx.set(_port(dut, name), value)
            _, _, *values = await ctx.tick().sample(*ports)
            rows.append(dict(zip(watched, values, strict=True)))

    simulate(dut, bench)
    return rows


def _port(dut: Any, name: str) -> Any:
    for part in name.split("."):
        dut = getattr(dut, part)
    return dut


def seeded(seed: int) -> np.random.Generator:
    """Generator of a seed that is printed, so that pytest shows it where a test fails."""
    print(f"seed {seed}")
    return np.random.default_rng(seed)
