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

    Where no model on a design was chosen, the first one of the study is run. The models of one
    design share one build and one simulation.

    Parameters
    ----------
    folder
        Gets one folder per design: its Verilog, and the build.
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
    for name, variants in _wanted(comparison).items():
        cases, owners = [], []
        for variant in variants:
            operands = checkpoint_operands(
                comparison.network, variant.model.source, comparison.config.verify.images
            )
            layers = layer_cases(operands, comparison.config.verify.layers)
            cases += layers
            owners += [variant.name] * len(layers)
        results = verify(
            variants[0].arch,
            cases,
            folder / name,
            notify=lambda stage, index, total, name=name: progress(f"{name}: {stage}"),  # type: ignore[misc]
        )
        proofs += [
            {"variant": owner, "arch": name} | result.to_dict()
            for owner, result in zip(owners, results, strict=True)
        ]
    return proofs


def _wanted(comparison: Comparison) -> dict[str, list[Variant]]:
    names = [ArchConfig.read(arch).name for arch in comparison.config.verify.archs]
    of_design = {name: [v for v in comparison.variants if v.arch.name == name] for name in names}
    chosen = {model.name for model in comparison.chosen.values()}
    return {
        name: [v for v in own if v.model.name in chosen] or own[:1]
        for name, own in of_design.items()
    }
