"""Checkpoints from recipes: train, prune, quantize; or draw synthetic weights."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hwsim.api.arguments import several, whole
from hwsim.api.read import on_file, weights_on_file
from hwsim.report.result import Result
from hwsim.system.files import held
from hwsim.system.interrupts import keeping
from hwsim.system.reading import is_file

if TYPE_CHECKING:
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig
    from hwsim.config.jobs.compress import CompressConfig
    from hwsim.config.jobs.synthetic import SyntheticConfig
    from hwsim.models.compress.log import Epoch
    from hwsim.models.compress.runs import End, Run, Watch

__all__ = ["Compressed", "compress", "find_start"]

#: Gives an observer of the runs, for as long as they last.
Watching = Callable[["list[Run]"], "AbstractContextManager[Watch]"]


@dataclass(frozen=True)
class Compressed(Result):
    """One recipe, and the checkpoint that it gives.

    ``status`` is ``made``; ``found`` where it was there before; ``better`` where the folder's
    checkpoint is better and was left; ``failed``, or ``blocked`` where the recipe that it starts
    from failed: then there is no checkpoint, and ``remark`` says why.
    """

    name: str
    recipe: CompressConfig | SyntheticConfig
    status: str
    remark: str
    path: Path
    checkpoint: Checkpoint | None
    #: Smallest format of the weights, and their bits in it; ``None`` for synthetic weights.
    stored: tuple[str, int] | None = None

    @property
    def title(self) -> str:
        """Title of the table."""
        return f"{self.name} ({self.status}: {self.path})"

    def to_dict(self) -> dict[str, Any]:
        """Plain data: status, file, network, stored bits, and the file's ``info``."""
        document: dict[str, Any] = {
            "name": self.name,
            "status": self.status,
            "remark": self.remark,
        }
        if self.checkpoint is None:
            return document
        document |= {"file": str(self.path), "network": self.checkpoint.network}
        if self.stored is not None:
            document["stored"] = {"format": self.stored[0], "bits": self.stored[1]}
        return document | {"info": self.checkpoint.info}

    def to_rows(self) -> list[dict[str, Any]]:
        """One row per layer: weights, fraction kept, bits and code of a weight."""
        layers = {} if self.checkpoint is None else self.checkpoint.layers
        return [
            {
                "layer": name,
                "weights": layer.weight.size,
                "kept": layer.density,
                "bits": layer.weight_bits,
                "code": layer.weight_code,
            }
            for name, layer in layers.items()
        ]


