"""A recipe with a ``hardware_aware`` section: many networks pruned, the best one kept."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.config.jobs.compress import CompressConfig, ConstraintConfig
from hwsim.config.jobs.hardware_aware import HardwareAwareConfig
from hwsim.datasets import load as datasets
from hwsim.inference import golden
from hwsim.models.compress import pipeline
from hwsim.models.compress.log import Epoch
from hwsim.models.search.hardware_aware import Point, Record, Search
from hwsim.system.files import write_text_atomic

__all__ = ["Costs", "MakeCosts", "run"]


class Costs(Protocol):
    """What layers cost on hardware."""

    def break_even(self) -> dict[str, float | None]:
        """Pruned portion from which on each layer costs no more than dense."""

    def of(self, checkpoint: Checkpoint, restored: frozenset[str]) -> dict[str, float]:
        """Cost of each layer of a pruned network, those ``restored`` being dense."""


#: Costs for a search, of a network, its unpruned weights, and images.
MakeCosts = Callable[[HardwareAwareConfig, NetworkConfig, Checkpoint, NDArray[np.uint8]], Costs]


def run(
    config: CompressConfig,
    out: Path,
    *,
    make_costs: MakeCosts,
    command: str,
    find: Callable[[str], Path] = Path,
    report: Callable[[Epoch], None] = lambda epoch: None,
    fresh: bool = False,
) -> Checkpoint:
    """Search, and write ``<name>.safetensors``, ``<name>.csv`` and ``<name>.points.json``.

    The CSV is the training log of the network that was chosen, the JSON has every point. Each point
    is a run of the recipe with other fractions to keep; a search that was killed goes on within it.
    The images held out decide; what the test images say of a point is not looked at.

    Parameters
    ----------
    make_costs
        Gives the costs; this package knows no hardware.
    config, out, command, find, report, fresh
        As of :func:`hwsim.models.compress.pipeline.run`.

    Raises
    ------
    InputError
        As :func:`hwsim.models.compress.pipeline.run`; or the bound cannot be met.
    """
    settings, prune = config.hardware_aware, config.prune
    assert settings is not None
    assert prune is not None
    assert config.start is not None
    network = NetworkConfig.read(config.network)
    source = find(config.start)
    start = Checkpoint.read(source, network)
    images, labels = _held_out(config)
    floor = golden.accuracy(network, start, images, labels) - settings.bound / 100
    costs = make_costs(settings, network, start, images[: settings.images])
    break_even = costs.break_even()

    question = f"{_question(config)} from {sha256(source.read_bytes()).hexdigest()}"
    points = out / f".{config.name}.points" / sha256(question.encode()).hexdigest()[:12]
    log = out / f"{config.name}.points.json"
    if fresh:
        log.unlink(missing_ok=True)
        shutil.rmtree(points.parent, ignore_errors=True)

    sizes = {name: layer.weight.size for name, layer in start.layers.items()}

    def make(number: int, keep: Mapping[str, float], restored: frozenset[str]) -> Checkpoint:
        recipe = _point(config, number, keep, restored)
        return pipeline.read_finished(recipe, points, find) or pipeline.run(
            recipe, points, command=command, find=find, report=report
        )

    def evaluate(
        number: int, keep: Mapping[str, float], restored: frozenset[str]
    ) -> tuple[float, dict[str, float]]:
        checkpoint = make(number, keep, restored)
        return float(checkpoint.info["accuracy_heldout"]), costs.of(checkpoint, restored)

    outcome = Search(
        sizes=sizes,
        start={name: layer.unstructured or 1.0 for name, layer in prune.layers.items()},
        floor=floor,
        break_even=break_even,
        evaluate=evaluate,
        record=Record(log, question),
        step=settings.step,
        limit=settings.evaluations,
    ).run()
    best = outcome.best
    # made again where an earlier search, of fewer evaluations or another bound, has tidied up
    keep = {name: kept / sizes[name] for name, kept in best.kept.items()}
    checkpoint = make(best.number, keep, frozenset(best.restored))
    _not_worse(config, out, checkpoint, best)
    info = checkpoint.info | {
        "recipe": config.model_dump(mode="json", exclude_none=True),
        "command": command,
        "hardware_aware": {
            "floor": floor,
            "break_even": break_even,
            "kept": best.kept,
            "restored": best.restored,
            "costs": best.costs,
            "cost": best.cost,
            "cost_dense": sum(costs.of(start, frozenset(start.layers)).values()),
            "points": len(outcome.points),
            "finished": outcome.finished,
        },
    }
    checkpoint = replace(checkpoint, info=info)
    csv = points / f"{_name(config, best.number)}.csv"
    write_text_atomic(out / f"{config.name}.csv", csv.read_text("utf-8"))
    checkpoint.write(out / f"{config.name}.safetensors")
    shutil.rmtree(points.parent)
    return checkpoint


def _not_worse(config: CompressConfig, out: Path, made: Checkpoint, best: Point) -> None:
    """Leave a checkpoint that is more accurate and costs no more; cost, not bits, is the aim."""
    path = out / f"{config.name}.safetensors"
    before = Checkpoint.read(path).info if path.is_file() else {}
    found = before.get("hardware_aware")
    if found is None:
        pipeline.not_worse(config, out, made, best.accuracy)
    elif before["accuracy_heldout"] > best.accuracy and found["cost"] <= best.cost:
        rule = (
            f"must be left alone: accuracy on images held out {before['accuracy_heldout']:.4f} at "
            f"a cost of {found['cost']:g}; this search came to {best.accuracy:.4f} at {best.cost:g}"
        )
        raise pipeline.Better(path, "accuracy_heldout", None, rule)


def _question(config: CompressConfig) -> str:
    """What the points of a search depend on: the recipe, but for how far the search goes."""
    assert config.hardware_aware is not None
    anyhow = {"bound": 0.0, "step": 1.0, "evaluations": 1}
    settings = config.hardware_aware.model_copy(update=anyhow)
    return config.model_copy(update={"hardware_aware": settings}).model_dump_json()


def _held_out(config: CompressConfig) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    pixels = datasets.load(config.dataset, "train")
    (images, labels), count = pixels, pipeline.held_out(pixels)
    return images[-count:], labels[-count:]


def _name(config: CompressConfig, number: int) -> str:
    return f"{config.name}_{number:03d}"


def _point(
    config: CompressConfig, number: int, keep: Mapping[str, float], restored: frozenset[str]
) -> CompressConfig:
    """Recipe of one point; of one that prunes nothing, retraining alone."""
    assert config.prune is not None
    layers = {
        name: ConstraintConfig(unstructured=fraction)
        for name, fraction in keep.items()
        if name not in restored
    }
    changes: dict[str, Any] = {"name": _name(config, number), "hardware_aware": None}
    if layers:
        changes["prune"] = config.prune.model_copy(update={"layers": layers})
    else:
        changes |= {"kind": "dense", "prune": None, "train": config.prune.retrain}
    return config.model_copy(update=changes)
