"""Measurements of one point of a sweep: the array alone, or its machine with a memory."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import array_model
from hwsim.compiler.run import run_network
from hwsim.config import ArchConfig, MemoryConfig
from hwsim.cost.book import Book
from hwsim.cost.fit import fit
from hwsim.cost.silicon import SiliconCost, cost_of
from hwsim.engine.network import simulate
from hwsim.engine.results import NetworkResult
from hwsim.inference.operands import Operands
from hwsim.sweeps import weights
from hwsim.sweeps.bounds import Bounds
from hwsim.sweeps.point import Point

__all__ = ["FITTED", "RESIDENT", "Measured", "evaluate"]

#: Begins the columns of depths that were fitted to the workload.
FITTED = "fitted."
#: Begins those of depths at which PEs hold the weights of all layers.
RESIDENT = "resident."


@dataclass(frozen=True)
class Measured:
    """What a point measures."""

    #: Metrics, then cycles by cause as ``<group>.<cause>``.
    metrics: dict[str, float]
    #: One record per layer, plain data: counts of the array, or rows of the machine.
    layers: list[dict[str, Any]] = field(default_factory=list)


def evaluate(point: Point) -> Measured:
    """Simulate a point.

    Without weights, and without varied densities, a dense design needs the shapes only; otherwise
    operands are synthetic.

    Raises
    ------
    InputError
        The workload does not fit the design, or a part of it cannot be measured.
    """
    if point.arch is None or point.network is None:
        raise ValueError(f"an invalid point cannot be simulated: {point.error}")
    known = _bounds(point.technology).of(point).exact
    measured = _array(point) if point.memory is None else _machine(point)
    found = known | measured.metrics
    found["cycles_per_image"] = found["cycles"] / point.images
    for metric in ("time", "energy"):
        unit = "us" if metric == "time" else "uj"
        if f"{metric}_{unit}" in found:
            found[f"{metric}_per_image_{unit}"] = found[f"{metric}_{unit}"] / point.images
    return Measured(found, measured.layers)


def _array(point: Point) -> Measured:
    """The array alone, whose streams never wait."""
    assert point.arch is not None
    assert point.network is not None
    layers = None
    if point.weights is not None:
        layers = weights.operands(
            point.weights, point.network.model_dump_json(), point.images, point.seed
        )
    run = partial(
        simulate, network=point.network, operands=layers, images=point.images, seed=point.seed
    )
    if point.technology is None:
        result = run(point.arch)
        return Measured(_counts(result), _layers(result))
    book = _book(point.technology)
    if point.slack is None:
        result = run(point.arch)
        return Measured(_counts(result) | _silicon(cost_of(book, result)), _layers(result))
    fitted = fit(point.arch, run, technology=point.technology, slack=point.slack)
    cost = cost_of(book, fitted.after, logic=point.arch)
    array = fitted.after.arch.array
    depths = {f"{FITTED}{name}": getattr(array, name) for name in array.DEPTHS}
    sized = {name: depth for name, depth in depths.items() if depth is not None}
    metrics = _counts(fitted.after) | _silicon(cost) | sized
    if layers is not None and array.decodes_indices:
        metrics |= _resident(fitted.after.arch, layers)
    return Measured(metrics, _layers(fitted.after))


def _resident(arch: ArchConfig, layers: Operands) -> dict[str, float]:
    """Depths at which the PEs hold the weights of all layers: powers of two, as memories are."""
    words: dict[str, NDArray[np.int64]] = {}
    model = array_model(arch)
    for layer in layers.values():
        for weight in layer.weights or ():
            for name, held in model.resident_words(arch, weight, layer.name).items():
                words[name] = words.get(name, np.zeros_like(held)) + held
    return {
        f"{RESIDENT}{name}": 1 << max(0, int(held.max()) - 1).bit_length()
        for name, held in words.items()
    }


def _layers(result: NetworkResult) -> list[dict[str, Any]]:
    return [layer.to_dict() for layer in result.layers]


def _counts(result: NetworkResult) -> dict[str, float]:
    """Metrics of what was counted."""
    bits, arch = result.bits, result.arch
    moved = arch.array.traffic(arch.numbers, result.counts.events)
    return {
        "cycles": result.cycles,
        "utilization": result.utilization,
        "useful_macs": result.useful_macs,
        "nonzeros": sum(layer.nonzeros for layer in result.layers),
        **({"traffic_bytes": sum(moved.values()) / 8} if moved else {}),
        **{f"traffic_{stream}_bytes": bits / 8 for stream, bits in moved.items()},
        "bits": bits.total,
        "bits_values": bits.values,
        "bits_indices": bits.indices,
        "bits_pointers": bits.pointers,
        "bits_padding": bits.padding,
        **{
            f"{group}.{cause}": cycles
            for group, causes in result.counts.causes.items()
            for cause, cycles in causes.items()
        },
    }


def _silicon(cost: SiliconCost) -> dict[str, float]:
    """Metrics of time, area and energy."""
    return {
        "time_us": cost.microseconds,
        "area_mm2": cost.mm2,
        "memories_mm2": cost.area.memory / 1e6,
        "time_area": cost.time_area,
        "energy_uj": cost.microjoules,
        "mhz": cost.mhz,
    }


def _machine(point: Point) -> Measured:
    """The machine with a memory outside: its cycles, and what goes over its bus."""
    assert point.arch is not None
    assert point.network is not None
    assert point.memory is not None
    checkpoint = None
    if point.weights is not None:
        checkpoint = weights.read(point.weights, point.network.model_dump_json())
    memory = MemoryConfig.read(point.memory)
    result = run_network(
        point.arch, point.network, checkpoint, memory, images=point.images, seed=point.seed
    )
    kinds = [layer.moved for layer in result.layers()]
    moved = {
        "weight": sum(each["weight"] + each["scale"] for each in kinds),
        "act": sum(each["act"] for each in kinds),
        "ofmap": sum(each["stored"] for each in kinds),
    }
    found: dict[str, float] = {
        "cycles": result.cycles,
        "traffic_bytes": sum(sum(each.values()) for each in kinds),
        **{f"traffic_{stream}_bytes": size for stream, size in moved.items()},
    }
    if point.technology is not None:
        book = _book(point.technology)
        mhz, mm2 = book.clock(point.arch).mhz, book.area(point.arch).total / 1e6
        time = result.cycles / mhz
        found |= {"time_us": time, "time_area": time * mm2}
    return Measured(found, result.to_rows())


@lru_cache
def _book(technology: str) -> Book:
    """Book of a technology, one in each process."""
    return Book(technology)


@lru_cache
def _bounds(technology: str | None) -> Bounds:
    return Bounds(None if technology is None else _book(technology))
