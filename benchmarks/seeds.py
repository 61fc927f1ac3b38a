"""Recipes that were run with several seeds: what each run came to, and the spread.

``python benchmarks/seeds.py FOLDER`` reads the checkpoints of recipes in ``configs/compress`` that
do not ship from a folder of ``hwsim compress --out``, and records them in ``results/seeds.csv``:
accuracy, size, weights left, and which images held out they get wrong (``hwsim data NAME`` first).
Without a folder it renews the tables of ``docs/results.md`` (mean and spread) and of
``docs/compression.md`` (every run) from the record and from the checkpoints that ship.
"""

from __future__ import annotations

import argparse
import csv
import re
import statistics
import sys
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from common import ROOT, write_block, write_csv
from results import smallest

from hwsim.checkpoints import heldout
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import CHECKPOINTS
from hwsim.config.catalog import CONFIGS
from hwsim.config.jobs.compress import CompressConfig
from hwsim.datasets.sources import DATASETS
from hwsim.report.page import table_lines
from hwsim.studies.paired import Paired

__all__ = ["Run", "blocks", "main"]

RECORD = ROOT / "benchmarks" / "results" / "seeds.csv"
RESULTS, PAGE = ROOT / "docs" / "results.md", ROOT / "docs" / "compression.md"
_SEED = re.compile(r"_s(\d+)$")
#: Level of the paired test, as in the studies (``accuracy_level``).
LEVEL = 0.05


@dataclass(frozen=True)
class Run:
    """What one seed of a recipe came to; ``wrong`` are indices of images held out."""

    checkpoint: str
    test: float
    heldout: float
    kilobytes: float
    #: Weights that are not 0, by layer.
    left: dict[str, int]
    images: int
    wrong: frozenset[int]

    @property
    def recipe(self) -> str:
        """Its name without the seed."""
        return _SEED.sub("", self.checkpoint)

    @property
    def weights(self) -> int:
        """Weights that are not 0."""
        return sum(self.left.values())

    @classmethod
    def of(cls, path: Path, wrong: frozenset[int], images: int) -> Run:
        """Measure a checkpoint."""
        checkpoint = Checkpoint.read(path)
        left = {n: int(np.count_nonzero(each.weight)) for n, each in checkpoint.layers.items()}
        kilobytes = smallest(path, checkpoint)[1].total / 8000
        info = checkpoint.info
        test, held_out = info["accuracy"], info["accuracy_heldout"]
        return cls(path.stem, test, held_out, round(kilobytes, 2), left, images, wrong)

    @classmethod
    def parse(cls, row: dict[str, str]) -> Run:
        """Read a row of the record."""
        left = {n: int(count) for n, count in (each.split(":") for each in row["left"].split())}
        wrong = frozenset(int(each) for each in row["wrong"].split())
        test, held_out, kilobytes = (float(row[k]) for k in ("test", "heldout", "kilobytes"))
        return cls(row["checkpoint"], test, held_out, kilobytes, left, int(row["images"]), wrong)

    def row(self) -> dict[str, object]:
        """Row of the record."""
        left = " ".join(f"{name}:{count}" for name, count in self.left.items())
        return asdict(self) | {"left": left, "wrong": " ".join(map(str, sorted(self.wrong)))}


