"""How long an epoch of training takes, in CPU seconds of one core.

``python benchmarks/epoch.py`` trains each network on 2,560 random images, as ``hwsim compress``
does before anything is pruned, and scales the time to the 55,000 images of an epoch, with the
inference of the 5,000 that are held out. ``--log`` appends to ``results/epoch.csv``.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import get_args

import torch
from common import append_log

from hwsim.config import NetworkConfig
from hwsim.config.jobs.compress import TrainConfig
from hwsim.models.networks.network import Network
from hwsim.models.training.train import Dataset, train_epoch

NETWORKS = ("digits3x3", "lenet5", "vgg6", "resnet12")
#: Those that have batch normalization.
NORMALIZED = ("resnet12",)
#: Images that are timed, and those of an epoch.
TIMED, IMAGES, HELD_OUT = 2560, 55_000, 5000
PRECISIONS = get_args(TrainConfig.model_fields["precision"].annotation)


def main() -> int:
    """Print the times of each network."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--log", action="store_true", help="append to results/epoch.csv")
    options = parser.parse_args()
    torch.set_num_threads(1)
    for name in NETWORKS:
        seconds = {precision: round(_epoch(name, precision), 1) for precision in PRECISIONS}
        print(name, *(f"{precision} {each} s" for precision, each in seconds.items()))
        if options.log:
            append_log("epoch", {"network": name} | seconds)
    return 0


def _epoch(name: str, precision: str) -> float:
    torch.manual_seed(0)
    network = Network(NetworkConfig.read(name))
    if name in NORMALIZED:
        network.normalize()
    held_out = TIMED * HELD_OUT // IMAGES
    images, labels = torch.rand(TIMED + held_out, 1, 28, 28), torch.arange(TIMED + held_out) % 10
    data = Dataset(images, labels).split(held_out)
    config = TrainConfig(epochs=2, shift=1, precision=precision)
    generator = torch.Generator().manual_seed(0)
    _, state = train_epoch(network, data, config, (0, 2), None, generator, masks={})
    start = time.process_time()
    train_epoch(network, data, config, (1, 2), state, generator, masks={})
    return (time.process_time() - start) * IMAGES / TIMED


if __name__ == "__main__":
    sys.exit(main())
