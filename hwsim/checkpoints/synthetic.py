"""Synthetic checkpoints: random weights, their number and positions set by a recipe.

For networks whose data we do not have: published densities and bits of each layer become masks of
that size, drawn uniformly among those of the kind of structure, with values uniform over the levels
of the code. Cycles and stored bits depend on which weights are zero and little else; accuracy is
not known, and the biases and scales in the file mean nothing.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.checkpoints.checkpoint import Checkpoint, LayerWeights
from hwsim.checkpoints.find import built
from hwsim.config import LayerShape, NetworkConfig, NumberConfig
from hwsim.config.base import parse
from hwsim.config.jobs.storage import KeptLayer
from hwsim.config.jobs.synthetic import SyntheticConfig
from hwsim.errors import InputError
from hwsim.formats import codes
from hwsim.formats.pattern import CANDIDATES, TAPS, WINDOW
from hwsim.workload.lowering import raise_weight
from hwsim.workload.random import positions, stream

__all__ = [
    "SYNTHETIC",
    "find_made",
    "find_or_make",
    "is_synthetic",
    "label",
    "make",
    "mark",
]

#: Key of a checkpoint's ``info`` that these have and no other: where their densities come from.
SYNTHETIC = "synthetic"

Mask = NDArray[np.bool_]


def is_synthetic(checkpoint: Checkpoint) -> bool:
    """Whether the weights are random, and their accuracy therefore not known."""
    return SYNTHETIC in checkpoint.info


def mark(text: str) -> str:
    """Say in a title, a table or a picture that what it shows is of synthetic weights."""
    return f"{text} (synthetic weights)"


def label(name: str, checkpoint: Checkpoint) -> str:
    """What tables, pictures and titles call a checkpoint: its name, marked where synthetic."""
    return mark(name) if is_synthetic(checkpoint) else name


def make(
    config: SyntheticConfig,
    out: Path,
    *,
    command: str,
    progress: Callable[[str], None] = lambda layer: None,
) -> Checkpoint:
    """Draw one checkpoint and write ``<name>.safetensors`` into ``out``; the same every time.

    Parameters
    ----------
    out
        Folder; the file appears whole or not at all.
    command
        What the file says it was made by.
    progress
        Called with each layer's name before it is drawn.

    Raises
    ------
    InputError
        As :meth:`SyntheticConfig.kept_layers`; or the file cannot be written.
    """
    layers = {}
    plans = config.kept_layers()
    for shape, kept in plans:
        name = shape.layer.name
        progress(name)
        rng = stream(config.seed, f"{config.kind}.{name}")
        is_last = shape is plans[-1][0]
        layers[name] = _layer(rng, config, shape, kept, is_last)
    network = NetworkConfig.read(config.network).name
    checkpoint = Checkpoint(network, layers, {}, config.name)
    info: dict[str, Any] = {
        "kind": config.kind,
        SYNTHETIC: config.synthetic.note,
        "act_density": config.synthetic.act_density,
        "recipe": config.model_dump(mode="json", exclude_none=True),
        "kept": checkpoint.density,
        "command": command,
    }
    checkpoint = replace(checkpoint, info=info)
    checkpoint.write(out / f"{config.name}.safetensors")
    return checkpoint


def find_made(config: SyntheticConfig, out: Path) -> Checkpoint | None:
    """Read the file of :func:`make` in ``out``; ``None`` where it is missing or of another recipe.

    Raises
    ------
    InputError
        The file there is no checkpoint.
    """
    path = out / f"{config.name}.safetensors"
    if not path.is_file():
        return None
    checkpoint = Checkpoint.read(path)
    try:
        recorded = parse(SyntheticConfig, checkpoint.info.get("recipe"), path)
    except InputError:
        # of a version with other keys
        return None
    return checkpoint if recorded == config else None


def find_or_make(
    config: SyntheticConfig,
    progress: Callable[[str], None] = lambda layer: None,
    command: str | None = None,
) -> Checkpoint:
    """Checkpoint of a recipe where ``hwsim compress`` writes it, drawn if it is not there.

    ``command`` is what draws a recipe that is in no file.
    """
    out = built(config.name).parent
    command = command or f"hwsim compress {config.name}"
    return find_made(config, out) or make(config, out, command=command, progress=progress)


def _layer(
    rng: np.random.Generator,
    config: SyntheticConfig,
    shape: LayerShape,
    kept: KeptLayer,
    is_last: bool,
) -> LayerWeights:
    kind = config.kind
    if kind == "pattern" and not _is_3x3(shape):
        # a kernel of one tap has one pattern; whether it is there is the connectivity
        kind = config.synthetic.others or "nonstructured"
    if kind == "pattern":
        assert config.synthetic.patterns is not None
        mask = _patterns(rng, shape, kept.kept, config.synthetic.patterns)
    elif kind == "nonstructured":
        mask = np.zeros(shape.weights, dtype=np.bool_)
        mask[positions(rng, shape.weights, max(1, round(kept.kept * shape.weights)))] = True
    else:
        nm = config.synthetic.nm
        groups = [
            _rows_and_columns(rng, shape.M, shape.K, kept.kept, all_rows=is_last)
            if nm is None
            else _blocks(rng, shape.M, shape.K, nm.n, nm.m)
            for _ in range(shape.layer.G)
        ]
        mask = raise_weight(shape, groups)
    numbers = _numbers(config, kept)
    weight = np.zeros(mask.shape, dtype=np.int8)
    weight[mask] = _values(rng, int(np.count_nonzero(mask)), numbers)
    channels = shape.ofmap.channels
    taps = () if shape.layer.type == "fc" else (shape.C, shape.R, shape.S)
    return LayerWeights(
        weight=weight.reshape(channels, *(taps or (shape.ifmap.size,))),
        bias=np.zeros(channels, dtype=np.int32),
        weight_bits=numbers.weight_width,
        multiplier=1,
        shift=0,
        weight_scale=1.0,
        weight_code=numbers.weight_code,
    )


def _numbers(config: SyntheticConfig, kept: KeptLayer) -> NumberConfig:
    """Codes of the weights: ADMM-NN's levels where they fit, two's complement elsewhere.

    The 8-bit levels reach +128, which is no int8. A design that stores whole blocks of four needs
    a zero to fill up a block of which only some weights are left.
    """
    is_int = kept.weight_bits == 8 or config.kind == "pattern"
    low = 2 if is_int else 1
    if not low <= kept.weight_bits <= 8:
        rule = f"must have weights of {low}..8 bits"
        raise InputError(config.name, f"synthetic.sizes: {kept.name}", kept.weight_bits, rule)
    return NumberConfig(weight_width=kept.weight_bits, weight_code="int" if is_int else "levels")


def _values(rng: np.random.Generator, count: int, numbers: NumberConfig) -> NDArray[np.int8]:
    levels = codes.levels(numbers)
    choices = levels[levels != 0].astype(np.int8)
    drawn: NDArray[np.int8] = choices[rng.integers(len(choices), size=count, dtype=np.uint8)]
    return drawn


def _is_3x3(shape: LayerShape) -> bool:
    return shape.layer.type == "conv" and (shape.R, shape.S) == (3, 3)


def _rows_and_columns(
    rng: np.random.Generator, rows: int, depth: int, keep: float, *, all_rows: bool
) -> Mask:
    """Keep the square root of ``keep`` of the rows, and the number of columns that gives ``keep``.

    The last layer's rows are the classes: all of them stay, and columns alone are removed.
    """
    kept_rows = rows if all_rows else max(1, round(math.sqrt(keep) * rows))
    kept_columns = min(depth, max(1, round(keep * rows * depth / kept_rows)))
    is_row, is_column = np.zeros(rows, dtype=np.bool_), np.zeros(depth, dtype=np.bool_)
    is_row[positions(rng, rows, kept_rows)] = True
    is_column[positions(rng, depth, kept_columns)] = True
    return is_row[:, None] & is_column


def _blocks(rng: np.random.Generator, rows: int, depth: int, n: int, m: int) -> Mask:
    """Keep n of every m along K; the last block of a row may be short and keep fewer."""
    ways = np.zeros((math.comb(m, n), m), dtype=np.bool_)
    for way, indices in zip(ways, combinations(range(m), n), strict=True):
        way[list(indices)] = True
    blocks = ways[rng.integers(len(ways), size=(rows, -(-depth // m)), dtype=np.uint16)]
    kept: Mask = blocks.reshape(rows, -1)[:, :depth]
    return kept


def _patterns(rng: np.random.Generator, shape: LayerShape, keep: float, patterns: int) -> Mask:
    """Keep 4 of 9 taps in one of ``patterns`` ways, in the number of kernels that gives ``keep``.

    A density above 4 of 9 is out of reach: every kernel stays.
    """
    kernels = shape.layer.G * shape.M * shape.C
    library = np.zeros((patterns, WINDOW), dtype=np.bool_)
    chosen = CANDIDATES[rng.choice(len(CANDIDATES), patterns, replace=False)]
    np.put_along_axis(library, chosen, True, axis=1)
    count = min(kernels, max(1, round(keep * kernels * WINDOW / TAPS)))
    mask = np.zeros((kernels, WINDOW), dtype=np.bool_)
    mask[positions(rng, kernels, count)] = library[rng.integers(patterns, size=count)]
    return mask
