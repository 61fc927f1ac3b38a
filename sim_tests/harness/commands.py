"""Every command of the command line, on inputs that take it seconds."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from harness.liberty import library

from hwsim.config import NetworkConfig
from hwsim.workload.lowering import weight_shape

__all__ = ["COMMANDS", "RECIPE", "ROOT", "SWEEP", "environment", "program"]

ROOT = Path(__file__).parents[2]

#: A space of some hundred points, each of which takes milliseconds.
SWEEP = {
    "name": "wide",
    "arch": "csc_16x4",
    "network": "lenet5",
    "grid": {
        "arch.array.fifo_depth": [2, 4, 8, 16, 32],
        "network.weight_density": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
        "network.act_density": [0.2, 0.4, 0.6, 0.8],
    },
    "objectives": {"cycles": "min", "bits": "min"},
}
_TRAIN = {"epochs": 4, "batch": 64, "precision": "float32"}
#: Twelve epochs, each of which takes less than a second on small data.
RECIPE = {
    "name": "short", "kind": "nonstructured", "network": "lenet5", "dataset": "mnist", "seed": 1,
    "train": _TRAIN,
    "prune": {
        "admm": {"iterations": 2, "train": _TRAIN}, "retrain": _TRAIN,
        "layers": {"fc1": {"unstructured": 0.1}},
    },
    "quantize": {"images": 100},
}  # fmt: skip


def _sweep(folder: Path) -> list[str]:
    (folder / "wide.yaml").write_text(yaml.safe_dump(SWEEP))
    return ["sweep", "wide.yaml", "--out", "out", "--jobs", "2"]


def _recipe(folder: Path) -> list[str]:
    (folder / "short.yaml").write_text(yaml.safe_dump(RECIPE))
    return ["compress", "short.yaml", "--out", "out"]


def _state_dict(folder: Path) -> Path:
    """Random weights of LeNet-5."""
    from safetensors.numpy import save_file

    rng = np.random.default_rng(1)
    tensors = {}
    for shape in NetworkConfig.read("lenet5").shapes():
        if shape.has_weights:
            size = weight_shape(shape)
            weight = rng.normal(0, (2 / shape.K) ** 0.5, size)
            tensors[f"{shape.layer.name}.weight"] = weight.astype(np.float32)
            tensors[f"{shape.layer.name}.bias"] = np.zeros(size[0], np.float32)
    path = folder / "lenet5.safetensors"
    save_file(tensors, path)
    return path


def _liberty(folder: Path) -> list[str]:
    (folder / "mini.lib").write_text(library())
    return ["tech", "mini.lib", "--out", "out/mini.yaml"]


#: Name -> arguments, from the folder that the command runs in; all write to ``out``.
COMMANDS: dict[str, Callable[[Path], list[str]]] = {
    "study": lambda folder: ["study", "eie", "--out", "out"],
    "study of models": lambda folder: ["study", "digits3x3", "--out", "out", "--jobs", "2"],
    "simulate": lambda folder: ["simulate", "csc_16x4", "lenet5", "--images", "8", "--out", "out"],
    "simulate a machine": lambda folder: [
        "simulate", "machine_dense_8x8_ws", "lenet5", "--memory", "ideal", "--out", "out",
    ],
    "generate": lambda folder: ["generate", "csc_16x4", "--out", "out"],
    "generate a machine": lambda folder: [
        "generate", "machine_dense_8x8_ws", "--network", "lenet5", "--out", "out",
    ],
    "verify": lambda folder: ["verify", "nm_2x4_4x8_ws", "--random", "20", "--out", "out"],
    "synth": lambda folder: ["synth", "dense_8x8_ws", "--out", "out"],
    "area": lambda folder: ["area", "dense_8x8_ws", "--out", "out"],
    "clock": lambda folder: ["clock", "dense_8x8_ws", "--out", "out"],
    "energy": lambda folder: ["energy", "dense_8x8_ws", "lenet5", "--out", "out"],
    "fit": lambda folder: ["fit", "csc_16x4", "lenet5", "--out", "out"],
    "sweep": _sweep,
    "breakeven": lambda folder: ["breakeven", "csc_4x16", "lenet5:conv2", "--out", "out"],
    "compress": _recipe,
    "compress a network": lambda folder: [
        "compress", "lenet5", "--nm", "2:4", "--weights", str(_state_dict(folder)), "--out", "out",
    ],
    "import": lambda folder: [
        "import", "lenet5", "--weights", str(_state_dict(folder)), "--out", "out",
    ],
    "storage": lambda folder: ["storage", "lenet5_dense", "--out", "out"],
    "tech": _liberty,
    "doctor": lambda folder: ["doctor"],
}  # fmt: skip


def program(name: str, folder: Path) -> list[str]:
    """Command line of one of :data:`COMMANDS`, its inputs written into a folder."""
    module = "harness.small_data" if name == "compress" else "hwsim"
    return [sys.executable, "-m", module, *COMMANDS[name](folder)]


def environment(**changes: str) -> dict[str, str]:
    """Environment in which the checkout and its tests are what is imported."""
    paths = os.pathsep.join([str(ROOT), str(ROOT / "sim_tests")])
    return os.environ | {"PYTHONPATH": paths, "MPLBACKEND": "Agg"} | changes
