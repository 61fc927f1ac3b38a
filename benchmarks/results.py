"""The tables of docs and README.md that are made from results: compression and studies.

``python benchmarks/results.py`` prints the table of all shipped checkpoints, each row with the
command that makes it. ``--write`` puts this table, and the answers of the studies in
``build/study``, between the marks of these pages, and copies the pages' pictures from them;
text outside of the marks stays, and a study that was not run here keeps its tables.
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from common import ROOT, replaced

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import CHECKPOINTS
from hwsim.config.jobs.study import CompareConfig, PublishedConfig, StudyConfig
from hwsim.config.jobs.study_synthetic import SyntheticStudyConfig
from hwsim.cost import storage
from hwsim.datasets.sources import DATASETS
from hwsim.formats.base import Bits
from hwsim.models.compress import log
from hwsim.report.page import table_lines
from hwsim.system.files import write_text_atomic

__all__ = ["Row", "compression", "main", "replaced", "rows", "smallest"]

PAGE = ROOT / "docs" / "results.md"
PAGES = (PAGE, ROOT / "docs" / "large-networks.md", ROOT / "README.md")

#: Pictures of the pages, and the files of studies that they are copies of.
PICTURES = {
    "lenet5_accuracy_by_cycles.svg": "lenet5/accuracy_by_cycles.svg",
    "lenet5_map_sg13g2.svg": "lenet5_map/map_sg13g2.svg",
    "lenet5_map_45nm.svg": "lenet5_map/map_45nm.svg",
    "fashion_map_sg13g2.svg": "fashion/map_sg13g2.svg",
    "fashion_map_45nm.svg": "fashion/map_45nm.svg",
    "vgg6_fashion_map_sg13g2.svg": "vgg6_fashion/map_sg13g2.svg",
    "vgg6_fashion_map_45nm.svg": "vgg6_fashion/map_45nm.svg",
    "resnet12_fashion_map_sg13g2.svg": "resnet12_fashion/map_sg13g2.svg",
    "resnet12_fashion_map_45nm.svg": "resnet12_fashion/map_45nm.svg",
    "published_alexnet_map_45nm.svg": "published_alexnet/map_45nm.svg",
    "published_resnet50_map_45nm.svg": "published_resnet50/map_45nm.svg",
    "published_vgg16_map_45nm.svg": "published_vgg16/map_45nm.svg",
}

#: Their formats are tried beside those without an array.
DESIGNS = storage.designs_of(64)

#: Kinds of sparsity in the order of the table.
KINDS = ("dense", "nonstructured", "structured", "punched", "nm", "pattern")

#: What has been published for the same network and data (REFERENCES.md, sections 1 and 2).
PUBLISHED = {
    "lenet5_dense": "99.2 % (ADMM-NN)",
    "lenet5_dense_binary": "no loss (ADMM-NN-S)",
    "lenet5_nonstructured_85x": "85x at 99.2 % (ADMM-NN)",
    "lenet5_nonstructured_167x": "167x at 99.0 % (ADMM-NN)",
    "lenet5_nonstructured_348x": "348x, almost no loss (ADMM-NN-S)",
    "lenet5_gradual_85x": "85x at 99.2 % (ADMM-NN)",
    "lenet5_gradual_167x": "167x at 99.0 % (ADMM-NN)",
    "lenet5_gradual_280x": "280x at 99.25 % (Sparse VD)",
    "lenet5_gradual_348x": "348x, almost no loss (ADMM-NN-S)",
    "lenet5_nonstructured_q": "0.89 KB (1,910x), 2.73 KB with indices without padding (ADMM-NN)",
    "lenet5_gradual_348x_q": "2.73 KB with indices without padding at 99.0 % (ADMM-NN)",
    "lenet5_structured_232x": "231.8x at 98.05 % (Tiny but Accurate)",
}


@dataclass(frozen=True)
class Row:
    """One shipped checkpoint."""

    name: str
    checkpoint: Checkpoint

    @property
    def recipe(self) -> dict[str, Any]:
        """What it was made by."""
        recipe: dict[str, Any] = self.checkpoint.info["recipe"]
        return recipe

    @property
    def group(self) -> tuple[str, str]:
        """Network and data set."""
        return self.checkpoint.network, self.recipe["dataset"]

    @property
    def kind(self) -> str:
        """Kind of sparsity."""
        kind: str = self.checkpoint.info["kind"]
        return kind

    @property
    def weights(self) -> int:
        """All weights."""
        return sum(layer.weight.size for layer in self.checkpoint.layers.values())

    @property
    def bits(self) -> str:
        """Bits and code of a weight; of each layer where they differ."""
        widths = [layer.weight_bits for layer in self.checkpoint.layers.values()]
        code = " ".join(dict.fromkeys(x.weight_code for x in self.checkpoint.layers.values()))
        return f"{'/'.join(map(str, widths if len(set(widths)) > 1 else widths[:1]))} {code}"

    @property
    def order(self) -> tuple[int, int, float, str]:
        """Place in the table: kind, width, weights left."""
        width = max(layer.weight_bits for layer in self.checkpoint.layers.values())
        # seeds of one recipe differ in a few weights: side by side, by name
        left = round(-math.log2(self.checkpoint.density), 1)
        return KINDS.index(self.kind), -width, left, self.name

    @cached_property
    def stored(self) -> tuple[str, Bits]:
        """Smallest format that it can be stored in."""
        return smallest(CHECKPOINTS / f"{self.name}.safetensors", self.checkpoint)

    @property
    def cpu_minutes(self) -> str | None:
        """What its epochs take, each as long as one of the dense network; ``None`` of a search."""
        if self.recipe.get("hardware_aware"):
            return None
        seconds = epoch_seconds()[self.checkpoint.network]
        stages = [row["stage"] for row in log.read(CHECKPOINTS / f"{self.name}.csv")]
        total = sum(seconds[_precision(self.recipe, stage)] for stage in stages)
        return f"{total / 60:.1f}"

    def stays(self, known: dict[str, Row]) -> str:
        """Say what the constraint leaves, in words; that of its start where it has none."""
        recipe = self.recipe
        while not recipe.get("prune") and recipe.get("start") in known:
            recipe = known[recipe["start"]].recipe
        prune = recipe.get("prune") or {}
        found = ["single weights"] if prune.get("budget") else []
        for layer in prune.get("layers", {}).values():
            found += [word for word in _words(layer) if word not in found]
        return ", ".join(found) or "all"

    def cells(self, known: dict[str, Row], baseline: Row) -> list[object]:
        """Row of the table."""
        info = self.checkpoint.info
        heldout = info.get("accuracy_heldout")
        loss = round(100 * (baseline.checkpoint.info["accuracy"] - info["accuracy"]), 2)
        name, bits = self.stored
        return [
            f"`{info['command']}`",
            self.stays(known),
            round(self.weights * self.checkpoint.density),
            f"{1 / self.checkpoint.density:.1f}x",
            self.bits,
            f"{100 * info['accuracy']:.2f}",
            None if heldout is None else f"{100 * heldout:.2f}",
            f"{loss + 0.0:.2f}",
            _size(bits.values, self.weights),
            _size(bits.total, self.weights),
            f"{bits.padding / 8000:.2f}",
            name,
            self.cpu_minutes,
            PUBLISHED.get(self.name),
        ]


#: Heading that every report of a comparison has, and beginnings of those whose parts are copied.
EQUAL, BUDGETS = "## At equal accuracy", "## Every budget"
COPIED = ("## Effects", EQUAL, "## What the")

COLUMNS = [
    "command", "stays", "weights left", "factor", "bits", "test %", "held out %", "loss",
    "data KB", "with indices KB", "of it padding", "as", "CPU min", "published",
]  # fmt: skip


@cache
def epoch_seconds() -> dict[str, dict[str, float]]:
    """CPU seconds of an epoch by network and precision, as ``epoch.py --log`` measured last."""
    with (ROOT / "benchmarks" / "results" / "epoch.csv").open(newline="") as file:
        rows = {row["network"]: row for row in csv.DictReader(file)}
    return {
        name: {precision: float(row[precision]) for precision in ("float32", "bfloat16")}
        for name, row in rows.items()
    }


def smallest(path: Path, checkpoint: Checkpoint) -> tuple[str, Bits]:
    """Smallest format, with each layer in its own bits or of the designs for such weights."""
    widest = max(checkpoint.layers.values(), key=lambda layer: layer.weight_bits)
    stored = (widest.weight_bits, widest.weight_code)
    designs = [d for d in DESIGNS if (d.numbers.weight_width, d.numbers.weight_code) == stored]
    formats = storage.run(str(path), designs).fitting
    sizes = [(size.family or size.name, size.total) for size in formats]
    return min(storage.smallest(str(path)), *sizes, key=lambda size: size[1].total)


def rows() -> list[Row]:
    """Shipped checkpoints that a recipe made, in the order of the table."""
    found = []
    for path in sorted(CHECKPOINTS.glob("*.safetensors")):
        checkpoint = Checkpoint.read(path)
        if {"recipe", "accuracy", "command"} <= checkpoint.info.keys():
            found.append(Row(path.stem, checkpoint))
    return sorted(found, key=lambda row: row.order)


def compression() -> str:
    """Tables of all checkpoints, one a network and data set, as Markdown."""
    found = rows()
    known = {row.name: row for row in found}
    parts = []
    for group in dict.fromkeys(row.group for row in sorted(found, key=lambda row: row.name)):
        members = [row for row in found if row.group == group]
        # the network itself: dense, at the widest weights, by the shortest name
        baseline = min(members, key=lambda row: (*row.order[:2], len(row.name)))
        network, dataset = group
        title = f"### {network} on {DATASETS[dataset].title}, {baseline.weights:,} weights"
        body = table_lines(COLUMNS, [row.cells(known, baseline) for row in members])
        parts.append(f"{title}\n\n{body}")
    return "\n\n".join(parts)


def studies() -> Iterator[tuple[str, str]]:
    """Marks and contents of the studies that were run here, at length and in short, as Markdown."""
    for path in sorted((ROOT / "configs" / "study").glob("*.yaml")):
        config = StudyConfig.read(path)
        report = ROOT / "build" / "study" / config.name / "report.md"
        text = report.read_text() if report.is_file() else ""
        # one of an earlier version has other headings
        if isinstance(config.study, CompareConfig) and EQUAL in text:
            document = json.loads(report.with_name("results.json").read_text())
            yield f"study {config.name}", _findings(text)
            yield f"study {config.name} in short", _short(text, document)
            if "map" in document:
                yield f"map {config.name}", _map(text)
        if isinstance(config.study, PublishedConfig) and text:
            yield f"study {config.name}", _checked(text)
        if isinstance(config.study, SyntheticStudyConfig) and text:
            yield f"study {config.name}", _tables(text)
            if BUDGETS in text:
                yield f"map {config.name}", _map(text)


def main() -> int:
    """Print the table, or write the page."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="into docs and README.md")
    options = parser.parse_args()
    body = compression()
    if not options.write:
        print(body)
        return 0
    parts = {"compression": body, **dict(studies())}
    for path in PAGES:
        page = path.read_text()
        for name, part in parts.items():
            page = replaced(page, name, part)
        write_text_atomic(path, page)
    for name, source in PICTURES.items():
        made = ROOT / "build" / "study" / source
        if made.is_file():
            shutil.copyfile(made, ROOT / "docs" / "pictures" / name)
    return 0


