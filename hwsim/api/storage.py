"""Stored bits of weights in every format; tables of published sizes rebuilt."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.api.arguments import named, several, whole
from hwsim.api.read import read_arch, resolved
from hwsim.system.reading import is_file

if TYPE_CHECKING:
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.cost.published_sizes import PublishedSizes
    from hwsim.cost.storage import Storage

__all__ = ["is_published", "published_sizes", "storage"]

#: Multipliers of the designs whose formats are measured by default.
_MULTIPLIERS = 64


def storage(
    weights: str | Path | Checkpoint | NetworkConfig,
    archs: str | Path | ArchConfig | Sequence[str | Path | ArchConfig] | None = None,
    *,
    seed: int = 0,
    outside: str | None = None,
    progress: Callable[[str], None] = lambda what: None,
) -> Storage:
    """Measure stored bits of a network's weights in every format that can hold them.

    Parameters
    ----------
    weights
        Checkpoint (name, path or ``Checkpoint``), ``.onnx`` file, or network (name, path or
        ``NetworkConfig``) whose weights are synthetic, at the densities of its file.
    archs
        Designs, one or several, whose formats are measured beside those without an array (default:
        all that ship with 64 multipliers).
    seed
        Seed of synthetic weights.
    outside
        As of :func:`simulate`.
    progress
        Called with each layer before it is measured.

    Returns
    -------
    Storage
        Bits of each format and layer by kind: values, indices, pointers, padding; and which designs
        the weights do not fit, with the reason.

    Raises
    ------
    InputError
        The weights or a design cannot be read.
    """
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.cost.storage import designs_of, run

    named("weights", weights, (str, Path, Checkpoint, NetworkConfig))
    seed = whole("seed", seed)
    if archs is None:
        designs = designs_of(_MULTIPLIERS)
    else:
        designs = [read_arch(arch) for arch in several("archs", archs, (str, Path, ArchConfig))]
    if not isinstance(weights, str | Path):
        return run(weights, designs, seed, progress)
    given = resolved(weights, outside=outside, progress=progress)
    if given.checkpoint is None:
        return run(given.network, designs, seed, progress)
    return run(given.checkpoint, designs, seed, progress, given.network)


def published_sizes(
    table: str | Path,
    *,
    progress: Callable[[str], None] = lambda what: None,
) -> PublishedSizes:
    """Rebuild a table of published model sizes from synthetic masks of the stated counts.

    Parameters
    ----------
    table
        Name in ``configs/storage`` or path of a YAML file.
    progress
        Called with each row before it is measured.

    Returns
    -------
    PublishedSizes
        Sizes in KB of 1000 bytes beside the published ones; ``passed`` says whether every row with
        a tolerance is within it.

    Raises
    ------
    InputError
        There is no such table, or a row's layers are not its network's.
    """
    from hwsim.config.jobs.storage import StorageConfig
    from hwsim.cost.published_sizes import run

    return run(StorageConfig.read(named("table", table)), progress)


def is_published(name: str) -> bool:
    """Whether a name or path is that of a table of published sizes, rather than of weights."""
    from hwsim.config.catalog import CONFIGS

    path = Path(name)
    is_yaml = path.suffix in {".yaml", ".yml"} and is_file(path)
    return (is_yaml and b"\nrows:" in path.read_bytes()) or is_file(
        CONFIGS / "storage" / f"{name}.yaml"
    )
