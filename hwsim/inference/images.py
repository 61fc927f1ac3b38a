"""Images for a network: the user's, from a file or a folder, or random ones of its shape."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference import photos
from hwsim.inference.normalization import Normalization

__all__ = ["Images", "checked", "random", "read"]

Images = NDArray[np.uint8] | NDArray[np.float32]


def read(
    path: Path | str,
    network: NetworkConfig,
    normalization: Normalization | None = None,
    most: int | None = None,
) -> Images:
    """Read images.

    Parameters
    ----------
    path
        A folder of photographs (:func:`hwsim.inference.photos.read`); a ``.npy`` file, or the array
        ``images`` (or the only one) of a ``.npz``.
    network
        Network whose input they are.
    normalization
        What is done to pixels; without, they stand for 0..1.
    most
        Number of images that are read at most: the first ones.

    Returns
    -------
    (images, C, H, W) array
        As of :func:`checked`.

    Raises
    ------
    InputError
        Not such a file; or as of :func:`checked`.
    """
    path = Path(path)
    pixels: NDArray[Any] = (
        photos.read(path, network, most) if path.is_dir() else _array(path)[:most]
    )
    return checked(pixels, network, path, normalization)


def checked(
    pixels: NDArray[Any],
    network: NetworkConfig,
    source: Path | str,
    normalization: Normalization | None = None,
) -> Images:
    """Images of a network's input, refused where they cannot be.

    Parameters
    ----------
    pixels
        ``(images, C, H, W)``, or ``(images, H, W)`` of one channel.
    source
        Where they come from, for messages.
    normalization
        What is done to uint8 pixels.

    Returns
    -------
    (images, C, H, W) array
        uint8 pixels, which stand for 0..1, or float32, taken as they are: already normalised.

    Raises
    ------
    InputError
        Another shape than the network's input, another type, or values that are not finite.
    """
    expected = (network.input.channels, network.input.height, network.input.width)
    if pixels.ndim == 3 and expected[0] == 1:
        pixels = pixels[:, None]
    if pixels.ndim != 4 or pixels.shape[1:] != expected or not len(pixels):
        rule = f"must be (images, {', '.join(map(str, expected))}) for {network.name}"
        raise InputError(source, "shape", pixels.shape, rule)
    if pixels.dtype == np.uint8:
        return pixels if normalization is None else normalization(pixels)
    if pixels.dtype.kind != "f":
        rule = "must be uint8 (pixels) or floating point (normalised)"
        raise InputError(source, "dtype", str(pixels.dtype), rule)
    if not np.isfinite(pixels).all():
        raise InputError(source, "", None, "must hold finite numbers")
    return pixels.astype(np.float32)


def _array(path: Path) -> NDArray[Any]:
    try:
        with path.open("rb") as file:
            loaded = np.load(file, allow_pickle=False)
            if isinstance(loaded, np.ndarray):
                return loaded
            names = loaded.files
            name = "images" if "images" in names else names[0] if len(names) == 1 else ""
            array: NDArray[Any] | None = loaded[name] if name else None
    except OSError as error:
        raise InputError(path, "", None, f"cannot be read: {error.strerror or error}") from error
    except Exception as error:  # a damaged file fails in any of NumPy's or zlib's own ways
        rule = "must be a .npy or .npz file of numbers"
        raise InputError(path, "", None, rule) from error
    if array is None:
        raise InputError(path, "", None, f"must have an array 'images', not {names}")
    return array


def random(network: NetworkConfig, count: int, seed: int = 0) -> NDArray[np.float32]:
    """Draw ``count`` images of mean 0 and variance 1 with the spectrum of natural ones.

    The amplitude falls as 1 / frequency (Field, JOSA A 4, 1987): unlike white noise, neighbouring
    pixels are alike, so that filters which average answer as strongly as they do to a photograph.
    """
    size = network.input
    rng = np.random.default_rng(seed)
    white = rng.standard_normal((count, size.channels, size.height, size.width))
    rows, cols = np.fft.fftfreq(size.height)[:, None], np.fft.rfftfreq(size.width)
    frequency = np.hypot(rows, cols)
    frequency[0, 0] = np.inf if frequency.size > 1 else 1
    shaped = np.fft.irfft2(np.fft.rfft2(white) / frequency, s=(size.height, size.width))
    spread = shaped.std(axis=(2, 3), keepdims=True)
    return (shaped / np.where(spread > 0, spread, 1)).astype(np.float32)