def _size(bits: int, weights: int) -> str:
    """KB, and times less than all weights in 32 bits."""
    return f"{bits / 8000:,.2f} ({32 * weights / max(1, bits):,.0f}x)"


#: Beginning of a stage's name in a log -> keys of its schedule in the recipe.
_SCHEDULES = {
    "train": ("train",),
    "prune": ("prune", "admm", "train"),
    "gradual": ("prune", "gradual", "train"),
    "retrain": ("prune", "retrain"),
    "quantize": ("quantize", "admm", "train"),
    "fix": ("quantize", "fix", "train"),
    "quantized": ("quantize", "train"),
}


def _precision(recipe: dict[str, Any], stage: str) -> str:
    schedule = recipe
    for key in _SCHEDULES[stage.partition(" ")[0]]:
        schedule = schedule[key]
    precision: str = schedule["precision"]
    return precision


def _words(layer: dict[str, Any]) -> list[str]:
    words = {
        "unstructured": lambda _: "single weights",
        "nm": lambda c: f"{c['n']} of {c['m']}",
        "pattern": lambda c: f"4 of 9 taps in {c.get('patterns', 8)} ways, kernels",
        "block": lambda c: f"tiles of {c['rows']} x {c['columns']}",
        "filters": lambda _: "filters",
        "channels": lambda _: "channels",
        "columns": lambda _: "columns",
        "banks": lambda count: f"evenly over {count} banks",
    }
    return [words[key](value) for key, value in layer.items() if key in words]


