"""Images with their classes: a folder of class folders, or arrays."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NetworkConfig
from hwsim.errors import InputError
from hwsim.inference import images as pictures
from hwsim.inference import photos
from hwsim.inference.images import Images
from hwsim.inference.normalization import Normalization
from hwsim.system.reading import reading

__all__ = ["Labelled", "read"]

#: Share of the images that is held out of training.
_HELD_OUT = 12


@dataclass(frozen=True)
class Labelled:
    """Images ``(n, C, H, W)`` of a network's input, and the class ``(n,)`` of each."""

    images: Images
    labels: NDArray[np.int64]

    def shuffled(self, seed: int) -> Labelled:
        """The same in a random order."""
        order = np.random.default_rng(seed).permutation(len(self.labels))
        return Labelled(self.images[order], self.labels[order])

    def split(self) -> tuple[Labelled, Labelled]:
        """All but the last twelfth, and that: at least one image."""
        count = max(1, len(self.labels) // _HELD_OUT)
        return (
            Labelled(self.images[:-count], self.labels[:-count]),
            Labelled(self.images[-count:], self.labels[-count:]),
        )


def read(
    path: Path | str, network: NetworkConfig, normalization: Normalization | None = None
) -> Labelled:
    """Read images and their classes.

    Parameters
    ----------
    path
        A folder with a folder of photographs per class: folders whose names are whole numbers are
        these classes, others are numbered from 0 in the order of their names. Or a ``.npz`` with
        arrays ``images`` (as of :func:`hwsim.inference.images.read`) and ``labels``.
    network
        Network whose input they are, with an output for each class.
    normalization
        What is done to pixels; without, they stand for 0..1.

    Raises
    ------
    InputError
        Not such a file; fewer than two images; a label is no output of the network; or that has
        several outputs.
    """
    path = Path(path)
    network.must_have_one_output(network.name, "a label is a class of the last layer")
    pixels, labels = _folder(path, network) if path.is_dir() else _arrays(path)
    images = pictures.checked(pixels, network, path, normalization)
    if labels.shape != (len(images),) or labels.dtype.kind not in "iu" or len(images) < 2:
        rule = f"must be a whole number for each of the {len(images)} images, at least two"
        raise InputError(path, "labels", labels.shape, rule)
    classes = network.shapes()[-1].ofmap.size
    if labels.min() < 0 or labels.max() >= classes:
        worst = int(labels.max() if labels.max() >= classes else labels.min())
        rule = f"must be 0..{classes - 1}, the outputs of {network.name}"
        raise InputError(path, "labels", worst, rule)
    return Labelled(images, labels.astype(np.int64))


def _folder(path: Path, network: NetworkConfig) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    names = [file.relative_to(path).parts for file in photos.files(path)]
    loose = next((parts for parts in names if len(parts) == 1), None)
    if loose is not None:
        raise InputError(path / loose[0], "", None, "must lie in the folder of its class")
    folders = sorted({parts[0] for parts in names})
    are_numbers = all(name.isdecimal() for name in folders)
    number = {name: int(name) if are_numbers else i for i, name in enumerate(folders)}
    return photos.read(path, network), np.array([number[parts[0]] for parts in names])


def _arrays(path: Path) -> tuple[NDArray[Any], NDArray[Any]]:
    with reading(path, "must be a .npz file of numbers"):
        loaded = np.load(path, allow_pickle=False)
        if isinstance(loaded, np.ndarray) or not {"images", "labels"} <= set(loaded.files):
            rule = "must have arrays images and labels, or be a folder of class folders"
            raise InputError(path, "", None, rule)
        return loaded["images"], loaded["labels"]
