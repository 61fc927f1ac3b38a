"""Run a study's real layers on the generated RTL and hold them to the simulator."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from hwsim.config import ArchConfig
from hwsim.inference.operands import checkpoint_operands
from hwsim.studies.compare import Comparison, Variant
from hwsim.verification.cases import layer_cases
from hwsim.verification.run import verify

__all__ = ["run"]


def run(
    comparison: Comparison, folder: Path, progress: Callable[[str], None] = lambda what: None
) -> list[dict[str, Any]]:
    """Run the study's layers on the RTL of its designs to verify, with the models chosen for them.

    Where no model on a design was chosen, the first one of the study is run. Designs are those with
    memories sized for their models; models that need the same share one build and one simulation.

    Parameters
    ----------
    folder
        Gets one folder per design, with one per size of its memories: Verilog, and the build.
    progress
        Called with what begins.

    Returns
    -------
    list of dict
        One record per variant and layer:
        :meth:`hwsim.verification.compare.Comparison.to_dict`.

    Raises
    ------
    InputError
        A tool is missing.
    """
    proofs = []
    for (name, digest), variants in _wanted(comparison).items():
        cases, owners = [], []
        for variant in variants:
            operands = checkpoint_operands(
                comparison.network, variant.model.source, comparison.config.verify.images
            )
            layers = layer_cases(operands, comparison.config.verify.layers)
            cases += layers
            owners += [variant.name] * len(layers)
        results = verify(
            variants[0].hardware,
            cases,
            folder / name / digest,
            notify=lambda stage, index, total, name=name: progress(f"{name}: {stage}"),  # type: ignore[misc]
        )
        proofs += [
            {"variant": owner, "arch": name} | result.to_dict()
            for owner, result in zip(owners, results, strict=True)
        ]
    return proofs


def _wanted(comparison: Comparison) -> dict[tuple[str, str], list[Variant]]:
    """Design by name, and digest of its hardware -> variants to be run on it."""
    chosen = {model.name for model in comparison.chosen.values()}
    wanted: dict[tuple[str, str], list[Variant]] = {}
    for name in [ArchConfig.read(arch).name for arch in comparison.config.verify.archs]:
        own = [v for v in comparison.variants if v.arch.name == name]
        for variant in [v for v in own if v.model.name in chosen] or own[:1]:
            wanted.setdefault((name, variant.hardware.digest), []).append(variant)
    return wanted
