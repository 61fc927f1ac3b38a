"""Run one recipe: train, prune, quantize, measure, and write one checkpoint."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import INPUT_SCALE, Checkpoint
from hwsim.checkpoints.find import named_network, ships
from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.config.jobs.compress import (
    CompressConfig,
    DistilConfig,
    PruneConfig,
    QuantizeConfig,
)
from hwsim.datasets import load as datasets
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.models.compress import log
from hwsim.models.compress.gradual import Gradual
from hwsim.models.compress.log import Epoch
from hwsim.models.compress.pruning import clear_dead_biases, purify
from hwsim.models.compress.stages import Fix, Levels, Prune, Stage, State, Train, run_stages
from hwsim.models.constraints import recipe as constraints
from hwsim.models.constraints.joint import Joint
from hwsim.models.networks.network import Network
from hwsim.models.quantization.codes import Codes
from hwsim.models.quantization.quantize import dequantize, quantize
from hwsim.models.training.distil import Teacher
from hwsim.models.training.train import Dataset, accuracy, apply_masks, logits
from hwsim.system.files import write_text_atomic

__all__ = [
    "HELD_OUT",
    "Better",
    "check",
    "held_out",
    "keep_network",
    "not_worse",
    "plan",
    "read_finished",
    "run",
]

#: Number of training images (the last ones) that are held out: no weight is trained on them, and
#: every decision is based on them.
HELD_OUT = 5000

Pixels = tuple[NDArray[np.uint8], NDArray[np.uint8]]


class Better(InputError):
    """The folder has a better checkpoint of this name, which is not replaced."""


def run(
    config: CompressConfig,
    out: Path,
    *,
    command: str,
    find: Callable[[str], Path] = Path,
    report: Callable[[Epoch], None] = lambda epoch: None,
    fresh: bool = False,
) -> Checkpoint:
    """Run a recipe and write ``<name>.safetensors`` and ``<name>.csv`` into ``out``.

    A network that does not ship is written beside them (:func:`keep_network`).

    The state is saved in ``.<name>.resume.pt`` after every epoch: a run that was killed continues
    there and ends with the same result. The checkpoint's ``info`` has three accuracies:
    ``accuracy`` of the integers on the test images, ``accuracy_heldout`` of the integers on the
    images held out, and ``accuracy_float`` of the float network on the test images (its weights
    are quantized where the recipe trains quantized weights).

    The test images are used once, at the end, to measure. Every choice (epochs, masks, scales) is
    based on the training images, on the images held out, or on the recipe.

    Parameters
    ----------
    config
        The recipe.
    out
        Folder; each file appears whole or not at all.
    command
        Command line that is recorded in the file.
    find
        Finds the checkpoint that ``start`` names.
    report
        Called after each epoch.
    fresh
        Begin again instead of continuing a run that was killed.

    Returns
    -------
    Checkpoint
        The checkpoint that was written.

    Raises
    ------
    InputError
        The data set is not installed, the recipe does not fit the network, or the loss is not
        finite.
    Better
        ``out`` has a checkpoint of this name that is at most as large and more accurate on the
        images held out.
    """
    network_config = named_network(config.network).network
    pixels, test = datasets.load(config.dataset, "train"), datasets.load(config.dataset, "test")
    _fits(config, network_config, pixels)
    start = None if config.start is None else Checkpoint.read(find(config.start), network_config)
    teacher = None
    if config.distil is not None:
        teacher = Checkpoint.read(find(config.distil.teacher), network_config)
    resume, recipe = out / f".{config.name}.resume.pt", config.model_dump_json()
    if start is not None:
        recipe += f" from {_digest(start)}"
    if teacher is not None:
        recipe += f" taught by {_digest(teacher)}"
    state = _initial(config, network_config, start)
    if not fresh:
        state.restore(resume, recipe)
    count = held_out(pixels)
    train, heldout = _dataset(pixels).split(count)
    if config.distil is not None and teacher is not None:
        train = replace(train, teacher=_teach(config.distil, network_config, teacher, train))
    run_stages(
        plan(config, network_config), state, (train, heldout),
        save=lambda state: state.save(resume, recipe), report=report,
    )  # fmt: skip
    layers, rescales = quantize(
        state.network,
        train.images[: config.quantize.images],
        _codes(config.quantize, network_config),
        state.masks,
        state.scales,
    )
    checkpoint = Checkpoint(network_config.name, layers, {}, config.name, rescales=rescales)
    heldout_accuracy = golden.accuracy(
        network_config, checkpoint, pixels[0][-count:], pixels[1][-count:]
    )
    not_worse(config, out, checkpoint, heldout_accuracy)
    info = _measure(config, network_config, checkpoint, test)
    info |= {
        "accuracy_heldout": heldout_accuracy,
        "accuracy_float": accuracy(state.network, _dataset(test)),
        "command": command,
    }
    if start is not None:
        info["start_sha256"] = _digest(start)
    if teacher is not None:
        info["teacher_sha256"] = _digest(teacher)
    checkpoint = replace(checkpoint, info=info)
    log.write(out / f"{config.name}.csv", state.log)
    checkpoint.write(out / f"{config.name}.safetensors")
    keep_network(network_config, out)
    # also the temporary files of writes that were killed
    for left in out.glob(f"{resume.name}*"):
        left.unlink(missing_ok=True)
    return checkpoint


def keep_network(network: NetworkConfig, out: Path) -> None:
    """Write ``<network>.yaml`` beside a checkpoint whose network does not ship.

    A file of that name stays as it is.
    """
    path = out / f"{network.name}.yaml"
    if not (ships(network) or path.exists()):
        write_text_atomic(path, network.to_yaml())


def check(configs: Iterable[CompressConfig], find: Callable[[str], Path] = Path) -> None:
    """Check recipes before hours of training.

    Parameters
    ----------
    configs
        Recipes. The start of one may be another one, whose checkpoint need not exist yet.
    find
        Finds the checkpoint that ``start`` names.

    Raises
    ------
    InputError
        A data set is not installed, a start or a teacher is missing or of another network, or a
        recipe does not fit its network or data set.
    """
    configs = list(configs)
    names = {config.name for config in configs}
    by_dataset = sorted(configs, key=lambda config: config.dataset)
    for dataset, group in groupby(by_dataset, key=lambda config: config.dataset):
        pixels = datasets.load(dataset, "train")
        for config in group:
            network = named_network(config.network).network
            _fits(config, network, pixels)
            Network(network)  # layers that cannot be trained are refused
            if config.start is not None and config.start not in names:
                Checkpoint.read(find(config.start), network)
            if config.distil is not None:
                Checkpoint.read(find(config.distil.teacher), network)


def _initial(
    config: CompressConfig, network_config: NetworkConfig, start: Checkpoint | None
) -> State:
    """Build the state before the first epoch: random weights, or those of the start."""
    # one thread makes a run repeatable: with more, sums change their order
    torch.set_num_threads(1)
    torch.manual_seed(config.seed)
    network = Network(network_config)
    state = State(network, torch.Generator().manual_seed(config.seed))
    if start is not None:
        dequantize(network, start)
        is_pruned = config.prune is None or start.info.get("kind") != "dense"
        if config.kind != "dense" and is_pruned:
            _stay_pruned(state)
    return state


def _stay_pruned(state: State) -> None:
    """Use the non-zero weights of the start as masks.

    Dead paths are removed again, as rounding may have cleared the last weights of a filter.
    """
    masks = {name: weight.ne(0) for name, weight in state.network.weights().items()}
    state.masks = purify(state.network.shapes, masks)
    apply_masks(state.network, state.masks)
    clear_dead_biases(state.network, state.masks)


def plan(config: CompressConfig, network: NetworkConfig) -> list[Stage]:
    """List the stages of a recipe in order.

    Parameters
    ----------
    config
        The recipe.
    network
        The network, which the recipe fits.
    """
    stages: list[Stage] = []
    if config.train is not None:
        stages.append(Train("train", config.train, normalize=config.normalize))
    if config.prune is not None:
        stages += _pruning(config.prune, constraints.build(config.prune, network))
    codes, levels = _codes(config.quantize, network), config.quantize
    if levels.admm is not None:
        stages.append(Levels("quantize", codes, levels.admm))
    if levels.fix is not None:
        stages.append(Fix("fix", codes, levels.fix))
    if levels.train is not None:
        stages.append(Train("quantized", levels.train, codes))
    return stages


def _pruning(config: PruneConfig, target: Joint) -> list[Stage]:
    """List the stages of pruning."""
    if config.gradual is not None:
        gradual = Gradual("gradual", target, config.gradual)
        return [gradual, Train("retrain", config.retrain)]
    stages: list[Stage] = []
    for number in range(1, config.rounds + 1):
        relaxed = target.relaxed(1 - (1 - number / config.rounds) ** 3)
        where = f" {number}/{config.rounds}" if config.rounds > 1 else ""
        stages.append(Prune(f"prune{where}", relaxed, config.admm))
        between = config.between or config.retrain
        retrain = config.retrain if number == config.rounds else between
        stages.append(Train(f"retrain{where}", retrain))
    return stages


def read_finished(
    config: CompressConfig, out: Path, find: Callable[[str], Path] = Path
) -> Checkpoint | None:
    """Read the checkpoint of a recipe that is finished.

    Parameters
    ----------
    config
        The recipe.
    out
        Folder that :func:`run` wrote into.
    find
        Finds the checkpoint that ``start`` names.

    Returns
    -------
    Checkpoint or None
        ``None`` where a file is missing, the recipe was another one, or the weights that ``start``
        or ``distil.teacher`` names have changed since (missing ones count as unchanged).

    Raises
    ------
    InputError
        The file is not a checkpoint.
    """
    if not (out / f"{config.name}.csv").is_file():
        return None
    checkpoint = _existing(config, out)
    if checkpoint is None:
        return None
    try:
        recorded = parse(CompressConfig, checkpoint.info.get("recipe"), checkpoint.source)
    except InputError:
        # written by a version with other keys
        return None
    if recorded != config:
        return None
    teacher = None if config.distil is None else config.distil.teacher
    for name, key in ((config.start, "start_sha256"), (teacher, "teacher_sha256")):
        before = checkpoint.info.get(key)
        if name is not None and before is not None and _changed(name, before, find):
            return None
    return checkpoint


def _changed(name: str, before: str, find: Callable[[str], Path]) -> bool:
    """Whether a checkpoint that a recipe names is there, with other weights than before."""
    try:
        return _digest(Checkpoint.read(find(name))) != before
    except InputError:
        return False


def _teach(
    config: DistilConfig, network_config: NetworkConfig, checkpoint: Checkpoint, data: Dataset
) -> Teacher:
    """Compute the teacher's logits of all the images."""
    network = Network(network_config)
    dequantize(network, checkpoint)
    return Teacher(logits(network, data.images), config.weight, config.temperature)


