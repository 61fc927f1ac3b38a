"""Break-even pruning: the sweep falls, the bisection finds where it crosses, nothing is off."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig, NetworkConfig, NumberConfig
from hwsim.cost.book import Book
from hwsim.cost.breakeven import PUBLISHED, dense_rival, draw, measure
from hwsim.cost.equal_area import EqualArea, equal_area
from hwsim.cost.memories import build
from hwsim.errors import InputError
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer

CSC, DENSE = ArchConfig.read("csc_4x16"), ArchConfig.read("dense_8x8_ws")


def layer(m=24, k=96, n=64, seed=0):
    rng = np.random.default_rng(seed)
    weight = rng.integers(1, 127, (m, k), dtype=np.int8) * rng.choice([-1, 1], (m, k))
    act = rng.integers(1, 127, (k, n), dtype=np.int8)
    return GEMM.of(weight.astype(np.int8), act, "layer")


def whole(gemm):
    return Layer.of_gemms("layer", [gemm])


def test_the_rival_is_dense_and_has_as_many_multipliers():
    for name in ("csc_4x16", "csc_16x16", "bitmask_64_greedy", "csc_4x16_w4"):
        arch = ArchConfig.read(name)
        if name == "csc_4x16_w4":  # its words are levels; the dense one is levels4
            assert dense_rival(arch).name == "dense_8x8_ws_levels4"
            continue
        rival = dense_rival(arch)
        assert rival.array.family == "dense"
        assert rival.array.multipliers == arch.array.multipliers


def test_no_rival_is_one_clear_line():
    with pytest.raises(InputError, match="dense: must be given: 0 shipped designs"):
        dense_rival(ArchConfig.read("csc_eie"))


def test_designs_of_different_size_are_refused():
    with pytest.raises(InputError, match="dense_16x16_ws: array = 256: must have 64 multipliers"):
        measure(CSC, ArchConfig.read("dense_16x16_ws"), whole(layer()), "all")


@pytest.mark.parametrize("seed", range(3))
def test_break_even_is_where_the_speedup_is_one(seed):
    gemm = layer(seed=seed)
    result = measure(CSC, DENSE, whole(gemm), "all", seed=seed)
    assert result.dense_cycles == array_model(DENSE).count(DENSE, gemm).cycles
    cycles = [point.cycles for point in result.points]
    assert cycles == sorted(cycles, reverse=True), f"seed {seed}"
    assert result.portion is not None, f"seed {seed}"
    assert 0 < result.portion < 1, f"seed {seed}"

    def speedup(portion):
        # pruning by hand: the smallest in magnitude, ties as the sweep breaks them
        flat = np.abs(gemm.weight.astype(np.int32)).ravel()
        order = np.lexsort((np.random.default_rng(seed).random(flat.size), flat))
        weight = gemm.weight.copy().ravel()
        weight[order[: round(portion * flat.size)]] = 0
        pruned = replace(gemm, weight=weight.reshape(gemm.weight.shape))
        return result.dense_cycles / array_model(CSC).count(CSC, pruned).cycles

    assert speedup(result.portion) >= 1 > speedup(result.portion - 0.002), f"seed {seed}"


def test_a_larger_design_must_prune_more():
    result = measure(CSC, DENSE, whole(layer()), "all", needed=(1.5, 1e6))
    assert result.pruned[1.0] < result.pruned[1.5]
    assert result.pruned[1e6] is None


def test_a_speedup_that_the_whole_layer_has_breaks_even_at_once():
    result = measure(CSC, DENSE, whole(layer()), "all", needed=(0.01,))
    assert result.points[0].speedup > 0.01
    assert result.pruned[0.01] == 0.0


def test_groups_are_pruned_as_one_layer():
    shapes = {s.layer.name: s for s in NetworkConfig.read("alexnet").shapes()}
    conv5 = draw(shapes["conv5"], NumberConfig(), 1, 1.0)
    gemms = conv5.gemms()
    assert len(gemms) == 2
    wide, dense = ArchConfig.read("csc_16x16"), ArchConfig.read("dense_16x16_ws")
    result = measure(wide, dense, conv5, "all", portions=(0.0, 0.9))
    assert result.dense_cycles == sum(array_model(dense).count(dense, g).cycles for g in gemms)
    small = replace(conv5, weights=tuple(w // 64 for w in conv5.weights))  # many equal weights
    ties = measure(wide, dense, small, "all", portions=(0.0, 0.9))
    assert ties.points[1].cycles == pytest.approx(result.points[1].cycles, rel=0.02)


def test_random_operands_have_their_densities():
    shapes = {s.layer.name: s for s in NetworkConfig.read("lenet5").shapes()}
    (gemm,) = draw(shapes["fc1"], NumberConfig(), images=4, act_density=0.25, seed=5).gemms()
    assert np.count_nonzero(gemm.weight) == gemm.weight.size
    assert np.count_nonzero(gemm.act) / gemm.act.size == pytest.approx(0.25, abs=0.03)


def test_the_published_curve_crosses_one_where_the_paper_says():
    # 55 %: 2.22x pruning
    portions, speedups = np.array(list(PUBLISHED)), np.array(list(PUBLISHED.values()))
    assert np.interp(1.0, speedups, portions) == pytest.approx(0.55, abs=0.02)


#: Areas in um2 and a ratio of clocks, chosen so that the memory of the weights matters.
AREAS = EqualArea("sg13g2", array=3.0e6, dense=2.0e6, clock=0.8)


def test_equal_area_pays_the_memory_of_the_weights_first():
    none, half = AREAS.gain(0, 1 << 20), AREAS.gain(1 << 19, 1 << 20)
    same = AREAS.gain(1 << 20, 1 << 20)
    # the same memory on both sides: areas of the arrays and clocks alone decide
    assert same == pytest.approx(0.8 * 2.0 / 3.0)
    assert same < half < none
    # indices that fill the area of the dense array leave no PE
    assert AREAS.gain(1 << 24, 1 << 20) == 0.0


@pytest.mark.parametrize("seed", range(2))
def test_break_even_at_equal_area_is_where_that_speedup_is_one(seed):
    result = measure(CSC, DENSE, whole(layer(seed=seed)), "all", seed=seed, areas=AREAS)
    plain = measure(CSC, DENSE, whole(layer(seed=seed)), "all", seed=seed)
    assert result.pruned == plain.pruned
    shown = [point.at_equal_area for point in result.points]
    assert shown == sorted(shown), f"seed {seed}"
    at = result.pruned_at_equal_area
    assert at is not None, f"seed {seed}"
    assert at > result.portion, f"seed {seed}"
    below = max(p.pruned for p in result.points if p.at_equal_area < 1)
    above = min(p.pruned for p in result.points if p.at_equal_area >= 1)
    assert below <= at <= above, f"seed {seed}"


def test_areas_are_those_of_the_designs_without_memories_of_weights():
    book = Book("sg13g2")
    found = equal_area(book, CSC, DENSE)
    held = [
        m for m in CSC.array.memories(CSC.numbers) if m.name.startswith(("entries", "pointers"))
    ]
    weights = sum(m.count * build(m, "sg13g2").area for m in held)
    assert found.array == pytest.approx(book.area(CSC).total - weights)
    assert found.dense == book.area(DENSE).total
    assert found.clock == book.clock(CSC).mhz / book.clock(DENSE).mhz
