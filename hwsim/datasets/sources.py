"""The data sets: their four IDX files, SHA-256 of the uncompressed contents, and public mirrors."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

__all__ = ["DATASETS", "DatasetSource", "File"]


@dataclass(frozen=True)
class File:
    """One IDX file; ``sha256`` is of its uncompressed contents."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def size(self) -> int:
        """Uncompressed bytes."""
        return 4 + 4 * len(self.shape) + prod(self.shape)


@dataclass(frozen=True)
class DatasetSource:
    """A data set: split -> (images, labels); folders on the web that hold ``<file name>.gz``."""

    title: str
    splits: dict[str, tuple[File, File]]
    mirrors: tuple[str, ...]

    @property
    def files(self) -> list[File]:
        """All four files."""
        return [file for pair in self.splits.values() for file in pair]


def _source(title: str, digests: tuple[str, str, str, str], *mirrors: str) -> DatasetSource:
    train_images, train_labels, test_images, test_labels = digests
    return DatasetSource(
        title,
        {
            "train": (
                File("train-images-idx3-ubyte", (60_000, 28, 28), train_images),
                File("train-labels-idx1-ubyte", (60_000,), train_labels),
            ),
            "test": (
                File("t10k-images-idx3-ubyte", (10_000, 28, 28), test_images),
                File("t10k-labels-idx1-ubyte", (10_000,), test_labels),
            ),
        },
        mirrors,
    )


DATASETS: dict[str, DatasetSource] = {
    # Y. LeCun, C. Cortes, C. Burges: 28x28 handwritten digits
    "mnist": _source(
        "MNIST",
        (
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ),
    # H. Xiao, K. Rasul, R. Vollgraf (Zalando), MIT licence: 28x28 articles of clothing
    "fashion": _source(
        "Fashion-MNIST",
        (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
        "https://fashion-mnist.s3.eu-central-1.amazonaws.com/",
        "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    ),
}
