"""The record of what each shipped checkpoint gets wrong of the images held out of its training.

``python benchmarks/heldout.py`` infers the held-out training images of each data set that is in the
cache (``hwsim data NAME``) with every shipped checkpoint of it that the record does not know, and
writes ``models/checkpoints/heldout.csv``. Rows of data sets that are not in the cache stay. Studies
compare models by it, image by image (``accuracy_level``).
"""

from __future__ import annotations

import csv
import io

import numpy as np

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import CHECKPOINTS, dataset_of, network_of
from hwsim.checkpoints.heldout import RECORD, digest
from hwsim.datasets import load as datasets
from hwsim.errors import InputError
from hwsim.inference import golden
from hwsim.models.compress.pipeline import held_out
from hwsim.system.files import write_text_atomic

COLUMNS = ("checkpoint", "sha256", "images", "wrong")


def wrong_images(name: str, checkpoint: Checkpoint, dataset: str) -> tuple[list[int], int] | None:
    """Held-out images that a checkpoint gets wrong, and how many there are; prints both numbers.

    ``None`` where the data set is not in the cache.
    """
    try:
        images, labels = datasets.load(dataset, "train")
    except InputError as missing:
        print(f"{name}: left out, {missing}")
        return None
    count = held_out((images, labels))
    act = golden.input_act(images[-count:], checkpoint.input_scale)
    classes = golden.logits(network_of(checkpoint), checkpoint, act).argmax(axis=1)
    (wrong,) = np.nonzero(classes != labels[-count:])
    print(f"{name}: {len(wrong)} of {count} wrong", flush=True)
    return wrong.tolist(), count


def main() -> None:
    known = {}
    if RECORD.is_file():
        with RECORD.open(newline="") as file:
            known = {row["checkpoint"]: row for row in csv.DictReader(file)}
    rows = {}
    for path in sorted(CHECKPOINTS.glob("*.safetensors")):
        old = known.get(path.stem)
        if old is not None and old["sha256"] == digest(path):
            rows[path.stem] = old
            continue
        checkpoint = Checkpoint.read(path)
        dataset = dataset_of(checkpoint)
        if dataset is None or checkpoint.info.get("accuracy_heldout") is None:
            continue
        found = wrong_images(path.stem, checkpoint, dataset)
        if found is None:
            continue
        wrong, count = found
        rows[path.stem] = {
            "checkpoint": path.stem,
            "sha256": digest(path),
            "images": str(count),
            "wrong": " ".join(map(str, wrong)),
        }
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows.values())
    write_text_atomic(RECORD, text.getvalue())


if __name__ == "__main__":
    main()
