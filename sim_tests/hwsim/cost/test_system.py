"""Systems: what feeds an array, its time at a bandwidth, and what it is paid with."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from hwsim.arrays.systolic.compile import count_shape
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.cost.book import Book
from hwsim.cost.memories import build, full_adder, logic
from hwsim.cost.system import COLD, SUPPLIES, System, banked, load_cycles, systems, time_of
from hwsim.engine.network import simulate
from hwsim.formats.lists import NONE
from hwsim.inference.operands import checkpoint_operands

LENET = NetworkConfig.read("lenet5")
BOOK = Book("sg13g2")
WEIGHTS = {
    "dense_8x8_ws": "lenet5_structured_40x",
    "dense_8x8_os": "lenet5_structured_40x",
    "nm_1x4_8x8_ws": "lenet5_nm_1x4",
    "csc_8x8": "lenet5_nonstructured_85x",
    "bitmask_64": "lenet5_nonstructured_85x",
}
#: Addresses that it gathers with at once.
LANES = {"dense_8x8_ws": 8, "dense_8x8_os": 1}
#: Depths at which the PEs of the index-decoding arrays hold all of those weights.
RESIDENT = {
    "csc_8x8": {"entry_depth": 1024, "col_depth": 2048},
    "bitmask_64": {"entry_depth": 512, "mask_depth": 512},
}


@cache
def counted(name):
    """Two images of LeNet-5 on a design."""
    operands = checkpoint_operands(LENET, WEIGHTS[name], 2)
    return simulate(ArchConfig.read(name), LENET, operands, images=2)


@cache
def fed(name) -> dict[tuple[str, bool], System]:
    found = systems(BOOK, LENET, counted(name), resident=RESIDENT.get(name))
    return {(system.supply, system.holds_maps): system for system in found}


@cache
def laned(name):
    """The same with the folds that lanes of their own columns take."""
    return banked(counted(name))


#: One beat of each stream.
EVENTS = {"weight_beats": 1, "act_beats": 1, "ofmap_beats": 1}


def listed(name):
    """Bytes of the gather lists."""
    return sum(layer.lists.bits for layer in counted(name).layers) / 8


def adders(name):
    """mm2 of an adder for each lane, as wide as an address of the largest map in words."""
    # what a layer reads at most is 2 images of 20 x 12 x 12 activations of 8 bits
    beat = counted(name).arch.array.traffic(counted(name).arch.numbers, EVENTS)["act"]
    words = -(-2 * 20 * 12 * 12 * 8 // beat)
    bit = sum(cell.area for cell in full_adder(logic(BOOK.technology).corner))
    return LANES[name] * (words - 1).bit_length() * bit / 1e6


def test_time_is_that_of_an_account_layer_by_layer():
    seed = 5
    print("seed", seed)
    rng = np.random.default_rng(seed)
    front, rest, weights, maps = rng.uniform(0, 9, (4, 6, 4))
    tiles = rng.integers(1, 4, (6, 4)).astype(float)
    ahead = np.arange(6) % 2 == 1
    expected = []
    for run in range(6):
        total = weights[run, 0] / tiles[run, 0] if ahead[run] else 0.0
        for layer in range(4):
            computed = front[run, layer] + rest[run, layer]
            if ahead[run]:
                count = int(tiles[run, layer])
                loads = [weights[run, layer] / count] * count
                loads += [weights[run, layer + 1] / tiles[run, layer + 1]] if layer < 3 else [0.0]
                for coming in loads[1:]:
                    total += max(computed / count, coming + maps[run, layer] / count)
            else:
                waited = max(front[run, layer], weights[run, layer]) + rest[run, layer]
                total += max(waited, weights[run, layer] + maps[run, layer])
        expected.append(total)
    assert time_of(front, rest, weights, maps, ahead, tiles) == pytest.approx(expected)


@pytest.mark.parametrize("name", WEIGHTS)
def test_without_a_limit_it_takes_what_the_array_takes(name):
    result, mhz = counted(name), BOOK.clock(ArchConfig.read(name)).mhz
    for (supply, _), system in fed(name).items():
        cycles = laned(name).cycles - (load_cycles(result) if supply == "held" else 0)
        if supply == "doubled":
            runs: list[float] = []
            fills: list[float] = []
            for layer in result.layers:
                tiles = layer.counts.events["command_beats"]
                runs += [(layer.cycles - load_cycles(layer)) / tiles] * tiles
                fills += [load_cycles(layer) / tiles] * tiles
            cycles = fills[0] + sum(map(max, runs, [*fills[1:], 0]))
        assert system.microseconds(np.inf) == pytest.approx(cycles / mhz)
    decodes = result.arch.array.decodes_indices
    # index-decoding arrays take no weight twice, and no other has memories of weights
    missing = {"kept"} if decodes else {"held", "doubled"}
    assert {supply for supply, _ in fed(name)} == set(SUPPLIES) - missing


@pytest.mark.parametrize("name", WEIGHTS)
def test_more_bandwidth_never_costs_time_or_energy(name):
    for system in fed(name).values():
        times = [system.microseconds(rate) for rate in (0.01, 50.0, 800.0, np.inf)]
        spent = [system.microjoules(rate) for rate in (0.01, 50.0, 800.0, np.inf)]
        assert times == sorted(times, reverse=True)
        assert spent == sorted(spent, reverse=True)
        # at the least bandwidth all that counts is what is moved
        assert times[0] == pytest.approx(system.traffic_bytes / 0.01, rel=0.02)


@pytest.mark.parametrize("name", WEIGHTS)
def test_traffic_is_what_each_supply_says(name):
    result = laned(name)
    array, numbers = result.arch.array, result.arch.numbers
    moved = array.traffic(numbers, result.counts.events)
    border = 2 * (784 + 10)
    for (supply, holds_maps), system in fed(name).items():
        outside = moved["act"] / 8 + moved["ofmap"] / 32
        assert system.map_bytes.sum() == pytest.approx(border if holds_maps else outside)
        if supply not in COLD:
            assert system.weight_bytes.sum() == 0
        elif supply == "streamed":
            assert system.weight_bytes.sum() == moved["weight"] / 8 + listed(name)
        else:
            # each weight once, no less than what is stored, and each list
            assert system.weight_bytes.sum() <= moved["weight"] / 8 + listed(name)
            assert system.weight_bytes.sum() >= result.bits.values / 8 + listed(name)


@pytest.mark.parametrize("name", ["dense_8x8_ws", "dense_8x8_os", "nm_1x4_8x8_ws"])
def test_weights_of_a_layer_are_streamed_in_whole_passes(name):
    result = counted(name)
    array, numbers = result.arch.array, result.arch.numbers
    for layer in result.layers:
        passes = array.weight_passes(layer.shape[2])
        weight = array.traffic(numbers, layer.counts.events)["weight"]
        assert weight % passes == 0
        assert weight // passes >= layer.bits.values
    assert array.weight_passes(1) == 1


@pytest.mark.parametrize("name", WEIGHTS)
def test_what_is_held_on_the_chip_takes_area(name):
    found, array = fed(name), counted(name).arch
    bare = BOOK.area(array).total / 1e6
    if listed(name):
        assert found["streamed", False].mm2 > bare
    else:
        assert found["streamed", False].mm2 == pytest.approx(bare)
    assert found["streamed", True].mm2 > bare
    assert found["resident", False].mm2 > bare
    for system in found.values():
        logic = bare - BOOK.area(array).memory / 1e6
        gathers = any(layer.lists.columns for layer in counted(name).layers)
        more = adders(name) if gathers else 0.0
        assert system.mm2 - system.memories_mm2 == pytest.approx(logic + more)


@pytest.mark.parametrize("name", RESIDENT)
def test_pes_that_hold_all_weights_load_none(name):
    found, result = fed(name), counted(name)
    held, streamed = found["held", True], found["streamed", True]
    assert held.cycles.sum() == result.cycles - load_cycles(result)
    assert load_cycles(result) > 0
    assert held.active < streamed.active
    assert held.front.sum() == 0
    # loading comes first: what is moved then is not hidden
    assert streamed.front.sum() == load_cycles(result)


@pytest.mark.parametrize("name", RESIDENT)
def test_halves_of_pes_are_filled_beside_the_run(name):
    found, result = fed(name), counted(name)
    doubled, streamed = found["doubled", True], found["streamed", True]
    assert doubled.microseconds(np.inf) < streamed.microseconds(np.inf)
    assert doubled.weight_bytes.sum() == streamed.weight_bytes.sum()
    # no buffer, but each memory of weights twice; their words are written as before
    array, numbers = result.arch.array, result.arch.numbers
    weights = [memory for memory in array.memories(numbers) if memory.ports == 1]
    parts = sum(build(memory, "sg13g2").area * memory.count for memory in weights) / 1e6
    assert doubled.mm2 - streamed.mm2 == pytest.approx(parts)
    assert doubled.fill.sum() == load_cycles(result)
    assert doubled.tiles.sum() == result.counts.events["command_beats"]
    assert (streamed.tiles == 1).all()
    assert doubled.front.sum() == streamed.fill.sum() == 0


def test_an_array_that_waits_pays_for_its_clock_and_its_leakage():
    system = fed("dense_8x8_ws")["streamed", True]
    slow, fast = system.microseconds(10.0), system.microseconds(np.inf)
    paid = system.microjoules(10.0) - system.microjoules(np.inf)
    assert paid == pytest.approx(system.idle * (slow - fast) / 1e6)
    assert paid > 0


def test_lists_are_paid_for():
    """Lists of any column: a memory of them, a read for each fold, maps in a bank for each lane."""
    result = counted("dense_8x8_ws")
    without = replace(result, layers=[replace(layer, lists=NONE) for layer in result.layers])
    plain = {(system.supply, system.holds_maps): system for system in systems(BOOK, LENET, without)}
    assert listed("dense_8x8_ws") > 0
    for key, system in fed("dense_8x8_ws").items():
        free = plain[key]
        assert system.mm2 > free.mm2
        assert system.active > free.active
        assert system.cycles.sum() > free.cycles.sum()
        if system.is_cold:
            assert system.weight_bytes.sum() > free.weight_bytes.sum()
    # lanes share no memory: banks of their words take more than one memory of the same bits
    found = fed("dense_8x8_ws")
    maps = found["streamed", True].mm2 - found["streamed", False].mm2
    assert maps > plain["streamed", True].mm2 - plain["streamed", False].mm2


@pytest.mark.parametrize("name", LANES)
def test_each_lane_adds_its_entry_to_an_address(name):
    layers = counted(name).layers
    ordered = [replace(one, lists=replace(one.lists, banked=one.lists.folds)) for one in layers]
    plain = [replace(one, lists=replace(one.lists, columns=0)) for one in ordered]
    own, free = (
        next(s for s in systems(BOOK, LENET, replace(counted(name), layers=each)))
        for each in (ordered, plain)
    )
    more = (own.mm2 - own.memories_mm2) - (free.mm2 - free.memories_mm2)
    assert more == pytest.approx(adders(name))
    assert own.active > free.active


def test_a_fold_more_takes_what_each_other_does():
    """The account's folds of lanes against an exact count of as many columns."""
    arch, result, more = (
        ArchConfig.read("dense_8x8_ws"),
        counted("dense_8x8_ws"),
        laned("dense_8x8_ws"),
    )
    for before, after in zip(result.layers, more.layers, strict=True):
        m, k = before.lists.filters or before.shape[0], 8 * before.lists.banked
        exact = count_shape(arch, m, k, before.shape[2])
        assert after.cycles == pytest.approx(exact.cycles, rel=0.02)
        for event in ("weight_loads", "psum_writes", "act_beats", "ofmap_beats"):
            assert after.counts.events[event] == pytest.approx(exact.events[event], rel=0.03)
