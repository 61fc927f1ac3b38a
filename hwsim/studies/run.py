"""Run a study of any kind, prove it in RTL, and write its report."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hwsim.checkpoints.synthetic import mark
from hwsim.config.jobs.study import CompareConfig, PublishedConfig, StudyConfig
from hwsim.report.result import Result
from hwsim.studies import (
    budgets,
    compare,
    effects,
    map_report,
    outside,
    prove,
    published,
    synthetic,
    synthetic_report,
)
from hwsim.studies import report as compare_report
from hwsim.studies.choices import choices_of
from hwsim.studies.comparison import Comparison
from hwsim.studies.effects import Effects
from hwsim.studies.published_report import published_table, write_published
from hwsim.studies.synthetic_choices import synthetic_choices
from hwsim.studies.verdict import answer, verdicts
from hwsim.studies.verdict_map import Cell, cells
from hwsim.system import extras

__all__ = ["ComparisonStudy", "PublishedStudy", "Study", "SyntheticStudy", "run"]

#: Title, columns and rows.
Table = tuple[str, list[str], list[list[object]]]
Progress = Callable[[str], None]


@dataclass(frozen=True)
class Study(Result):
    """A study that has run: its answer, its tables, and its report."""

    config: StudyConfig
    #: ``report.html``, beside report.md, results.csv, results.json and pictures.
    report: Path

    @property
    def title(self) -> str:
        """Title of the study."""
        return self.config.title

    @property
    def passed(self) -> bool:
        """Whether nothing that the study checks failed."""
        return True

    @abstractmethod
    def answer(self) -> str:
        """Answer in words."""

    @abstractmethod
    def tables(self) -> list[Table]:
        """Summary: title, columns and rows of each table."""


@dataclass(frozen=True)
class ComparisonStudy(Study):
    """Compressed models of one network on designs of equal multipliers, at equal accuracy."""

    comparison: Comparison
    #: One record per RTL run: :func:`hwsim.studies.prove.run`.
    proofs: list[dict[str, Any]] = field(default_factory=list)
    #: The verdict at each budget; none where the study has no budgets.
    cells: list[Cell] = field(default_factory=list)
    #: The effects that the comparison mixes; ``None`` where they cannot be told apart.
    effects: Effects | None = None

    @property
    def passed(self) -> bool:
        """Whether every RTL run is equal to the simulator."""
        return all(proof["equal"] for proof in self.proofs)

    @property
    def technology(self) -> str | None:
        """Process that time, area and energy are in."""
        return self.comparison.config.technology

    def answer(self) -> str:
        """Who is ahead, and by how much."""
        said = answer(self.comparison)
        return f"{map_report.answer(self.cells)} {said}" if self.cells else said

    def tables(self) -> list[Table]:
        """Cycles and storage of the models at equal accuracy, and the verdicts."""
        short = self.comparison.short
        costs = compare_report.silicon_table(self.comparison, short)
        summary = map_report.summary_table(self.cells)
        return [
            *([("Under equal budgets of area and bandwidth", *summary)] if self.cells else []),
            *(
                [("Cycles per image, one effect at a time", *self.effects.table())]
                if self.effects is not None
                else []
            ),
            (
                f"{self.title}: the smallest models of equal accuracy",
                *compare_report.cycles_table(self.comparison, short),
            ),
            (
                "Their weights in KB of 1000 bytes",
                *compare_report.storage_table(self.comparison, short),
            ),
            *(
                [(f"Their time, area and energy per image in {self.technology}", *costs)]
                if costs[1]
                else []
            ),
            (
                "Non-structured against systolic",
                *compare_report.verdict_table(verdicts(self.comparison)),
            ),
            *outside.tables(self.comparison.network),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data: variants, verdicts, RTL runs, path of the report."""
        document = compare_report.to_dict(self.comparison, self.cells, self.effects)
        return document | {"rtl": self.proofs, "report": str(self.report)}

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per variant and layer, as in ``results.csv``."""
        return compare_report.layer_rows(self.comparison)


@dataclass(frozen=True)
class PublishedStudy(Study):
    """The simulator beside a published table."""

    check: published.Check

    @property
    def passed(self) -> bool:
        """Whether every time is within the tolerance."""
        return self.check.passed

    def answer(self) -> str:
        """How close the times are."""
        return self.check.answer()

    def tables(self) -> list[Table]:
        """Times beside those published."""
        return [(self.title, *published_table(self.check))]

    def to_dict(self) -> dict[str, Any]:
        """Plain data: every layer, path of the report."""
        return self.check.to_dict() | {"report": str(self.report)}

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per layer, as in ``results.csv``."""
        return self.check.to_rows()


