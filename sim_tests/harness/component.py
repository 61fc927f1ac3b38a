"""Play stimuli on one component in the Amaranth simulator, cycle by cycle."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["play", "seeded"]


def play(
    simulate: Callable[..., None],
    dut: Any,
    cycles: Iterable[Mapping[str, Any]],
    watched: Sequence[str],
) -> list[dict[str, Any]]:
    """Set the inputs of each cycle; give the outputs ``watched`` in each of them.

    A port is named as in Python (``token.valid``, ``drain.row``) and keeps its value until it is
    set again. ``cycles`` may be a generator: it is asked for a cycle's inputs after the outputs of
    the cycle before are known, and may append to what it yields from.
    """
    rows: list[dict[str, Any]] = []
    ports = [_port(dut, name) for name in watched]

    async def bench(ctx):
        for inputs in cycles:
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
