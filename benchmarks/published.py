"""Areas, powers and break-even that others published, beside what the models here give for them.

``python benchmarks/published.py`` writes ``benchmarks/results/published.csv`` and a table of
``docs/silicon.md`` between its marks. Nothing is tuned to fit: where a figure differs, its row says
why.
"""

from __future__ import annotations

import sys

import numpy as np
from common import ROOT, write_block, write_csv

import hwsim
from hwsim.config import ArchConfig
from hwsim.config.network import NetworkConfig
from hwsim.cost.book import Book
from hwsim.cost.breakeven import dense_rival, draw
from hwsim.cost.energy import Energy
from hwsim.cost.memories import logic
from hwsim.cost.silicon import cost_of
from hwsim.engine.network import simulate_layer
from hwsim.engine.results import NetworkResult
from hwsim.report.page import table_lines
from hwsim.rtl.synth.yosys import synthesize_multiplier
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer
from hwsim.workload.random import sparse

#: Alex-6 of EIE's table: M, K, densities of weights and activations.
ALEX6 = (4096, 9216, 0.09, 0.351)


def row(what: str, published: str, ours: str, why: str) -> dict[str, object]:
    """One figure."""
    return {"figure": what, "published": published, "here": ours, "difference": why}


def eie(book: Book) -> list[dict[str, object]]:
    """EIE's PE: areas by memory, and shares of its power on AlexNet's fc6."""
    arch = ArchConfig.read("csc_eie")
    area, pes = book.area(arch), arch.array.pes
    by_name = {memory.name: memory.count * s.area / pes for memory, s in area.memories}
    pointers = sum(um2 for name, um2 in by_name.items() if name.startswith("pointers"))
    total = area.total / pes
    rng = np.random.default_rng(0)
    m, k, weights, acts = ALEX6
    gemm = GEMM.of(
        sparse(rng, (m, k), weights, arch.numbers.weight_width),
        sparse(rng, (k, 1), acts, arch.numbers.act_width),
        "fc6",
    )
    result = NetworkResult(
        arch, "alexnet_fc6", 1, [simulate_layer(arch, Layer.of_gemms("fc6", [gemm]))]
    )
    spent = cost_of(book, result).energy
    # EIE's power is that of inference: its weights stay in the PEs
    load = _loading(result, area)
    parts = {name: pj - load.get(name, 0.0) for name, pj in spent.parts.items()}
    inside = sum(pj for name, pj in parts.items() if name not in ("buffer", "dram"))
    matrix = parts["entries memory"]
    pointer = sum(pj for name, pj in parts.items() if name.startswith("pointers"))
    return [
        row(
            "EIE, PE: sparse-matrix SRAM, um2", "469,412", f"{by_name['entries']:,.0f}",
            "CACTI's point for 128 KB in 45 nm is 8.5 % below EIE's own, the fit adds its error",
        ),
        row(
            "EIE, PE: pointer SRAM, um2", "121,849", f"{pointers:,.0f}",
            "two banks of 8192 words of 18 bits here, of 16 bits there",
        ),
        row(
            "EIE, PE: area, um2", "638,024", f"{total:,.0f}",
            "activation queue of 8 pixels' words and two accumulator banks of 256 here, register "
            "files of 64 there; no act SRAM here",
        ),
        row(
            "EIE, PE: share of memories", "93 %", f"{area.memory / area.total:.0%}",
            "accumulators count as memories here",
        ),
        row(
            "EIE, PE: power of pointer read / sparse-matrix read", "0.37",
            f"{pointer / matrix:.2f}",
            "a matrix word of EIE has eight entries, one here: every entry is a read here",
        ),
        row(
            "EIE, PE: share of sparse-matrix read in power", "54 %", f"{matrix / inside:.0%}",
            "as above; accumulators and the clock of their flip-flops take the rest here",
        ),
    ]  # fmt: skip


def _loading(result: NetworkResult, area) -> dict[str, float]:
    """Energy of the words that fill the weight memories, by part."""
    events = result.counts.events
    return {
        f"{memory.name} memory": events[memory.writes]
        * silicon.write
        / sum(memory.writes == other.writes for other, _ in area.memories)
        for memory, silicon in area.memories
        if memory.ports == 1
    }


def pcnn() -> list[dict[str, object]]:
    """PCNN: share of the index memory."""
    arch = ArchConfig.read("pattern_4x4")
    result = hwsim.simulate(arch, "vgg16")
    convs = [layer for layer in result.layers if layer.name.startswith("conv")]
    indices = sum(layer.bits.indices for layer in convs)
    total = sum(layer.bits.total for layer in convs)
    return [
        row(
            "PCNN: index memory, share of memory", "3.1 % (of all on-chip memory)",
            f"{indices / total:.1%} (of weights and indices, VGG-16's convolutions)",
            "three bits for four weights of eight bits here; activations are in PCNN's memory, and "
            "not in this ratio",
        )
    ]  # fmt: skip