@dataclass(frozen=True)
class SyntheticStudy(Study):
    """Synthetic weights of published densities on designs of equal multipliers."""

    counted: synthetic.SyntheticStudy
    #: The verdict at each budget; none where the study has no budgets.
    cells: list[Cell] = field(default_factory=list)

    def answer(self) -> str:
        """Who is ahead under equal budgets, if there are any; fewest cycles, smallest weights."""
        said = self.counted.answer()
        return f"{map_report.answer(self.cells)} {said}" if self.cells else said

    def tables(self) -> list[Table]:
        """Cycles and storage of every variant."""
        stored = f"Stored weights of {mark(self.counted.config.network)}"
        costs = synthetic_report.silicon_table(self.counted)
        summary = map_report.summary_table(self.cells)
        return [
            *([("Under equal budgets of area and bandwidth", *summary)] if self.cells else []),
            (mark(self.title), *synthetic_report.cycles_table(self.counted)),
            (stored, *synthetic_report.storage_table(self.counted)),
            *(
                [(f"Time, area and energy in {technology}", *costs)]
                if (technology := self.counted.config.technology) is not None
                else []
            ),
            *outside.tables(self.counted.network),
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain data: every variant, path of the report."""
        return self.counted.to_dict() | {"report": str(self.report)}

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per variant, density of activations and layer, as in ``results.csv``."""
        return self.counted.to_rows()


def run(
    config: StudyConfig,
    source: str,
    folder: Path,
    command: str,
    *,
    rtl: bool = True,
    jobs: int = 1,
    store: Path | None = None,
    progress: Progress = lambda what: None,
) -> Study:
    """Run a study, prove a comparison in RTL, and write the report.

    Parameters
    ----------
    source
        File the study was read from, for messages.
    folder
        Gets report.md, report.html, results.csv, results.json and pictures; in ``rtl/`` the builds.
    command
        Command that reproduces the report.
    rtl
        Whether a comparison runs its real layers on the generated Verilog.
    jobs
        Worker processes of that proof, as of :func:`hwsim.studies.prove.run`.
    store
        Points that are known, as of :func:`hwsim.studies.compare.run`.
    progress
        Called with what begins.

    Raises
    ------
    InputError
        A file is missing or bad, or does not fit the study; or a tool is missing.
    """
    if isinstance(config.study, PublishedConfig):
        check = published.run(config.study, lambda name: progress(f"simulating {name}"))
        page = write_published(check, config.title, command, folder)
        return PublishedStudy(config, page, check)
    known = store or folder / "points.sqlite"
    found: list[budgets.Candidates] = []
    if not isinstance(config.study, CompareConfig):
        counted = synthetic.run(config.study, source, progress)
        if config.study.budgets is not None:
            drawn = synthetic_choices(config.study, source, progress)
            found = budgets.search(drawn, source, known, jobs, progress)
        page = synthetic_report.write(counted, config.title, command, folder, found)
        return SyntheticStudy(config, page, counted, cells(found))
    if rtl:
        extras.require("rtl")
    comparison = compare.run(config.study, source, progress, store)
    if config.study.budgets is not None:
        found = budgets.search(choices_of(comparison), source, known, jobs, progress)
    progress("separating the effects")
    separated = effects.measure(comparison, store)
    proofs = []
    if rtl:
        proofs = prove.run(
            comparison, folder / "rtl", jobs=jobs, progress=lambda what: progress(f"proving {what}")
        )
    progress("writing the report")
    page = compare_report.write_comparison(
        comparison, config.title, command, proofs, folder, found, separated
    )
    return ComparisonStudy(config, page, comparison, proofs, cells(found), separated)
