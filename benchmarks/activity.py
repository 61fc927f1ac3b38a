"""How much of the logic of each kind of design switches per event, from simulated gates.

``python benchmarks/activity.py`` maps a small design of each kind to cells, runs random products of
several densities on the gates in Verilator, and writes the shares that explain what switched into
``configs/parts/sg13g2.yaml``. ``--check`` measures none: it runs a real layer of LeNet-5 on other
small designs, and writes energy by the shares against that of the gates, to
``benchmarks/results/activity.csv`` and a table of ``docs/silicon.md``.
"""

from __future__ import annotations

import argparse
import sys
from typing import Any

import numpy as np
from common import ROOT, publish
from parts import HEAD, PAGE, TECHNOLOGY

from hwsim.arrays.base import array_model
from hwsim.config import ArchConfig
from hwsim.config.parts import PartsConfig
from hwsim.cost.activity import Sample, fit
from hwsim.cost.energy import work
from hwsim.cost.memories import process
from hwsim.formats import project
from hwsim.rtl.cosim.gates import Gates, map_gates, run_gates
from hwsim.system.files import write_text_atomic
from hwsim.workload.conv import Conv
from hwsim.workload.gemm import GEMM

BUILD = ROOT / "build" / "activity"
WS = {"family": "dense", "dataflow": "ws", "rows": 4, "cols": 4, "acc_depth": 16, "mac_latency": 2}
OS = {"family": "dense", "dataflow": "os", "rows": 4, "cols": 4, "mac_latency": 2}
NM = {"family": "nm", "rows": 3, "cols": 4, "n": 2, "m": 4, "mac_latency": 2}
TRAINED: tuple[dict[str, Any], ...] = (
    WS,
    OS,
    WS | {"gather_depth": 16},
    WS | {"weight_stream": "bitmask"},
    OS | {"weight_stream": "bitmask"},
    WS | {"mac_latency": 3, "zero_gating": True},
    OS | {"mac_latency": 3, "zero_gating": True},
    NM | {"dataflow": "ws", "acc_depth": 16},
    NM | {"dataflow": "os"},
    {
        "family": "pattern", "rows": 3, "cols": 3, "acc_depth": 16, "line_depth": 16,
        "mac_latency": 2,
    },
    {"family": "dbb", "rows": 3, "cols": 3, "n": 2, "m": 8, "mac_latency": 2},
    {
        "family": "csc", "pes": 2, "lanes": 8, "col_depth": 64, "entry_depth": 256, "acc_depth": 8,
        "drain_lanes": 4,
    },
    {
        "family": "bitmask", "pes": 2, "chunk": 32, "window": 4, "mask_depth": 32,
        "entry_depth": 256, "acc_depth": 8,
    },
)  # fmt: skip
CHECKED: tuple[dict[str, Any], ...] = (
    WS | {"rows": 5, "cols": 3, "acc_depth": 32},
    NM | {"dataflow": "ws", "rows": 2, "cols": 3, "acc_depth": 32},
    {
        "family": "csc", "pes": 4, "lanes": 4, "col_depth": 128, "entry_depth": 512, "acc_depth": 8,
    },
    {
        "family": "bitmask", "pes": 4, "chunk": 128, "window": 16, "mask_depth": 16,
        "entry_depth": 512, "acc_depth": 8,
    },
)  # fmt: skip
#: Densities of weights and of activations.
DENSITIES = ((1.0, 1.0), (1.0, 0.4), (0.3, 1.0), (0.3, 0.4), (0.1, 0.4))
#: Standard deviations of weights and activations, in steps of their 8 bits: about what layers have.
SPREAD = (20.0, 30.0)
#: Geometry of the products: a 3x3 convolution, so that every family takes it as it is.
CONV = Conv(1, 6, 8, 8, 3, 3, 1, 1, 1)
FILTERS = 12


def gates_of(array: dict, folder: str) -> Gates:
    """A small design, mapped and built."""
    arch = ArchConfig.model_validate({"name": "few_pes", "array": array})
    print(f"{arch.array.kind}: mapping and building", flush=True)
    return map_gates(arch, process(TECHNOLOGY), BUILD / folder / arch.digest)


def product(arch: ArchConfig, weight_density: float, act_density: float) -> GEMM:
    """Random layer with values around zero, as those of trained networks lie."""
    rng = np.random.default_rng([int(1000 * weight_density), int(1000 * act_density)])
    weight = _values(rng, (FILTERS, CONV.C * 9), weight_density, SPREAD[0])
    ifmap = np.abs(_values(rng, (1, CONV.C, CONV.H, CONV.W), act_density, SPREAD[1]))
    return layer(arch, weight, ifmap, CONV)


def layer(arch: ArchConfig, weight: np.ndarray, ifmap: np.ndarray, conv: Conv) -> GEMM:
    """GEMM of a convolution with the weights that a design can hold."""
    shape = GEMM(len(weight), weight.shape[1], conv.P * conv.Q, conv=conv, ifmap=ifmap)
    held = project(arch, weight, shape.channels)
    return GEMM(shape.M, shape.K, shape.N, held, conv=conv, ifmap=ifmap)