def scnn(book: Book) -> list[dict[str, object]]:
    """SCNN: shares of its PE, and what it takes where nothing is zero.

    Its PE has 16 multipliers, as one of csc_16x16 has.
    """
    arch = ArchConfig.read("csc_16x16")
    area, pes = book.area(arch), arch.array.pes
    cells = synthesize_multiplier(arch.numbers, book.base, ROOT / "build" / "synth" / "cache")
    assert cells.area is not None
    multipliers = arch.array.multipliers * cells.area * logic(book.technology).area
    pe = next(group for group in area.groups if group.name == "pe")
    (full,) = hwsim.breakeven(arch, "alexnet", layers="conv4", act_densities=1.0).layers
    ours, theirs = (_full_density(book, design) for design in (arch, dense_rival(arch)))
    load = ours.result.counts.causes["control"]["load"] / ours.result.cycles
    sums = ours.parts["accumulator memory"] / ours.array
    return [
        row(
            "SCNN, PE: multipliers, share of area", "6 %", f"{multipliers / area.total:.1%}",
            f"weights of a whole layer lie in the PEs here: {area.memory / area.total:.0%} of "
            "the area is memory",
        ),
        row(
            "SCNN, PE: scatter crossbar / multipliers", "3",
            f"{(pe.gates + pe.flip_flops) / multipliers - 1:.2f}",
            f"there is no crossbar here; this is the other logic of {pes} PEs (decoder, adders, "
            "registers): lanes of a PE have the same weight, so their sums have one address",
        ),
        row(
            "SCNN: speed where nothing is zero / dense", "79 %", f"{full.points[0].speedup:.0%}",
            f"AlexNet conv4; weights are loaded in {load:.0%} of the cycles here, the rest is "
            "lanes without a pixel",
        ),
        row(
            "SCNN: energy where nothing is zero / dense", "1.33",
            f"{ours.array / theirs.array:.2f}",
            f"AlexNet conv4, array alone: memories of sums are {sums:.0%} of it here, for each "
            "product is added to one, where 16 rows of dense add first; no act memory here",
        ),
        row(
            "SCNN: break-even density against its dense variant", "0.85",
            f"{1 - (full.portion or 0.0):.2f}",
            "AlexNet conv4 with equal multipliers; weights alone are pruned here, activations as "
            "well there, and its products are of all weights with all activations of a channel",
        ),
    ]  # fmt: skip


def _full_density(book: Book, arch: ArchConfig) -> Energy:
    """Energy of AlexNet's conv4 where no operand is zero."""
    network = NetworkConfig.read("alexnet")
    (shape,) = (each for each in network.shapes() if each.layer.name == "conv4")
    result = NetworkResult(
        arch, "alexnet", 1, [simulate_layer(arch, draw(shape, arch.numbers, 1, 1.0))]
    )
    return cost_of(book, result).energy


def speeds() -> list[dict[str, object]]:
    """SCNN's and SparTen's speed over dense: the density at which designs of ours are as fast."""
    rows = []
    for name, arch, factor, why in (
        (
            "SCNN", "csc_16x16", 2.7,
            "there all weights of a channel meet all its activations; here the lanes of a PE share "
            "a weight and wait for each other, so zero activations save nothing in this layer",
        ),
        (
            "SparTen", "bitmask_256", 4.7,
            "its inner join of masks, without its greedy balance; its buffers are part of its "
            "figure, and memories never wait here",
        ),
    ):  # fmt: skip
        (layer,) = hwsim.breakeven(arch, "alexnet", layers="conv4", act_densities=0.4).layers
        pruned, speedup = ([getattr(p, key) for p in layer.points] for key in ("pruned", "speedup"))
        left = 1 - float(np.interp(factor, speedup, pruned))
        rows.append(
            row(
                f"{name}: speed over dense, equal multipliers", f"{factor}x, mean of its networks",
                f"reached by {arch} where {left:.0%} of the weights are left, 40 % of activations "
                "non-zero (AlexNet conv4)",
                why,
            )
        )  # fmt: skip
    return rows


def conv4(technology: str) -> list[dict[str, object]]:
    """AlexNet conv4: break-even at equal total area, and at equal multipliers."""
    found = hwsim.breakeven("csc_16x16", "alexnet", layers="conv4", technology=technology)
    rows = []
    for layer in found.layers:
        at = layer.pruned_at_equal_area
        shown = "above 95 %" if at is None else f"{at:.1%}, {1 / (1 - at):.2f}x"
        rows.append(
            row(
                f"AlexNet conv4, break-even at equal area in {technology}, {layer.acts}",
                "55 %, 2.22x", shown,
                "256 multipliers, each array at its own clock; index-decoding PEs have "
                "accumulators for all filters, in macros of two ports, which weigh more in 130 nm",
            )
        )  # fmt: skip
    return rows


def main() -> int:
    """Write the record and the page."""
    book = Book("45nm", print)
    rows = [*eie(book), *scnn(book), *speeds(), *pcnn(), *conv4("45nm"), *conv4("sg13g2")]
    write_csv("published.csv", rows)
    lines = table_lines(list(rows[0]), [list(each.values()) for each in rows])
    write_block("published", lines)
    for each in rows:
        print(*each.values(), sep=" | ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
