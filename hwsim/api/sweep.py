"""Search over designs and networks, resumable."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import whole
from hwsim.errors import InputError

if TYPE_CHECKING:
    from hwsim.config.jobs.sweep import SweepConfig
    from hwsim.sweeps.sweep import Sweep

__all__ = ["sweep"]


def sweep(
    config: str | Path | SweepConfig,
    out: str | Path | None = None,
    *,
    jobs: int = 1,
    fresh: bool = False,
    progress: Callable[[int, int], None] = lambda done, total: None,
    notify: Callable[[str], None] = lambda what: None,
) -> Sweep:
    """Simulate every point of a grid over designs and networks; find each network's Pareto front.

    Results are kept as they come: called again after an interrupt, the sweep continues with the
    points that are missing.

    Parameters
    ----------
    config
        Sweep: name in ``configs/sweep``, path of a YAML file, or a ``SweepConfig``.
    out
        Folder of sweep.sqlite, results.csv and pictures (default: ``build/sweep/<name>``).
    jobs
        Processes; 0: one for each core. With more than one a script needs
        ``if __name__ == "__main__":``.
    fresh
        Delete the folder's results first.
    progress
        Called with the number of points that are finished, and the number of points.
    notify
        Called with each part that is synthesized, where the sweep names a technology.

    Returns
    -------
    Sweep
        One result per point: ``done``, ``invalid`` where it breaks a rule, or ``failed``.

    Raises
    ------
    InputError
        The sweep cannot be read or names a field that does not exist; or its folder is in use.
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
    folder = Path(out or Path("build/sweep") / plan.name)
    jobs = whole("jobs", jobs)
    return execute(plan, source, folder, jobs=jobs, fresh=fresh, progress=progress, notify=notify)
