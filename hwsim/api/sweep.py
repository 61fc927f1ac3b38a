"""Search over designs and networks, resumable."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import several, whole
from hwsim.api.read import on_file
from hwsim.errors import InputError
from hwsim.system.interrupts import keeping

if TYPE_CHECKING:
    from hwsim.config.jobs.sweep import SweepConfig
    from hwsim.sweeps.sweep import Sweep

__all__ = ["sweep"]


def sweep(
    config: str | Path | SweepConfig,
    out: str | Path | None = None,
    *,
    store: str | Path | None = None,
    jobs: int = 1,
    engine: str = "local",
    scheduler: str | None = None,
    shard: str = "1/1",
    merge: str | Path | Sequence[str | Path] = (),
    fresh: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    notify: Callable[[str], None] = lambda what: None,
) -> Sweep:
    """Search a space of designs, networks, weights and memories; find each network's Pareto front.

    Results are kept as they come, by a digest of all that decides them: called again after an
    interrupt, the sweep continues with the points that are missing, and a point that another sweep
    has counted is not counted again.

    Parameters
    ----------
    config
        Sweep: name in ``configs/sweep``, path of a YAML file, or a ``SweepConfig``.
    out
        Folder of results.csv, front.csv and pictures (default: ``build/sweep/<name>``).
    store
        SQLite file of the points (default: ``points.sqlite`` in ``out``; without ``out``
        ``build/points.sqlite``, which all sweeps share).
    jobs
        Processes; 0: one for each core. With more than one a script needs
        ``if __name__ == "__main__":``.
    engine
        ``local``: processes of this machine. ``dask``: the workers of a Dask cluster (extra
        ``dask``), which need the same hwsim.
    scheduler
        Address of the cluster's scheduler, such as ``tcp://host:8786``.
    shard
        ``i/n``: look at the i-th of n parts of the points, each into a store of its own.
    merge
        Stores of other shards, whose points are taken over first.
    fresh
        Simulate points again that are known.
    progress
        Called with the number of points that are finished, and how many are looked at at most.
    notify
        Called with each part that is synthesized, where the sweep names a technology.

    Returns
    -------
    Sweep
        One result per point: ``done``, ``invalid`` where it breaks a rule, ``failed``, or
        ``bounded`` where it misses a constraint by what is known without a simulation.

    Raises
    ------
    InputError
        The sweep cannot be read, names a field that does not exist, or has too many points for its
        sampler; its store is in use or another version's; or the scheduler does not answer.
    """
    from hwsim.config.catalog import resolve
    from hwsim.config.jobs.sweep import SweepConfig
    from hwsim.sweeps.sweep import execute

    if isinstance(config, SweepConfig):
        plan, source = config, f"sweep {config.name}"
    elif isinstance(config, str | Path):
        source = str(resolve(config, "sweep"))
        plan = SweepConfig.read(source)
    else:
        rule = "must be str, Path or SweepConfig"
        raise InputError("arguments", "config", config, rule)
    plan = _on_file(plan, notify)
    folder = Path(out or Path("build/sweep") / plan.name)
    shared = Path("build") if out is None else folder
    if engine not in ("local", "dask"):
        raise InputError("arguments", "engine", engine, "must be local or dask")
    if (engine == "dask") != (scheduler is not None):
        rule = "must be given with the engine dask, and with no other"
        raise InputError("arguments", "scheduler", scheduler, rule)
    others = [Path(each) for each in several("merge", merge, (str, Path))]
    points = Path(store or shared / "points.sqlite")
    with keeping(f"the points so far are in {points}; the same command goes on from here"):
        return execute(
            plan, source, folder, points, jobs=whole("jobs", jobs), scheduler=scheduler,
            shard=_part(shard), merge=others, fresh=fresh, progress=progress, notify=notify,
        )  # fmt: skip


def _on_file(plan: SweepConfig, notify: Callable[[str], None]) -> SweepConfig:
    """A sweep whose networks are on file as it reads them, those of its runs, too."""
    runs = {
        name: run.model_copy(update={"network": on_file(run.network, notify)})
        for name, run in plan.runs.items()
        if run.network
    }
    networks = on_file(plan.network, notify)
    return plan.model_copy(update={"network": networks, "runs": plan.runs | runs})


def _part(shard: str) -> tuple[int, int]:
    """Which of how many parts."""
    index, _, count = str(shard).partition("/")
    if index.isdecimal() and count.isdecimal() and 1 <= int(index) <= int(count):
        return int(index), int(count)
    raise InputError("arguments", "shard", shard, "must be i/n, with i from 1 to n")