def _opening(report: str) -> tuple[list[str], list[str]]:
    """Paragraphs of a study's report between its title and its terms.

    First what was found under equal budgets, if anything was, then answer and table of winners.
    Pictures are left out: a page names its own copies of them.
    """
    paragraphs = report.split("\n\n")
    end = next(n for n, text in enumerate(paragraphs) if text.startswith("Reproduce with"))
    opening = [text for text in paragraphs[1:end] if not text.startswith("![")]
    answers = [n for n, text in enumerate(opening) if text.startswith("**")]
    return opening[: answers[-1]], opening[answers[-1] :]


def _tables(report: str) -> str:
    """Tables of a synthetic study's report, and the sentences between them."""
    paragraphs = report.partition("Reproduce with")[2].split("\n\n")
    first = next(n for n, text in enumerate(paragraphs) if text.startswith("|"))
    end = next(n for n, text in enumerate(paragraphs) if text.startswith("!["))
    return "\n\n".join(paragraphs[first:end])


def _checked(report: str) -> str:
    """Answer and table of a published check's report."""
    paragraphs = report.split("\n\n")
    return "\n\n".join([paragraphs[1], *(text for text in paragraphs if text.startswith("|"))])


def _map(report: str) -> str:
    """What a study found under equal budgets: answer, five rows, what is fixed, every budget."""
    (every,) = (part for part in re.split(r"(?m)^(?=## )", report) if part.startswith(BUDGETS))
    return "\n\n".join([*_opening(report)[0], every.partition("\n\n")[2].strip()])


