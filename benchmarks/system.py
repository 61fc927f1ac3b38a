"""Equal budgets against the machine: the account of ``hwsim.cost.system`` beside exact cycles.

``python benchmarks/system.py`` takes machines with their weights, one image of LeNet-5, at three
bandwidths without latency to speak of, and writes the table of ``docs/budgets.md``: cycles of the
whole machine, and those of the account, whose maps are inside and whose weights are streamed, or go
into halves of the memories of the PEs.
"""

from __future__ import annotations

import sys

from common import ROOT, write_block, write_csv

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import find_checkpoint
from hwsim.compiler.run import run_network
from hwsim.config import ArchConfig, MemoryConfig, NetworkConfig
from hwsim.cost.book import Book
from hwsim.cost.system import systems
from hwsim.engine.network import simulate
from hwsim.inference.operands import checkpoint_operands
from hwsim.report.page import table_lines

PAGE = ROOT / "docs" / "budgets.md"
NETWORK = "lenet5"
PAIRS = (
    ("machine_dense_8x8_ws", "lenet5_dense"),
    ("machine_dense_8x8_os", "lenet5_dense"),
    ("machine_dense_8x8_ws_gather", "lenet5_structured_40x"),
    ("machine_csc_8x8", "lenet5_nonstructured_12x"),
    ("machine_csc_8x8", "lenet5_gradual_85x"),
    ("machine_csc_8x8_double", "lenet5_nonstructured_12x"),
    ("machine_csc_8x8_double", "lenet5_gradual_85x"),
    ("machine_bitmask_64", "lenet5_gradual_85x"),
    ("machine_bitmask_64_double", "lenet5_gradual_85x"),
)
#: Bytes per cycle; the latency is the least that all these buses take.
BANDWIDTHS, LATENCY = (2, 4, 8), 4


def row(machine: str, weights: str, network: NetworkConfig, book: Book) -> dict[str, object]:
    """Cycles of a machine, and of the account, at every bandwidth."""
    arch = ArchConfig.read(machine)
    checkpoint = Checkpoint.read(find_checkpoint(weights), network)
    bare, supply = arch.bare, "streamed"
    if arch.array.holds_halves:
        supply = "doubled"
        bare = arch.bare.model_copy(
            update={"array": arch.array.model_copy(update={"double_buffered": False})}
        )
    result = simulate(bare, network, checkpoint_operands(network, weights, 1))
    (fed,) = (
        system
        for system in systems(book, network, result)
        if system.supply == supply and system.holds_maps
    )
    found: dict[str, object] = {
        "machine": machine,
        "weights": weights,
        "area_mm2": round(book.area(arch).total / 1e6, 2),
        "account_mm2": round(fed.mm2, 2),
    }
    for rate in BANDWIDTHS:
        memory = MemoryConfig(
            name="benchmark", source="benchmark", latency=LATENCY, bytes_per_cycle=rate
        )
        exact = run_network(arch, network, checkpoint, memory).cycles
        account = round(fed.microseconds(rate * fed.mhz) * fed.mhz)
        found |= {f"machine_{rate}": exact, f"account_{rate}": account}
    return found


def main() -> int:
    """Write and print the table."""
    network, book = NetworkConfig.read(NETWORK), Book("sg13g2")
    rows = [row(machine, weights, network, book) for machine, weights in PAIRS]
    write_csv("system.csv", rows)
    columns = ["machine", "weights", "mm2", "mm2 in the account"]
    columns += [f"{rate} bytes per cycle" for rate in BANDWIDTHS]
    cells = [
        [
            f"`{each['machine']}`", f"`{each['weights']}`", f"{each['area_mm2']}",
            f"{each['account_mm2']}",
            *(
                f"{each[f'machine_{rate}']:,} / {each[f'account_{rate}']:,}"
                for rate in BANDWIDTHS
            ),
        ]
        for each in rows
    ]  # fmt: skip
    lines = table_lines(columns, cells)
    write_block("system", lines, PAGE)
    print(lines)
    return 0


if __name__ == "__main__":
    sys.exit(main())