def _digest(checkpoint: Checkpoint) -> str:
    """Compute the first half of the SHA-256 of all that ``quantize.dequantize`` reads."""
    digest = sha256()
    if checkpoint.input_scale != INPUT_SCALE:
        digest.update(repr(checkpoint.input_scale).encode())
    if checkpoint.rescales:
        digest.update(repr(sorted(checkpoint.rescales.items())).encode())
    for name, layer in checkpoint.layers.items():
        scales = (layer.multiplier, layer.shift, layer.weight_scale)
        plain = (value.tolist() if isinstance(value, np.ndarray) else value for value in scales)
        digest.update(repr((name, *plain)).encode())
        digest.update(np.ascontiguousarray(layer.weight).tobytes())
        digest.update(np.ascontiguousarray(layer.bias).tobytes())
    return digest.hexdigest()[:32]


def _existing(config: CompressConfig, out: Path) -> Checkpoint | None:
    path = out / f"{config.name}.safetensors"
    return Checkpoint.read(path) if path.is_file() else None


def not_worse(config: CompressConfig, out: Path, checkpoint: Checkpoint, accuracy: float) -> None:
    """Refuse to replace a better checkpoint of the same name.

    Parameters
    ----------
    config
        The recipe.
    out
        Folder of the existing checkpoint, if any.
    checkpoint
        The new checkpoint.
    accuracy
        Fraction that the new one classifies correctly of the images held out.

    Raises
    ------
    Better
        The existing checkpoint is more accurate and has no more bits in its non-zero weights.
    """
    existing = _existing(config, out)
    if existing is None or existing.network != checkpoint.network:
        return
    before = existing.info.get("accuracy_heldout")
    if before is not None and before > accuracy and _bits(existing) <= _bits(checkpoint):
        rule = (
            f"must be left alone: accuracy on images held out {before:.4f} at {_bits(existing)} "
            f"weight bits; this run came to {accuracy:.4f} at {_bits(checkpoint)}"
        )
        raise Better(existing.source, "accuracy_heldout", None, rule)