def _findings(report: str) -> str:
    """Answer, winners, proofs, effects, and what was chosen at equal accuracy; headings lower."""
    sections = re.split(r"(?m)^(?=## )", report)
    part = "".join(section for section in sections if section.startswith(COPIED))
    proved = re.search(r"(?m)^\d+ of \d+ runs of real layers.*$", report)
    lines = [*_opening(report)[1], *([proved[0]] if proved else [])]
    return "\n\n".join([*lines, re.sub(r"(?m)^##", "####", part.strip())])


def _short(report: str, document: dict[str, Any]) -> str:
    """Table of winners of a study, proofs, and a table of each family's best at equal accuracy."""
    columns = [
        "weights", "bits", "design", "test %", "weights left", "cycles", "speedup", "stored KB"
    ]  # fmt: skip
    rows = [
        [
            v["family"], v["weight_width"], f"`{v['arch']}`", f"{v['accuracy']:.2f}",
            v["nonzeros"], v["cycles"], f"{v['speedup']:.2f}x",
            f"{v['bits']['total'] / 8000:.1f}",
        ]
        for v in document["variants"]
        if v["variant"] in document["best"]
    ]  # fmt: skip
    # the answer, where it has no table
    winners = _opening(report)[1][:2][-1]
    proofs = document["rtl"]
    equal = f"{sum(proof['equal'] for proof in proofs)} of {len(proofs)}"
    return (
        f"{winners}\n\nIn RTL {equal} runs of real layers gave the same outputs "
        "and cycles. The next table shows, for each kind of sparsity and width of weights, the "
        "smallest model of equal accuracy on its fastest design.\n\n"
        f"{table_lines(columns, rows)}"
    )


if __name__ == "__main__":
    sys.exit(main())
