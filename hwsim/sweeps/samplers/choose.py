"""The sampler that a sweep names."""

from __future__ import annotations

from hwsim.config.jobs.sweep import MAX_POINTS, SweepConfig
from hwsim.errors import InputError
from hwsim.sweeps.samplers.base import Sampler
from hwsim.sweeps.samplers.exhaustive import Exhaustive
from hwsim.sweeps.samplers.nsga2 import NSGA2
from hwsim.sweeps.samplers.optuna import Optuna
from hwsim.sweeps.samplers.sobol import Sobol
from hwsim.sweeps.space import Space

__all__ = ["sampler_of"]

#: Points that Optuna is asked for at a time: it learns from each batch.
OPTUNA_BATCH = 8


def sampler_of(
    sweep: SweepConfig, space: Space, source: str, shard: tuple[int, int] = (1, 1)
) -> Sampler:
    """Sampler of a sweep.

    Parameters
    ----------
    source
        File the sweep was read from, for messages.
    shard
        Which of how many parts of the points, the first being 1.

    Raises
    ------
    InputError
        The space is too large to look at all of it, what a sampler asks for depends on all shards,
        or an extra is not installed.
    """
    config, (index, shards) = sweep.sampler, shard
    if config.points is None:
        if len(space) > MAX_POINTS:
            rule = f"must be sobol, nsga2 or optuna: the space has {len(space):,} points, and "
            rule += f"exhaustive takes at most {MAX_POINTS:,}"
            raise InputError(source, "sampler.kind", config.kind, rule)
        return Exhaustive(len(space), index - 1, shards)
    if config.kind == "sobol":
        return Sobol(space, config.points, config.seed, index - 1, shards)
    if shards > 1:
        rule = "must be exhaustive or sobol with --shard: what others ask for depends on all points"
        raise InputError(source, "sampler.kind", config.kind, rule)
    if config.kind == "nsga2":
        return NSGA2(space, config.points, config.population, config.seed)
    return Optuna(space, len(sweep.objectives), config.points, OPTUNA_BATCH, config.seed)
