"""Run a recipe with a ``hardware_aware`` section: prune many networks, keep the best."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import named_network
from hwsim.config import NetworkConfig
from hwsim.config.jobs.compress import CompressConfig, ConstraintConfig
from hwsim.config.jobs.hardware_aware import HardwareAwareConfig
from hwsim.datasets import load as datasets
from hwsim.inference import golden
from hwsim.models.compress import pipeline
from hwsim.models.compress.log import Epoch
from hwsim.models.search.hardware_aware import Outcome, Point, Record, Search
from hwsim.system.files import write_text_atomic

__all__ = ["Costs", "MakeCosts", "run"]


class Costs(Protocol):
    """Costs of a network's layers on hardware, in whatever unit the recipe asks for."""

    def break_even(self) -> dict[str, float | None]:
        """Pruned portion from which on each layer costs no more than dense."""

    def of(self, checkpoint: Checkpoint, restored: frozenset[str]) -> dict[str, float]:
        """Cost of each layer of a pruned network, those ``restored`` being dense."""


#: Builds the costs of a search from a network, its unpruned weights, and uint8 images.
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
    is a run of the recipe with other fractions to keep; a search that was killed continues within
    that run. The images held out decide; the accuracy of a point on the test images is not used.

    Parameters
    ----------
    make_costs
        Builds the costs; this package knows no hardware.
    config, out, command, find, report, fresh
        As of :func:`hwsim.models.compress.pipeline.run`.

    Raises
    ------
    InputError
        As of :func:`hwsim.models.compress.pipeline.run`; or the bound cannot be met.
    """
    settings, prune = config.hardware_aware, config.prune
    assert settings is not None
    assert prune is not None
    assert config.start is not None
    network = named_network(config.network).network
    source = find(config.start)
    start = Checkpoint.read(source, network)
    images, labels = _held_out(config)
    floor = golden.accuracy(network, start, images, labels) - settings.bound / 100
    costs = make_costs(settings, network, start, images[: settings.images])
    question = f"{_question(config)} from {sha256(source.read_bytes()).hexdigest()}"
    folder = out / f".{config.name}.points"
    path = out / f"{config.name}.points.json"
    if fresh:
        path.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)

    points = _Points(
        config, folder / sha256(question.encode()).hexdigest()[:12], costs,
        partial(pipeline.run, command=command, find=find, report=report), find,
    )  # fmt: skip
    search = Search(
        sizes={name: layer.weight.size for name, layer in start.layers.items()},
        start={name: layer.unstructured or 1.0 for name, layer in prune.layers.items()},
        floor=floor,
        break_even=costs.break_even(),
        evaluate=points.evaluate,
        record=Record(path, question),
        step=settings.step,
        limit=settings.evaluations,
    )
    outcome = search.run()
    best = outcome.best
    # pruned again where an earlier search, of fewer evaluations or another bound, has tidied up
    keep = {name: kept / search.sizes[name] for name, kept in best.kept.items()}
    checkpoint = points.checkpoint(best.number, keep, frozenset(best.restored))
    _not_worse(config, out, checkpoint, best)
    summary = _summary(search, outcome) | {
        "cost_dense": sum(costs.of(start, frozenset(start.layers)).values()),
        "points": len(outcome.points),
        "finished": outcome.finished,
    }
    info = checkpoint.info | {
        "recipe": config.model_dump(mode="json", exclude_none=True),
        "command": command,
        "hardware_aware": summary,
    }
    checkpoint = replace(checkpoint, info=info)
    write_text_atomic(out / f"{config.name}.csv", points.log(best.number).read_text("utf-8"))
    checkpoint.write(out / f"{config.name}.safetensors")
    pipeline.keep_network(network, out)
    shutil.rmtree(folder)
    return checkpoint


@dataclass(frozen=True)
class _Points:
    """The pruned networks of a search, each a run of the recipe, in a folder of their own."""

    config: CompressConfig
    folder: Path
    costs: Costs
    #: :func:`pipeline.run`, of a recipe and a folder.
    prune: Callable[[CompressConfig, Path], Checkpoint]
    find: Callable[[str], Path]

    def evaluate(
        self, number: int, keep: Mapping[str, float], restored: frozenset[str]
    ) -> tuple[float, dict[str, float]]:
        """Prune a network; return its accuracy on the images held out, and the layers' costs."""
        checkpoint = self.checkpoint(number, keep, restored)
        return float(checkpoint.info["accuracy_heldout"]), self.costs.of(checkpoint, restored)

    def checkpoint(
        self, number: int, keep: Mapping[str, float], restored: frozenset[str]
    ) -> Checkpoint:
        """Prune a network, unless its checkpoint is there already."""
        recipe = _recipe(self.config, number, keep, restored)
        finished = pipeline.read_finished(recipe, self.folder, self.find)
        return finished or self.prune(recipe, self.folder)

    def log(self, number: int) -> Path:
        """Path of the training log of a point."""
        return self.folder / f"{_name(self.config, number)}.csv"


def _summary(search: Search, outcome: Outcome) -> dict[str, Any]:
    """What a checkpoint says of its search, apart from what the dense network costs."""
    best = outcome.best
    return {
        "floor": search.floor,
        "break_even": search.break_even,
        "kept": best.kept,
        "restored": best.restored,
        "costs": best.costs,
        "cost": best.cost,
    }


def _not_worse(config: CompressConfig, out: Path, checkpoint: Checkpoint, best: Point) -> None:
    """Refuse to replace a checkpoint that is more accurate and costs no more.

    Cost is compared where both come from a search, bits otherwise.
    """
    path = out / f"{config.name}.safetensors"
    before = Checkpoint.read(path).info if path.is_file() else {}
    summary = before.get("hardware_aware")
    if summary is None:
        pipeline.not_worse(config, out, checkpoint, best.accuracy)
    elif before["accuracy_heldout"] > best.accuracy and summary["cost"] <= best.cost:
        rule = (
            f"must be left alone: accuracy on images held out {before['accuracy_heldout']:.4f} at "
            f"a cost of {summary['cost']:g}; this search came to {best.accuracy:.4f} at "
            f"{best.cost:g}"
        )
        raise pipeline.Better(path, "accuracy_heldout", None, rule)


def _question(config: CompressConfig) -> str:
    """Describe what the points of a search depend on: the recipe, but not how far it searches."""
    assert config.hardware_aware is not None
    anyhow = {"bound": 0.0, "step": 1.0, "evaluations": 1}
    settings = config.hardware_aware.model_copy(update=anyhow)
    return config.model_copy(update={"hardware_aware": settings}).model_dump_json()


def _held_out(config: CompressConfig) -> tuple[NDArray[np.uint8], NDArray[np.uint8]]:
    """Read the training images that are held out, and their labels."""
    pixels = datasets.load(config.dataset, "train")
    (images, labels), count = pixels, pipeline.held_out(pixels)
    return images[-count:], labels[-count:]


def _name(config: CompressConfig, number: int) -> str:
    return f"{config.name}_{number:03d}"


def _recipe(
    config: CompressConfig, number: int, keep: Mapping[str, float], restored: frozenset[str]
) -> CompressConfig:
    """Recipe of one point; where no layer is pruned, it only retrains."""
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
