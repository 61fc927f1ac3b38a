"""``hwsim simulate``: cycles by cause of a network on a design."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from hwsim.cli.options import Arch, Images, Inputs, Json, Network, Out, Weights

if TYPE_CHECKING:
    from collections.abc import Callable

    from hwsim.config import NetworkConfig
    from hwsim.workload.layer import Layer

__all__ = ["simulate"]


def simulate(
    arch: Arch,
    network: Network,
    checkpoint: Annotated[
        str | None,
        typer.Option(help="Compressed weights: a name in models/checkpoints or a file."),
    ] = None,
    weights: Weights = None,
    inputs: Inputs = None,
    images: Images = 1,
    seed: Annotated[
        int, typer.Option(min=0, help="Seed of synthetic operands and random images.")
    ] = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Count a network's cycles by cause on a design, layer by layer, cycle-exact.

    With --checkpoint, --weights or an .onnx file the operands are its weights and what images
    become at each layer: those of --inputs, else test images that ship where they fit, else random
    ones. Otherwise operands are synthetic, at the densities of the network file. Pretrained weights
    are quantized as by hwsim import; synthetic ones run on random activations.

    Example: hwsim simulate csc_16x4 lenet5 --checkpoint lenet5_nonstructured_12x --images 16

    Example: hwsim simulate dense_32x32_ws resnet50 --weights resnet50.pth
    """
    from hwsim.cli.output import console, emit_json, log, table
    from hwsim.config import ArchConfig
    from hwsim.engine import network as engine
    from hwsim.report.page import write_json

    design = ArchConfig.read(arch)
    with log().status("reading") as status:
        net, operands, origin = _operands(
            network, checkpoint, weights, inputs, images, seed, status.update
        )
        result = engine.simulate(
            design, net, operands, images=images, seed=seed,
            progress=lambda layer: status.update(f"simulated {layer}"),
        )  # fmt: skip
    document = result.to_dict() | origin
    folder = out or Path("build/simulate") / f"{design.name}-{net.name}"
    path = write_json(folder / "results.json", document)
    if json:
        emit_json(document)
        return
    group = next(iter(result.counts.causes), "")
    causes = [c for c, n in result.counts.causes.get(group, {}).items() if n]
    rows: list[list[object]] = [
        [
            item.name, item.macs, item.useful_macs, item.cycles, item.utilization,
            *(item.counts.causes.get(group, {}).get(cause, 0) for cause in causes),
        ]
        for item in result.layers
    ]  # fmt: skip
    totals = [result.counts.causes[group][cause] for cause in causes]
    rows.append(
        ["total", result.macs, result.useful_macs, result.cycles, result.utilization, *totals]
    )
    console().print(
        table(
            f"{net.name} on {design.name}, {images} image(s), {', '.join(origin.values())}",
            ["layer", "MACs", "useful", "cycles", "utilization", *causes],
            rows,
        )
    )
    console().print(f"{result.microseconds:.1f} us at {design.clock_mhz:g} MHz; wrote {path}")


def _operands(
    network: str,
    checkpoint: str | None,
    weights: Path | None,
    inputs: Path | None,
    images: int,
    seed: int,
    progress: Callable[[str], None],
) -> tuple[NetworkConfig, dict[str, Layer] | None, dict[str, str]]:
    """Network, its operands (``None``: synthetic ones), and where weights and images come from."""
    from hwsim.checkpoints import synthetic
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.checkpoints.find import dataset_of, find_checkpoint
    from hwsim.cli.import_ import imported
    from hwsim.config import NetworkConfig
    from hwsim.errors import InputError
    from hwsim.inference.operands import network_images, on_images, on_random_acts

    is_onnx = network.endswith(".onnx")
    if is_onnx or weights is not None:
        if checkpoint is not None:
            rule = "must be absent: the weights are those of " + (
                "--weights" if weights else network
            )
            raise InputError("command line", "--checkpoint", checkpoint, rule)
        net, own = imported(network, weights, inputs, seed, progress=progress)
        name = str(weights or network)
    elif checkpoint is not None:
        net = NetworkConfig.read(network)
        own, name = Checkpoint.read(find_checkpoint(checkpoint), net), checkpoint
        if synthetic.is_synthetic(own):
            if inputs is not None:
                rule = "must be absent: synthetic weights run on random activations"
                raise InputError("command line", "--inputs", str(inputs), rule)
            origin = {
                "operands": synthetic.label(name, own),
                "inputs": f"random activations, seed {seed}",
            }
            return net, on_random_acts(net, own, images, seed), origin
    elif inputs is not None:
        rule = "must be absent: synthetic operands come from no images"
        raise InputError("command line", "--inputs", str(inputs), rule)
    else:
        return NetworkConfig.read(network), None, {"operands": f"synthetic weights, seed {seed}"}
    pictures, described = network_images(net, images, inputs, seed, dataset_of(own))
    progress(f"inferring {images} image(s)")
    return net, on_images(net, own, pictures), {"operands": name, "inputs": described}
