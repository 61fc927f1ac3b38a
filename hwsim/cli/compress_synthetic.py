"""The recipes of ``hwsim compress`` that train nothing: synthetic weights."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config.jobs.synthetic import SyntheticConfig

__all__ = ["draw"]


def draw(config: SyntheticConfig, folder: Path, *, fresh: bool, quiet: bool) -> dict[str, Any]:
    """Find the checkpoint in the folder or draw it, show it unless ``quiet``, and describe it."""
    from hwsim.checkpoints import synthetic
    from hwsim.cli.output import log

    found = None if fresh else synthetic.find_made(config, folder)
    status = "made" if found is None else "found"
    if found is None:
        with log().status(f"drawing {config.name}") as progress:
            found = synthetic.make(
                config,
                folder,
                command=f"hwsim compress {config.name}",
                progress=lambda layer: progress.update(f"drawing {config.name}, {layer}"),
            )
    file = folder / f"{config.name}.safetensors"
    if not quiet:
        _show(config.name, found, f"{'wrote' if status == 'made' else status} {file}")
    return {
        "name": config.name,
        "status": status,
        "remark": "",
        "file": str(file),
        "network": found.network,
        "info": found.info,
    }


def _show(name: str, checkpoint: Checkpoint, where: str) -> None:
    from hwsim.checkpoints.synthetic import SYNTHETIC, label
    from hwsim.cli.output import console, table

    rows: list[list[object]] = [
        [layer, w.weight.size, w.density, w.weight_bits, w.weight_code]
        for layer, w in checkpoint.layers.items()
    ]
    weights = sum(layer.weight.size for layer in checkpoint.layers.values())
    columns = ["layer", "weights", "kept", "bits", "code"]
    total = ["total", weights, checkpoint.density, "", ""]
    console().print(table(label(name, checkpoint), columns, [*rows, total]))
    console().print(checkpoint.info[SYNTHETIC])
    console().print(where)
