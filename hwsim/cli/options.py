"""Options that several commands share, so that they read the same everywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = [
    "Arch", "Archs", "Checkpoint", "Images", "Inputs", "Json", "Labelled", "Mean", "Memory",
    "Network", "Out", "Outside", "Seed", "Std", "Store", "Tech", "WeightBits", "Weights",
    "numbers",
]  # fmt: skip

Arch = Annotated[
    str, typer.Argument(help="Design: a name in configs/arch or configs/machine, or a YAML file.")
]
Archs = Annotated[
    list[str],
    typer.Argument(help="Designs: names in configs/arch or configs/machine, or YAML files."),
]
Network = Annotated[
    str,
    typer.Argument(
        help="Network: a name in configs/network, a YAML file, an .onnx file, a checkpoint (name "
        "or file), or a SCALE-Sim topology (.csv)."
    ),
]
Checkpoint = Annotated[
    str | None, typer.Option(help="Compressed weights: a name in models/checkpoints or a file.")
]
WeightBits = Annotated[
    int, typer.Option(min=2, max=8, help="Width of the weights of all layers, in bits.")
]
Weights = Annotated[
    Path | None,
    typer.Option(
        help="Pretrained weights of NETWORK: a state dict (.pth, .safetensors) with torchvision's "
        "names or the network's own."
    ),
]
Inputs = Annotated[
    Path | None,
    typer.Option(
        help="Images: a folder of PNG or JPEG files; or .npy or .npz, (n, C, H, W), uint8 pixels "
        "or normalised floats (default: random ones)."
    ),
]
Labelled = Annotated[
    bool,
    typer.Option(
        "--labelled",
        help="--inputs have classes: a folder of class folders, or a .npz with images and labels. "
        "A twelfth is held out, and the accuracy of the integers on it is recorded.",
    ),
]
Mean = Annotated[
    str | None,
    typer.Option(
        help="Pixels become (pixel / 255 - mean) / std: one number, or one per channel "
        "(0.485,0.456,0.406)."
    ),
]
Std = Annotated[str | None, typer.Option(help="See --mean: 0.229,0.224,0.225.")]
Images = Annotated[int, typer.Option(min=1, max=100_000, help="Batch: images run together.")]
Seed = Annotated[
    int,
    typer.Option(
        min=0,
        max=2**32 - 1,
        help="Seed of whatever is drawn: synthetic operands, random images.",
    ),
]
Tech = Annotated[
    str,
    typer.Option(
        help="Technology: sg13g2, 45nm, a file of hwsim tech, or liberty=FILE,sram=FILE.yaml, a "
        "library with or without memories."
    ),
]
Memory = Annotated[
    str | None,
    typer.Option(
        help="Memory outside a machine: a name in configs/memory or a YAML file. The network runs "
        "from it."
    ),
]
Outside = Annotated[
    str | None,
    typer.Option(
        help="float: operations of an .onnx file that no layer computes (attention, LayerNorm, "
        "LSTM) run in floating point beside the array, and are listed."
    ),
]
Json = Annotated[bool, typer.Option("--json", help="One JSON document on stdout, logs on stderr.")]
Store = Annotated[
    Path | None,
    typer.Option(
        help="SQLite file of the points (default: points.sqlite in --out, or else "
        "build/points.sqlite, which studies and sweeps share)."
    ),
]
Out = Annotated[
    Path | None, typer.Option(help="Folder to write to (default: build/<command>/<name>).")
]


def numbers(key: str, text: str | None) -> list[float] | None:
    """Numbers of ``0.485,0.456,0.406``; ``None`` where nothing is given.

    Raises
    ------
    InputError
        The text is not such numbers.
    """
    from hwsim.errors import InputError

    if text is None:
        return None
    try:
        return [float(number) for number in text.split(",")]
    except ValueError:
        rule = "must be numbers such as 0.485,0.456,0.406"
        raise InputError("command line", key, text, rule) from None
