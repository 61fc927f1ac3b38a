"""Choose how layers are cut by the exact fast form: each by itself, or all of them at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import product

from hwsim.accelerator.program import Constants, Program
from hwsim.accelerator.simulate import simulate
from hwsim.accelerator.tile import Tile
from hwsim.compiler.plan import Cutting, Plan
from hwsim.config import ArchConfig, MemoryConfig

__all__ = ["by_layer", "cycles_of", "every_choice"]


def by_layer(
    plan: Plan,
    tiles_of: Callable[[str, Cutting], list[Tile]],
    arch: ArchConfig,
    memory: MemoryConfig,
) -> dict[str, Cutting]:
    """Of each layer the option that takes the fewest cycles where the layer runs alone.

    Parameters
    ----------
    tiles_of
        Tiles of a layer that is cut in a way, barriers included.
    """
    chosen = {}
    for name, options in plan.options.items():
        costs = [0]
        if len(options) > 1:
            costs = [cycles_of(arch, tiles_of(name, option), memory) for option in options]
        chosen[name] = options[costs.index(min(costs))]
    return chosen


def every_choice(plan: Plan) -> Iterator[Mapping[str, Cutting]]:
    """All combinations of options: for small networks."""
    for cuttings in product(*plan.options.values()):
        yield dict(zip(plan.options, cuttings, strict=True))


def cycles_of(arch: ArchConfig, tiles: list[Tile], memory: MemoryConfig) -> int:
    """Cycles of tiles by themselves."""
    return simulate(Program(arch, tiles, Constants(arch)), memory).cycles
