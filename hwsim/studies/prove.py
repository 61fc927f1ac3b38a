"""Run a study's real layers on the generated RTL and hold them to the simulator."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.config import ArchConfig
from hwsim.engine.network import arranged
from hwsim.inference.operands import checkpoint_operands
from hwsim.studies.comparison import Comparison, Variant
from hwsim.system.processes import pool
from hwsim.verification.cases import layer_cases
from hwsim.verification.run import verify

__all__ = ["run"]


def run(
    comparison: Comparison,
    folder: Path,
    *,
    jobs: int = 1,
    progress: Callable[[str], None] = lambda what: None,
) -> list[dict[str, Any]]:
    """Run the study's layers on the RTL of its designs to verify, with the models chosen for them.

    Where no model on a design was chosen, the first one of the study is run. Designs are those with
    memories sized for their models; models that need the same share one build and one simulation.

    Parameters
    ----------
    folder
        Gets one folder per design, with one per size of its memories: Verilog, and the build.
    jobs
        Worker processes, each with one design at a time: a build takes one core. 1: none; 0: one
        for each core.
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
    plans = [
        _Plan(name, folder / name / digest, variants)
        for (name, digest), variants in _wanted(comparison).items()
    ]
    jobs = min(len(plans), jobs or os.cpu_count() or 1)
    if jobs < 2:
        return [proof for plan in plans for proof in _prove(plan, comparison, progress)]
    found: dict[str, list[dict[str, Any]]] = {}
    with pool(jobs, "study") as workers:
        futures = {workers.submit(_prove, plan, comparison): plan for plan in plans}
        progress(f"{len(plans)} designs, {jobs} at once")
        for future in as_completed(futures):
            plan = futures[future]
            found[str(plan.folder)] = future.result()
            progress(f"{plan.name}: {len(found)} of {len(plans)}")
    return [proof for plan in plans for proof in found[str(plan.folder)]]


@dataclass(frozen=True)
class _Plan:
    """A design that is built once, and the variants that are run on it."""

    name: str
    folder: Path
    variants: list[Variant]


def _prove(
    plan: _Plan, comparison: Comparison, progress: Callable[[str], None] = lambda what: None
) -> list[dict[str, Any]]:
    """Run all layers of a plan, in a worker or here."""
    cases, owners = [], []
    for variant in plan.variants:
        operands = checkpoint_operands(
            comparison.network, variant.model.source, comparison.config.verify.images
        )
        # as they are counted
        run = {name: arranged(variant.hardware, layer)[0] for name, layer in operands.items()}
        layers = layer_cases(run, comparison.config.verify.layers)
        cases += layers
        owners += [variant.name] * len(layers)
    results = verify(
        plan.variants[0].hardware,
        cases,
        plan.folder,
        notify=lambda stage, index, total: progress(f"{plan.name}: {stage}"),
    )
    return [
        {"variant": owner, "arch": plan.name} | result.to_dict()
        for owner, result in zip(owners, results, strict=True)
    ]


def _wanted(comparison: Comparison) -> dict[tuple[str, str], list[Variant]]:
    """Design by name, and digest of its hardware -> variants to be run on it."""
    chosen = {model.name for model in comparison.chosen.values()}
    wanted: dict[tuple[str, str], list[Variant]] = {}
    for name in [ArchConfig.read(arch).name for arch in comparison.config.verify.archs]:
        own = [v for v in comparison.variants if v.arch.name == name]
        for variant in [v for v in own if v.model.name in chosen] or own[:1]:
            wanted.setdefault((name, variant.hardware.digest), []).append(variant)
    return wanted