def compress(
    recipes: str | Path | Sequence[str | Path],
    out: str | Path | None = None,
    *,
    jobs: int = 1,
    fresh: bool = False,
    watching: Watching | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> list[Compressed]:
    """Train, prune and quantize networks into checkpoints, and measure them on all test images.

    A recipe that starts from the checkpoint of another one waits for it. Finished recipes are
    skipped (shipped ones too, unless ``out`` is given); interrupted ones resume at their last
    epoch. Needs the extra ``compress`` and the data set; recipes of synthetic weights need neither.

    Parameters
    ----------
    recipes
        Names in ``configs/compress`` (``NAME_s1``: with seed 1) or paths of YAML files, one or
        several. What they name as ``network``, ``start`` or teacher may be pretrained: an ``.onnx``
        file, a state dict (of weights), or the folder of an import.
    out
        Folder for all checkpoints (default: ``build/compress/<name>`` for each).
    jobs
        Recipes side by side; 0: one for each core. With more than one a script needs
        ``if __name__ == "__main__":``.
    fresh
        Train again what the folder already has.
    watching
        Gives an observer of runs that train (:class:`hwsim.models.compress.runs.Watch`).
    progress
        Called with each layer that is drawn.

    Returns
    -------
    list of Compressed
        Synthetic recipes first, then the others, each after the one that it starts from.

    Raises
    ------
    InputError
        A recipe cannot be read or breaks a rule, or the extra or the data set is missing. A recipe
        that fails while it trains is no error: its ``status`` says so.
    """
    from hwsim.config.jobs.synthetic import SyntheticConfig, read_recipe

    names, jobs = several("recipes", recipes), whole("jobs", jobs)
    folder = None if out is None else Path(out)
    # all are read first: a slip in the last one is reported before hours of training
    configs = [_on_file(read_recipe(str(name)), progress) for name in names]
    drawn = [
        _draw(recipe, folder or _folder(recipe.name), fresh, progress)
        for recipe in configs
        if isinstance(recipe, SyntheticConfig)
    ]
    trained = [recipe for recipe in configs if not isinstance(recipe, SyntheticConfig)]
    if not trained:
        return drawn
    return [*drawn, *_train(trained, folder, jobs, fresh, watching or _unwatched)]


def _on_file(
    recipe: CompressConfig | SyntheticConfig, progress: Callable[[str], None]
) -> CompressConfig | SyntheticConfig:
    """A recipe whose network and weights are on file as it reads them: imports become checkpoints.

    A network that is the file of the start is imported once.
    """
    from hwsim.config.jobs.synthetic import SyntheticConfig

    if isinstance(recipe, SyntheticConfig):
        return recipe
    changed: dict[str, Any] = {}
    network, dataset = recipe.network, recipe.dataset
    if recipe.start is not None:
        start = weights_on_file(recipe.start, network, dataset, progress)
        changed["start"] = start
        if network == recipe.start:
            network = start
    if recipe.distil is not None:
        teacher = weights_on_file(recipe.distil.teacher, network, dataset, progress)
        changed["distil"] = recipe.distil.model_copy(update={"teacher": teacher})
    (changed["network"],) = on_file([network], progress)
    return recipe.model_copy(update=changed)


def _draw(
    recipe: SyntheticConfig, folder: Path, fresh: bool, progress: Callable[[str], None]
) -> Compressed:
    """Find the synthetic checkpoint in the folder, or draw it."""
    from hwsim.checkpoints import synthetic

    checkpoint = None if fresh else synthetic.find_made(recipe, folder)
    status = "made" if checkpoint is None else "found"
    if checkpoint is None:
        progress(f"drawing {recipe.name}")
        checkpoint = synthetic.make(
            recipe,
            folder,
            command=f"hwsim compress {recipe.name}",
            progress=lambda layer: progress(f"drawing {recipe.name}, {layer}"),
        )
    path = folder / f"{recipe.name}.safetensors"
    return Compressed(recipe.name, recipe, status, "", path, checkpoint)


def _train(
    recipes: list[CompressConfig], out: Path | None, jobs: int, fresh: bool, watching: Watching
) -> list[Compressed]:
    """Checkpoints of recipes that train."""
    from hwsim.system.extras import require

    require("compress")
    from hwsim.models.compress.runs import Run, in_order

    runs = in_order([Run(recipe, out or _home(recipe, fresh)) for recipe in recipes])
    folders = ", ".join(dict.fromkeys(str(run.folder) for run in runs))
    with keeping(f"the epochs so far are in {folders}; the same command goes on from here"):
        ends = _work_off(runs, out, jobs, fresh, watching)
    return [_compressed(run, ends[run.name]) for run in runs]


def _compressed(run: Run, end: End) -> Compressed:
    from hwsim.checkpoints.checkpoint import Checkpoint

    path = run.folder / f"{run.name}.safetensors"
    if not end.has_checkpoint:
        return Compressed(run.name, run.recipe, end.status, end.remark, path, None)
    checkpoint = Checkpoint.read(path)
    stored = _stored(path, run.recipe.network)
    return Compressed(run.name, run.recipe, end.status, end.remark, path, checkpoint, stored)


def _home(recipe: CompressConfig, fresh: bool) -> Path:
    """Folder of a recipe's checkpoint where none is named.

    What ships is not made again, and is never written over.
    """
    from hwsim.checkpoints.find import CHECKPOINTS
    from hwsim.models.compress import pipeline

    find = partial(find_start, out=None)
    ships = not fresh and pipeline.read_finished(recipe, CHECKPOINTS, find) is not None
    return CHECKPOINTS if ships else _folder(recipe.name)


def _folder(name: str) -> Path:
    from hwsim.checkpoints.find import built

    return built(name).parent


def find_start(name: str, out: Path | None) -> Path:
    """Path of the checkpoint that a recipe starts from: in ``out``, built here, or shipped."""
    from hwsim.checkpoints.find import built, find_checkpoint

    paths = [built(name)] if out is None else [out / f"{name}.safetensors", built(name)]
    return next((path for path in paths if is_file(path)), None) or find_checkpoint(name)


def _work_off(
    runs: list[Run], out: Path | None, jobs: int, fresh: bool, watching: Watching
) -> dict[str, End]:
    from hwsim.models.compress import pipeline
    from hwsim.models.compress.runs import work_off

    find = partial(find_start, out=out)

    def is_done(run: Run) -> bool:
        return not fresh and pipeline.read_finished(run.recipe, run.folder, find) is not None

    # all are checked first: a slip in the last one is reported before hours of training
    pipeline.check((run.recipe for run in runs if not is_done(run)), find)
    with watching(runs) as watch:
        return work_off(
            runs, partial(_make, out=out, fresh=fresh), watch,
            is_done=is_done, processes=min(len(runs), jobs or os.cpu_count() or 1),
        )  # fmt: skip


def _make(run: Run, report: Callable[[Epoch], None], out: Path | None, fresh: bool) -> None:
    """Make the checkpoint of one run and draw its log, in whatever process it is called."""
    from hwsim.models.compress import log as training_log
    from hwsim.models.compress.pictures import draw

    with held(run.folder / f".{run.name}"):
        _maker(run)(
            run.recipe, run.folder, command=f"hwsim compress {run.name}",
            find=partial(find_start, out=out), report=report, fresh=fresh,
        )  # fmt: skip
    log = training_log.read(run.folder / f"{run.name}.csv")
    if log:
        draw(log, _folder(run.name) / run.name, run.name)


def _maker(run: Run) -> Callable[..., Checkpoint]:
    if run.recipe.hardware_aware is None:
        from hwsim.models.compress import pipeline

        return pipeline.run
    from hwsim.cost.layer_costs import LayerCosts
    from hwsim.models.search import run as hardware_aware_run

    return partial(hardware_aware_run.run, make_costs=LayerCosts)


def _stored(path: Path, network: str) -> tuple[str, int]:
    """Smallest format, of each design of 64 multipliers too, of all the weights; its bits."""
    from hwsim.cost import storage

    sizes_of = storage.run(str(path), _designs(), network=network)
    sizes = [("plain", sizes_of.plain), *((size.name, size.total) for size in sizes_of.fitting)]
    name, bits = min(sizes, key=lambda size: size[1].total)
    return name, bits.total


@cache
def _designs() -> list[ArchConfig]:
    from hwsim.cost.storage import designs_of

    return designs_of(64)


class _Unwatched:
    """Observer that does nothing."""

    def begin(self, run: Run) -> None:
        """Ignore."""

    def report(self, run: Run, epoch: Epoch) -> None:
        """Ignore."""

    def end(self, run: Run, how: End) -> None:
        """Ignore."""


def _unwatched(runs: list[Run]) -> AbstractContextManager[Watch]:
    return nullcontext(_Unwatched())
