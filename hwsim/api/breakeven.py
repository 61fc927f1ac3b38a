"""Break-even pruning ratio of layers: index-decoding against dense."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import fractions, image_count, several, whole
from hwsim.api.read import Resolved, read_arch, resolved
from hwsim.api.tech import technology_of
from hwsim.errors import InputError

if TYPE_CHECKING:
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.cost.breakeven import BreakEvens
    from hwsim.workload.layer import Layer

__all__ = ["breakeven"]


def breakeven(
    arch: str | Path | ArchConfig,
    network: str | Path | NetworkConfig,
    weights: str | Path | Checkpoint | None = None,
    *,
    layers: str | Sequence[str] = (),
    dense: str | Path | ArchConfig | None = None,
    act_densities: Sequence[float] = (1.0, 0.4),
    area: float | None = None,
    technology: str | Path | None = None,
    images: int = 1,
    seed: int = 0,
    progress: Callable[[str], None] = lambda what: None,
) -> BreakEvens:
    """Find how much of each layer must be pruned before an index-decoding design is as fast.

    Parameters
    ----------
    arch
        Index-decoding design: name, path or ``ArchConfig``.
    network
        Network: name, path or ``NetworkConfig``.
    weights
        Weights, as of :func:`read_checkpoint`: they are pruned, the smallest first, and run on test
        images. By default weights and activations are random.
    layers
        Names of the layers (default: all with weights).
    dense
        Dense design to compare with (default: the weight-stationary one that ships with the same
        number of multipliers and the same numbers).
    act_densities
        Fractions of random activations that are not zero.
    area
        Area of ``arch`` / area of the dense design: also find where ``arch`` is as fast at equal
        area.
    technology
        Process, name or path: also find where an array of the same total area is as fast, each at
        its own clock. Both hold the layer's weights; their memory is paid first, PEs take the rest.
    images
        Batch.
    seed
        Seed of random operands.
    progress
        Called with what is counted.

    Returns
    -------
    BreakEvens
        Per layer and kind of activations: cycles by pruned portion, and the portion at break-even.

    Raises
    ------
    InputError
        An argument cannot be read, the designs differ in multipliers, or a layer does not fit.
    """
    from hwsim.cost.book import Book
    from hwsim.cost.breakeven import BreakEvens, dense_rival, measure
    from hwsim.cost.equal_area import equal_area

    design, layers = read_arch(arch), several("layers", layers, (str,))
    images, seed = image_count(images), whole("seed", seed)
    given = resolved(network, weights, seed=seed, progress=progress)
    net = given.network
    act_densities = fractions("act_densities", act_densities)
    if not design.array.decodes_indices:
        rule = f"must decode indices; {design.name} is of family {design.array.family}"
        raise InputError("arguments", "arch", design.name, rule)
    if area is not None and not area > 0:
        raise InputError("arguments", "area", area, "must be a number above 0")
    rival = dense_rival(design) if dense is None else read_arch(dense)
    known = [shape.layer.name for shape in net.shapes() if shape.has_weights]
    for name in layers:
        if name not in known:
            rule = f"must be a layer with weights of {net.name}: {', '.join(known)}"
            raise InputError("arguments", "layers", name, rule)
    names = list(layers) or known
    needed = (1.0,) if area is None else (1.0, area)
    areas = None
    if technology is not None:
        areas = equal_area(Book(technology_of(technology), progress), design, rival)
    rows = []
    for acts, operands in _operands(design, given, names, act_densities, images, seed):
        for name, layer in operands.items():
            progress(f"counting {name}, {acts}")
            rows.append(measure(design, rival, layer, acts, needed, seed=seed, areas=areas))
    in_process = None if areas is None else areas.technology
    return BreakEvens(design, rival, images, area, rows, in_process)


def _operands(
    design: ArchConfig,
    given: Resolved,
    layers: list[str],
    densities: Sequence[float],
    images: int,
    seed: int,
) -> list[tuple[str, dict[str, Layer]]]:
    """Unpruned operands of the layers, for each kind of activations."""
    from hwsim.checkpoints.synthetic import label
    from hwsim.cost.breakeven import draw
    from hwsim.inference.operands import operands_of

    if given.checkpoint is not None:
        operands, _ = operands_of(given.network, given.checkpoint, images, seed=seed)
        acts = f"those of {label(given.name, given.checkpoint)}"
        return [(acts, {name: operands[name] for name in layers})]
    shapes = {shape.layer.name: shape for shape in given.network.shapes()}
    return [
        (
            f"synthetic weights, {density:.0%} of activations non-zero",
            {name: draw(shapes[name], design.numbers, images, density, seed) for name in layers},
        )
        for density in densities
    ]
