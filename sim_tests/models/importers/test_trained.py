"""A trained network, exported as floats and imported again, recognizes the same digits."""

from __future__ import annotations

import pytest

from hwsim.checkpoints import find as shipped
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config import NetworkConfig
from hwsim.inference import golden
from hwsim.inference import images as inputs
from hwsim.inference.operands import shipped_images
from hwsim.models.importers import state_dict
from hwsim.models.importers.calibrate import quantize
from hwsim.models.importers.torchvision import load


@pytest.mark.parametrize("suffix", ["pth", "safetensors"])
def test_an_imported_lenet5_keeps_its_accuracy(torch, tmp_path, suffix):
    from safetensors.torch import save_file

    from hwsim.models.networks.network import Network
    from hwsim.models.quantization.quantize import dequantize

    config = NetworkConfig.read("lenet5")
    original = Checkpoint.read(shipped.find_checkpoint("lenet5_dense"), config)
    network = Network(config)
    dequantize(network, original)
    state = {
        f"{shape.layer.name}.{part}": getattr(stage, part).detach().clone()
        for shape, stage in network.weighted()
        for part in ("weight", "bias")
    }
    path = tmp_path / f"lenet5.{suffix}"
    (torch.save if suffix == "pth" else save_file)(state, path)
    model = load(config, state_dict.read(path), str(path))
    pixels, labels = shipped_images(300)
    expected = golden.accuracy(config, original, pixels, labels)
    # with images like those it will see, and with random ones
    for ranges in (pixels[:8, None], inputs.random(config, 8)):
        found = golden.accuracy(config, quantize(model, ranges, {}), pixels, labels)
        assert found >= expected - 1 / 300