def _bits(checkpoint: Checkpoint) -> int:
    """Count the bits of the weights that are not 0."""
    layers = checkpoint.layers.values()
    return sum(int(np.count_nonzero(layer.weight)) * layer.weight_bits for layer in layers)


def _codes(config: QuantizeConfig, network: NetworkConfig) -> dict[str, Codes]:
    names = [shape.layer.name for shape in network.shapes() if shape.has_weights]
    return {name: Codes(config.of(name)) for name in names}


def _measure(
    config: CompressConfig, network: NetworkConfig, checkpoint: Checkpoint, test: Pixels
) -> dict[str, Any]:
    """Measure the integers on all test images, and record the recipe."""
    info: dict[str, Any] = {
        "kind": config.kind,
        "recipe": config.model_dump(mode="json", exclude_none=True),
        "accuracy": golden.accuracy(network, checkpoint, *test),
        "test_images": len(test[1]),
        "kept": checkpoint.density,
    }
    shipped = datasets.shipped_count(config.dataset)
    if shipped:
        first = test[0][:shipped], test[1][:shipped]
        info |= {
            "accuracy_shipped": golden.accuracy(network, checkpoint, *first),
            "shipped_images": shipped,
        }
    return info


def _fits(config: CompressConfig, network: NetworkConfig, pixels: Pixels) -> None:
    if config.prune is not None:
        constraints.check(config.name, config.prune, network)
    names = [shape.layer.name for shape in network.shapes() if shape.has_weights]
    for name in config.quantize.layers:
        if name not in names:
            rule = f"must be a layer with weights of {network.name}: {', '.join(names)}"
            raise InputError(config.name, f"quantize.layers.{name}", None, rule)
    size = (network.input.channels, network.input.height, network.input.width)
    image, classes = (1, *pixels[0].shape[1:]), int(pixels[1].max()) + 1
    if size != image or network.shapes()[-1].ofmap.size < classes:
        rule = f"must take images of {image} to {classes} classes for {config.dataset}"
        raise InputError(config.name, "network", config.network, rule)


def held_out(pixels: Pixels) -> int:
    """Count the training images (the last ones) that are held out.

    Parameters
    ----------
    pixels
        Training images and their labels.
    """
    # a twelfth of a small set, such as those of tests
    return min(HELD_OUT, len(pixels[1]) // 12)


def _dataset(pixels: Pixels) -> Dataset:
    images, labels = pixels
    return Dataset(
        torch.from_numpy(images.astype(np.float32) / 255)[:, None],
        torch.from_numpy(labels.astype(np.int64)),
    )
