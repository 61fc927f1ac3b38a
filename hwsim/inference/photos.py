"""A folder of photographs as pixels of a network's input."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.system.reading import reading

__all__ = ["SUFFIXES", "files", "read"]

SUFFIXES = (".jpeg", ".jpg", ".png")
#: Channels of a network's input -> Pillow's name of such pictures.
_MODES = {1: "L", 3: "RGB"}


def files(folder: Path) -> list[Path]:
    """Photographs of a folder and the folders in it, in the order of their paths.

    Raises
    ------
    InputError
        There is none.
    """
    found = sorted(path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES)
    if not found:
        raise InputError(folder, "", None, f"must hold pictures: {', '.join(SUFFIXES)}")
    return found


def read(folder: Path, network: NetworkConfig, most: int | None = None) -> NDArray[np.uint8]:
    """Read photographs, each scaled until it covers the input and cropped around its middle.

    Parameters
    ----------
    folder
        As of :func:`files`.
    network
        Its input has one channel (grey) or three (red, green, blue).
    most
        Number of photographs that are read at most: the first ones.

    Returns
    -------
    (images, C, H, W) uint8

    Raises
    ------
    InputError
        There is none, one cannot be read, or the input has another number of channels.
    """
    from PIL import Image, ImageOps

    size = network.input
    if size.channels not in _MODES:
        rule = f"must be 1 or 3 for photographs: give {network.name} a .npy file"
        raise InputError(folder, "input channels", size.channels, rule)
    pixels = []
    for path in files(folder)[:most]:
        with reading(path, "must be a picture"), Image.open(path) as picture:
            plain = ImageOps.exif_transpose(picture).convert(_MODES[size.channels])
        fitted = ImageOps.fit(plain, (size.width, size.height), Image.Resampling.BICUBIC)
        pixels.append(np.asarray(fitted, np.uint8).reshape(size.height, size.width, -1))
    return np.stack(pixels).transpose(0, 3, 1, 2)