def main() -> int:
    """Record the checkpoints of a folder, then renew the tables."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", nargs="?", type=Path)
    options = parser.parse_args()
    if options.folder is not None:
        kept = {run.checkpoint: run for run in recorded()}
        kept |= {run.checkpoint: run for run in _measured(options.folder)}
        write_csv(RECORD.name, [kept[name].row() for name in sorted(kept)])
    for block, (page, text) in blocks().items():
        write_block(block, text, page)
    return 0


def blocks() -> dict[str, tuple[Path, str]]:
    """Page and text of each block that the record renews."""
    spread, every = tables()
    return {"spread": (RESULTS, spread), "seeds": (PAGE, every)}


def recorded() -> list[Run]:
    """Runs on record, none of which ships."""
    if not RECORD.is_file():
        return []
    with RECORD.open(newline="") as file:
        return [Run.parse(row) for row in csv.DictReader(file)]


def shipped(name: str) -> Run | None:
    """A checkpoint that ships, with what the record of images held out has of it."""
    path = CHECKPOINTS / f"{name}.safetensors"
    known = heldout.heldout_of(path) if path.is_file() else None
    return None if known is None else Run.of(path, known.wrong, known.images)


def tables() -> tuple[str, str]:
    """Spread of the recipes that have several runs, and every run of them, as Markdown."""
    runs: dict[str, Run] = {run.checkpoint: run for run in recorded()}
    seeded = [path.stem for path in CHECKPOINTS.glob("*.safetensors") if _SEED.search(path.stem)]
    names = {_SEED.sub("", name) for name in [*runs, *seeded]}
    for name in sorted(names | set(seeded) | {_dense(name) for name in names}):
        run = shipped(name)
        if run is not None:
            runs[name] = run
    spread, every = [], []
    recipes = {name: _recipe(name) for name in names}
    for network, dataset in sorted({(r.network, r.dataset) for r in recipes.values()}):
        members = [
            sorted((run for run in runs.values() if run.recipe == name), key=lambda r: r.checkpoint)
            for name, recipe in recipes.items()
            if (recipe.network, recipe.dataset) == (network, dataset)
        ]
        members = [each for each in members if len(each) > 1]
        members.sort(
            key=lambda each: (recipes[each[0].recipe].kind, -each[0].weights, each[0].recipe)
        )
        if members:
            where = f"{network} on {DATASETS[dataset].title}"
            spread.append(f"{where}:\n\n{_spread(members, runs)}")
            every.append(f"{where}:\n\n{_every(members, runs)}")
    return "\n\n".join(spread), "\n\n".join(every)


def _spread(members: Iterable[list[Run]], runs: dict[str, Run]) -> str:
    titles = [
        "recipe", "seeds", "weights left", "KB", "test %", "held out %", "median", "loss", "worse",
    ]  # fmt: skip
    rows = []
    for group in members:
        losses, worse = [], []
        for run in group:
            dense = runs.get(_dense(run.checkpoint))
            if dense is not None and dense is not run:
                losses.append(dense.test - run.test)
                worse.append(_paired(run, dense).p <= LEVEL)
        rows.append(
            [
                f"`hwsim compress {group[0].recipe}`",
                len(group),
                round(statistics.mean(run.weights for run in group)),
                f"{statistics.mean(run.kilobytes for run in group):.2f}",
                _mean([run.test for run in group]),
                _mean([run.heldout for run in group]),
                _median(group),
                f"{100 * statistics.mean(losses) + 0.0:.2f}" if losses else None,
                f"{sum(worse)} of {len(worse)}" if worse else None,
            ]
        )
    return table_lines(titles, rows)


def _every(members: Iterable[list[Run]], runs: dict[str, Run]) -> str:
    groups = list(members)
    layers = list(groups[0][0].left)
    titles = ["`hwsim compress`", "test", "held out", "lost", "gained", "p", "weights", *layers]
    rows = []
    for run in (run for group in groups for run in group):
        dense = runs.get(_dense(run.checkpoint))
        cells: list[object] = [None] * 3
        if dense is not None and dense is not run:
            paired = _paired(run, dense)
            cells = [paired.lost, paired.gained, f"{paired.p:.3f}"]
        accuracies = [f"{100 * each:.2f}" for each in (run.test, run.heldout)]
        left = [run.left[name] for name in layers]
        rows.append([f"`{run.checkpoint}`", *accuracies, *cells, run.weights, *left])
    return table_lines(titles, rows)


def _mean(values: list[float]) -> str:
    return f"{100 * statistics.mean(values):.2f} ± {100 * statistics.stdev(values):.2f}"


def _median(group: list[Run]) -> str | None:
    """Lowest seed whose accuracy on images held out is the median."""
    if len(group) % 2 == 0:
        return None
    middle = statistics.median(run.heldout for run in group)
    first = next(run for run in group if run.heldout == middle)
    seed = _SEED.search(first.checkpoint)
    return f"seed {seed[1] if seed else 0}"


def _paired(run: Run, dense: Run) -> Paired:
    return Paired(len(run.wrong - dense.wrong), len(dense.wrong - run.wrong))


def _recipe(name: str) -> CompressConfig:
    return CompressConfig.read(name)


def _dense(name: str) -> str:
    """Name of the dense network that a recipe comes from: its own where it is dense."""
    recipe = _recipe(name)
    return name if recipe.start is None else _dense(recipe.start)


def _measured(folder: Path) -> list[Run]:
    from heldout import wrong_images  # needs torch, which the tables do not

    found, before = [], {run.checkpoint: run for run in recorded()}
    for path in sorted(folder.glob("*.safetensors")):
        is_shipped = (CHECKPOINTS / path.name).is_file()
        recipe = CONFIGS / "compress" / f"{_SEED.sub('', path.stem)}.yaml"
        if is_shipped or not recipe.is_file():
            continue
        checkpoint = Checkpoint.read(path)
        known = before.get(path.stem)
        if known is not None and known.heldout == checkpoint.info["accuracy_heldout"]:
            continue
        seen = wrong_images(path.stem, checkpoint, _recipe(path.stem).dataset)
        if seen is not None:
            wrong, count = seen
            found.append(Run.of(path, frozenset(wrong), count))
    return found


if __name__ == "__main__":
    sys.exit(main())