def _values(
    rng: np.random.Generator, size: tuple[int, ...], density: float, spread: float
) -> np.ndarray:
    drawn = np.clip(np.rint(rng.normal(0, spread, size)), -127, 127).astype(np.int64)
    drawn[drawn == 0] = 1
    return np.where(rng.random(size) < density, drawn, 0)


def sample(gates: Gates, gemm: GEMM) -> Sample:
    """Run a product on the gates; refuse one that is not what the simulator says."""
    model = array_model(gates.arch)
    run, groups = run_gates(gates, model.compile(gates.arch, gemm))
    counts = model.count(gates.arch, gemm)
    if run.fault or run.counts != counts:
        raise RuntimeError(f"{gates.arch.array.kind}: gates differ from the simulator: {run.fault}")
    return Sample(
        work(gates.arch, counts, useful(gemm)),
        {name: group.energy / group.once if group.once else 0.0 for name, group in groups.items()},
    )


def useful(gemm: GEMM) -> int:
    """Products of two non-zeros."""
    assert gemm.weight is not None
    return int(np.count_nonzero(gemm.weight, axis=0) @ gemm.nonzero_acts())


def train(array: dict[str, Any]) -> None:
    """Measure the shares of one kind of design, and file them."""
    gates = gates_of(array, "trained")
    kind = gates.arch.array.kind
    samples = [sample(gates, product(gates.arch, *each)) for each in DENSITIES]
    shares = fit(samples, ("useful", "zero", *gates.arch.array.SWITCHING))
    print(f"{kind}: {shares}", flush=True)
    record = PartsConfig.read(PAGE)
    activities = record.activities | {kind: shares}
    write_text_atomic(PAGE, HEAD + record.model_copy(update={"activities": activities}).to_yaml())


def real_layer() -> tuple[np.ndarray, np.ndarray, Conv]:
    """A piece of a layer of LeNet-5: weights that were pruned to a third, images of MNIST."""
    from hwsim.api.read import workload

    work_ = workload("lenet5", "lenet5_nonstructured_12x", 1, None, 0, lambda what: None)
    layer = work_.layers["conv2"]
    assert layer.weights is not None
    assert layer.ifmap is not None
    assert layer.conv is not None
    channels, filters = 4, 12
    conv = layer.conv
    taps = layer.weights[0].reshape(layer.M, conv.R * conv.S, conv.C)
    # the densest filters, so that the array has work
    rows = np.argsort(-np.count_nonzero(taps[:, :, :channels], axis=(1, 2)))[:filters]
    weight = taps[rows][:, :, :channels].reshape(filters, -1)
    cut = Conv(1, channels, conv.H, conv.W, conv.R, conv.S, conv.stride, conv.padding, 1)
    return weight.astype(np.int64), layer.ifmap[:1, :channels].astype(np.int64), cut


def check(record: PartsConfig) -> list[dict[str, object]]:
    """Energy of the logic by the shares against that of the gates, on a real layer."""
    rows = []
    weight, ifmap, conv = real_layer()
    for array in CHECKED:
        gates = gates_of(array, "checked")
        gemm = layer(gates.arch, weight, ifmap, conv)
        job = array_model(gates.arch).compile(gates.arch, gemm)
        run, groups = run_gates(gates, job)
        done = work(gates.arch, run.counts, useful(gemm))
        shares = record.activities[gates.arch.array.kind]
        ours = {
            name: group.once * sum(a * done.get(on, 0.0) for on, a in shares[name].items())
            for name, group in groups.items()
        }
        clock = gates.corner.flip_flop.clock_energy * run.counts.cycles
        clock *= sum(group.flip_flops for group in groups.values())
        seen = sum(group.energy for group in groups.values())
        rows.append(
            {
                "design": gates.arch.array.kind,
                "cycles": run.counts.cycles,
                "pe_gates_pj": round(groups["pe"].energy),
                "pe_model_pj": round(ours["pe"]),
                "rest_gates_pj": round(seen - groups["pe"].energy),
                "rest_model_pj": round(sum(ours.values()) - ours["pe"]),
                "clock_pj": round(clock),
                "error_percent": round(
                    100 * (sum(ours.values()) + clock) / (seen + clock) - 100, 1
                ),
            }
        )
        print(rows[-1], flush=True)
    return rows


def main() -> int:
    """Measure the shares, or check them."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("families", nargs="*", help="families to measure; all if absent")
    options.add_argument("--check", action="store_true")
    chosen = options.parse_args()
    if chosen.check:
        publish("activity", check(PartsConfig.read(PAGE)))
        return 0
    for array in TRAINED:
        if not chosen.families or array["family"] in chosen.families:
            train(array)
    return 0


if __name__ == "__main__":
    sys.exit(main())
