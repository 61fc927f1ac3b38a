"""Area, clock and energy of every design that ships, on LeNet-5 in each technology.

``python benchmarks/silicon.py`` writes ``benchmarks/results/silicon.csv`` and the tables of
``docs/silicon.md`` between its marks. Each design runs 16 images of MNIST with the weights that
suit it, its memories as configured and fitted; a design without such weights runs synthetic ones.
It also prints how long the area and the clock of a design take whose parts are known.
"""

from __future__ import annotations

import sys
from functools import partial

from common import machine, timed, write_block, write_csv

import hwsim
from hwsim.api.read import Workload, workload
from hwsim.config import ArchConfig, DenseConfig
from hwsim.config.catalog import CONFIGS
from hwsim.cost.book import Book
from hwsim.cost.silicon import fitted_cost
from hwsim.engine import network as engine
from hwsim.report.page import table_lines

TECHNOLOGIES = ("sg13g2", "45nm")
IMAGES = 16
#: Weights by the kind of sparsity of a design, tried in turn until one has its width and code.
WEIGHTS = {
    "dense": [
        "lenet5_structured_40x", "lenet5_structured_40x_w4", "lenet5_dense_pow2",
        "lenet5_dense_ternary", "lenet5_dense_binary",
    ],
    "punched": ["lenet5_punched_80x"],
    "nm": ["lenet5_nm_1x4", "lenet5_nm_2x4", "lenet5_nm_2x8"],
    "pattern": ["lenet5_structured_40x", "lenet5_structured_40x_w4"],
    "nonstructured": ["lenet5_nonstructured_85x", "lenet5_nonstructured_85x_w4"],
}  # fmt: skip


def suited(arch: ArchConfig, works: dict[str, Workload]) -> tuple[str, Workload]:
    """Weights that a design can take, and their name; ``""`` for synthetic ones."""
    lists = isinstance(arch.array, DenseConfig) and arch.array.fold_lists
    for name in WEIGHTS["punched" if lists else arch.array.SPARSITY]:
        checkpoint = hwsim.read_checkpoint(name)
        width = max(layer.weight_bits for layer in checkpoint.layers.values())
        if width != arch.numbers.weight_width:
            continue
        work = works.setdefault(name, workload("lenet5", name, IMAGES, None, 0, lambda what: None))
        try:
            engine.simulate(arch, work.network, work.layers, images=IMAGES)
        except hwsim.InputError:
            continue
        return name, work
    return "", workload("lenet5", None, IMAGES, None, 0, lambda what: None)


def rows() -> list[dict[str, object]]:
    """One row per design and technology."""
    found: list[dict[str, object]] = []
    works: dict[str, Workload] = {}
    books = {name: Book(name, print) for name in TECHNOLOGIES}
    for path in sorted((CONFIGS / "arch").glob("*.yaml")):
        arch = ArchConfig.read(path)
        weights, work = suited(arch, works)
        run = partial(engine.simulate, network=work.network, operands=work.layers, images=IMAGES)
        for technology, book in books.items():
            area = book.area(arch)
            cost = fitted_cost(book, arch, run)
            own = book.clock(arch).to_rows()
            found.append(
                {
                    "design": arch.name,
                    "technology": technology,
                    "multipliers": arch.array.multipliers,
                    "gates_mm2": round(area.gates / 1e6, 4),
                    "flip_flops_mm2": round(area.flip_flops / 1e6, 4),
                    "memories_mm2": round(area.memory / 1e6, 4),
                    "fitted_memories_mm2": round(cost.area.memory / 1e6, 4),
                    "mhz": own[0]["mhz"],
                    "slow_mhz": own[1]["mhz"] if len(own) > 1 else None,
                    "from": own[0]["from"],
                    "to": own[0]["to"],
                    "weights": weights or "synthetic",
                    "cycles_per_image": round(cost.energy.result.cycles / IMAGES),
                    "us_per_image": round(cost.microseconds / IMAGES, 2),
                    "array_uj_per_image": round(cost.energy.array / IMAGES / 1e6, 4),
                    "uj_per_image": round(cost.microjoules / IMAGES, 4),
                }
            )
        print(*found[-2].values(), flush=True)
    return found


def seconds() -> float:
    """Time of the area and the clock of a design whose parts are known: the mean of all designs."""
    archs = [ArchConfig.read(path) for path in sorted((CONFIGS / "arch").glob("*.yaml"))]
    book = Book(TECHNOLOGIES[0])

    def look() -> None:
        for arch in archs:
            book.area(arch)
            book.clock(arch)

    return timed(look, 5)[1] / len(archs)


def tables(found: list[dict[str, object]]) -> str:
    """Tables of the page, one for each technology, and the slowest paths."""
    columns = {
        "design": "design", "weights": "weights", "gates": "gates_mm2",
        "flip-flops": "flip_flops_mm2", "memories": "memories_mm2", "fitted": "fitted_memories_mm2",
        "MHz": "mhz", "slow": "slow_mhz", "cycles": "cycles_per_image", "us": "us_per_image",
        "uJ, array": "array_uj_per_image", "uJ": "uj_per_image",
    }  # fmt: skip
    parts = []
    for technology in TECHNOLOGIES:
        own = [row for row in found if row["technology"] == technology]
        # other corners are those of a technology that is not scaled
        shown = [name for name, key in columns.items() if any(row[key] is not None for row in own)]
        lines = table_lines(shown, [[_cell(row, columns[name]) for name in shown] for row in own])
        parts.append(f"In `{technology}`, areas in mm2, per image of LeNet-5:\n\n{lines}")
    keys = ("design", "mhz", "from", "to")
    paths = [
        [_cell(row, key) for key in keys] for row in found if row["technology"] == TECHNOLOGIES[0]
    ]
    slowest = table_lines(["design", "MHz", "from", "to"], paths)
    parts.append(f"Slowest paths in `{TECHNOLOGIES[0]}`, typical corner:\n\n{slowest}")
    return "\n\n".join(parts)


def _cell(row: dict[str, object], key: str) -> object:
    value = row[key]
    if key in ("design", "from", "to"):
        return f"`{value}`"
    return f"{value:.0f}" if key.endswith("mhz") else value


def main() -> int:
    """Write the record and the page."""
    found = rows()
    write_csv("silicon.csv", found)
    write_block("silicon", tables(found))
    print(f"{1000 * seconds():.2f} ms for area and clock of a design, {machine()}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
