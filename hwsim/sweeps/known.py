"""A point from the store, counted where it is not known: for others than sweeps."""

from __future__ import annotations

import time

from hwsim.cost.fit import fitted_name
from hwsim.engine.results import LayerResult, NetworkResult
from hwsim.sweeps.evaluate import FITTED, evaluate
from hwsim.sweeps.point import Point
from hwsim.sweeps.store import Row, Store

__all__ = ["result_of"]


def result_of(point: Point, store: Store) -> NetworkResult:
    """Count a point on the array alone, or read what is known of it.

    Returns
    -------
    NetworkResult
        Every layer, on the design as its memories were fitted, if they were.

    Raises
    ------
    InputError
        The workload does not fit the design, or a part of it cannot be measured.
    """
    assert point.arch is not None
    assert point.network is not None
    assert point.memory is None
    row, layers = store.get(point.key), store.layers(point.key)
    if row is None or row.status != "done":
        start = time.perf_counter()
        measured = evaluate(point)
        metrics, layers = measured.metrics, measured.layers
        seconds = time.perf_counter() - start
        row = Row(point.key, "done", point.fields, "", metrics, seconds, layers=layers)
        store.put(row)
    arch = point.arch
    if point.slack is not None:
        sized = {
            name.removeprefix(FITTED): depth
            for name, depth in row.result.items()
            if name.startswith(FITTED)
        }
        name = fitted_name(arch, point.network.name)
        array = arch.array.model_copy(update=sized)
        arch = arch.model_copy(update={"name": name, "array": array})
    counted = [LayerResult.from_dict(layer, arch.array.multipliers) for layer in layers]
    border = point.images * point.network.border
    return NetworkResult(arch, point.network.name, point.images, counted, border)
