"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["Arch", "Images", "Json", "Network", "Out"]

Arch = Annotated[str, typer.Argument(help="Design: a name in configs/arch or a YAML file.")]
Network = Annotated[str, typer.Argument(help="Network: a name in configs/network or a YAML file.")]
Images = Annotated[int, typer.Option(min=1, max=100_000, help="Batch: images run together.")]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, logs on stderr.")]
Out = Annotated[
    Path | None, typer.Option(help="Folder to write to (default: build/<command>/<name>).")
]
