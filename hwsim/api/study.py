"""The main job: families compared on one network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import whole
from hwsim.api.read import on_file
from hwsim.errors import InputError
from hwsim.system.interrupts import keeping

if TYPE_CHECKING:
    from hwsim.config.jobs.study import StudyConfig
    from hwsim.studies.run import Study

__all__ = ["study"]


def study(
    config: str | Path | StudyConfig,
    out: str | Path | None = None,
    *,
    rtl: bool = True,
    jobs: int = 1,
    store: str | Path | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> Study:
    """Compare families on one network, prove the result in RTL, and write a report.

    A study with ``budgets`` also searches each side's best design and model under equal area and
    bandwidth: its verdict is a map.

    Parameters
    ----------
    config
        Study: name in ``configs/study``, path of a YAML file, or a ``StudyConfig``.
    out
        Folder of the report (default: ``build/study/<name>``).
    rtl
        Generate the Verilog, run the study's real layers on it, and compare. Needs the extra
        ``rtl``, g++, make and perl.
    jobs
        Worker processes that count points of budgets, build designs and run them; 0: one for each
        core. With more than one, a
        script must guard its main code with ``if __name__ == "__main__"``.
    store
        SQLite file of the points that a comparison counts, as of :func:`sweep` (default:
        ``points.sqlite`` in ``out``; without ``out`` ``build/points.sqlite``, which sweeps share).
    progress
        Called with what begins.

    Returns
    -------
    Study
        Answer, tables and path of the report; ``passed`` is false where the RTL differs from the
        simulator, or a published figure is not met.

    Raises
    ------
    InputError
        The study, or a file that it names, cannot be read or breaks a rule; or a tool is missing.
    """
    from hwsim.config.catalog import resolve
    from hwsim.config.jobs.study import CompareConfig, StudyConfig
    from hwsim.config.jobs.study_synthetic import SyntheticStudyConfig
    from hwsim.studies.run import run

    if isinstance(config, StudyConfig):
        read, source = config, f"study {config.name}"
    elif isinstance(config, str | Path):
        source = str(resolve(config, "study"))
        read = StudyConfig.read(source)
    else:
        rule = "must be str, Path or StudyConfig"
        raise InputError("arguments", "config", config, rule)
    kind = read.study
    if isinstance(kind, CompareConfig | SyntheticStudyConfig):
        (network,) = on_file([kind.network], progress)
        read = read.model_copy(update={"study": kind.model_copy(update={"network": network})})
    folder = Path(out or Path("build/study") / read.name)
    command = f"hwsim study {read.name if isinstance(config, StudyConfig) else config}"
    shared = Path("build") if out is None else folder
    points = Path(store or shared / "points.sqlite")
    kept = f"what was counted is in {points}, what was built in {folder}"
    with keeping(f"{kept}; the same command goes on from here"):
        return run(
            read, source, folder, command, rtl=rtl, jobs=whole("jobs", jobs), store=points,
            progress=progress,
        )  # fmt: skip
