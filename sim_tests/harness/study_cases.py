"""A network of two layers, checkpoints of it with the accuracies a test asks for, and a study."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.config.jobs.study import CompareConfig, StudyConfig

NETWORK = """
name: tiny
input: {channels: 1, height: 28, width: 28}
layers:
  - {name: conv1, type: conv, M: 8, R: 4, stride: 4, relu: true}
  - {name: fc1, type: fc, M: 10}
"""
SHAPES = {"conv1": (8, 1, 4, 4), "fc1": (10, 8 * 7 * 7)}
#: Designs of 64 multipliers by kind and width.
ARCHS = {
    ("dense", 8): ["dense_8x8_ws", "dense_8x8_os"],
    ("structured", 8): ["dense_8x8_ws", "dense_8x8_os"],
    ("nonstructured", 8): ["csc_4x16", "bitmask_64_greedy"],
    ("dense", 4): ["dense_8x8_ws_w4"],
    ("structured", 4): ["dense_8x8_ws_w4"],
    ("nonstructured", 4): ["csc_4x16_w4"],
    ("nonstructured", 5): ["csc_4x16_index7_w5"],
}


@dataclass
class Case:
    """One checkpoint: its weights are drawn, its accuracies are what the test says."""

    name: str
    kind: str = "dense"
    #: Fraction of the weights that stay: single ones, or whole columns.
    keep: float = 1.0
    heldout: float | None = 0.99
    test: float = 0.99
    bits: int = 8
    #: Of fc1, where they are fewer.
    fc1_bits: int | None = None
    dataset: str | None = "mnist"
    network: str = "tiny"
    info: dict[str, Any] = field(default_factory=dict)


def bits_of(case: Case, layer: str) -> int:
    return case.fc1_bits or case.bits if layer == "fc1" else case.bits


def weights(case: Case, rng: np.random.Generator) -> dict[str, np.ndarray]:
    drawn = {}
    for name, shape in SHAPES.items():
        high = 1 << (bits_of(case, name) - 1)
        weight = rng.integers(1, high, shape, dtype=np.int8) * rng.choice(
            np.array([-1, 1], np.int8), shape
        )
        if case.kind == "structured":
            columns = weight.reshape(shape[0], -1)
            columns[:, rng.random(columns.shape[1]) >= case.keep] = 0
            columns[:, 0] = 1
        else:
            weight[rng.random(shape) >= case.keep] = 0
        drawn[name] = weight.astype(np.int8)
    return drawn


def write(case: Case, folder: Path, seed: int = 0) -> Path:
    """Write a checkpoint; return its path."""
    code = "levels" if case.kind == "nonstructured" and case.bits < 8 else "int"
    layers = {
        name: LayerWeights(
            weight, np.zeros(len(weight), np.int32), bits_of(case, name), 20000, 22, 0.01, code
        )
        for name, weight in weights(case, np.random.default_rng(seed)).items()
    }
    info = {"kind": case.kind, "accuracy": case.test, "test_images": 10_000} | case.info
    if case.heldout is not None:
        info["accuracy_heldout"] = case.heldout
    if case.dataset is not None:
        info["recipe"] = {"dataset": case.dataset}
    path = folder / f"{case.name}.safetensors"
    return Checkpoint(case.network, layers, info).write(path)


def study(folder: Path, cases: list[Case], **keys: Any) -> tuple[CompareConfig, Path]:
    """Write a study of the cases, the first of them the baseline; return it and its path."""
    (folder / "tiny.yaml").write_text(NETWORK)
    paths = [write(case, folder, seed) for seed, case in enumerate(cases)]
    document = {
        "kind": "compare",
        "network": str(folder / "tiny.yaml"),
        "images": 2,
        "baseline": {"checkpoint": str(paths[0]), "arch": "dense_8x8_ws"},
        "runs": [
            {"checkpoints": [str(path)], "archs": ARCHS[case.kind, case.bits]}
            for path, case in zip(paths, cases, strict=True)
        ],
        "verify": {"archs": ["dense_8x8_ws"], "layers": ["fc1"]},
    } | keys
    path = folder / "study.yaml"
    path.write_text(yaml.safe_dump({"name": "tiny", "title": "Tiny", "study": document}))
    config = StudyConfig.read(path).study
    assert isinstance(config, CompareConfig)
    return config, path
