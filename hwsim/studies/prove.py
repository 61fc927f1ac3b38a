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
    done: Comparison, folder: Path, progress: Callable[[str], None] = lambda what: None
) -> list[dict[str, Any]]:
    """Run the study's layers on the RTL of its designs to verify, with the models chosen for them.

    Where no model on a design was chosen, the first one of the study is run. The models of one
    design share one build and one simulation.

    Parameters
    ----------
    folder
        Gets one folder a design: its Verilog, and the build.
    progress
        Called with what begins.

    Returns
    -------
    list of dict
        One record a variant and layer, as of :meth:`hwsim.verification.compare.Comparison.to_dict`.

    Raises
    ------
    InputError
        A tool is missing.
    """
    proofs = []
    for name, variants in _wanted(done).items():
        cases, owners = [], []
        for variant in variants:
            operands = checkpoint_operands(
                done.network, variant.model.source, done.config.verify.images
            )
            found = layer_cases(operands, done.config.verify.layers)
            cases += found
            owners += [variant.name] * len(found)
        results = verify(
            variants[0].arch,
            cases,
            folder / name,
            notify=lambda stage, place, total, name=name: progress(f"{name}: {stage}"),  # type: ignore[misc]
        )
        proofs += [
            {"variant": owner, "arch": name} | result.to_dict()
            for owner, result in zip(owners, results, strict=True)
        ]
    return proofs


def _wanted(done: Comparison) -> dict[str, list[Variant]]:
    names = [ArchConfig.read(arch).name for arch in done.config.verify.archs]
    of_design = {name: [v for v in done.variants if v.arch.name == name] for name in names}
    chosen = {model.name for model in done.chosen.values()}
    return {
        name: [v for v in found if v.model.name in chosen] or found[:1]
        for name, found in of_design.items()
    }
