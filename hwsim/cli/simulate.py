"""``hwsim simulate``: cycles by cause of a network on a design."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from hwsim.cli.options import (
    Arch,
    Checkpoint,
    Images,
    Inputs,
    Json,
    Memory,
    Network,
    Out,
    Outside,
    Seed,
    Tech,
    Weights,
)

if TYPE_CHECKING:
    from hwsim.engine.results import NetworkResult

__all__ = ["simulate"]


def simulate(
    arch: Arch,
    network: Network,
    checkpoint: Checkpoint = None,
    weights: Weights = None,
    inputs: Inputs = None,
    images: Images = 1,
    seed: Seed = 0,
    tech: Tech = "sg13g2",
    memory: Memory = None,
    outside: Outside = None,
    out: Out = None,
    json: Json = False,
) -> None:
    """Count a network's cycles by cause on a design, layer by layer, cycle-exact.

    With --checkpoint, --weights or an .onnx file the operands are its weights and the activations
    of images at each layer: those of --inputs, else test images that ship where they fit, else
    random ones. Otherwise operands are synthetic, at the densities of the network file. Pretrained
    weights are quantized as by hwsim import; synthetic ones run on random activations.

    Example: hwsim simulate csc_16x4 lenet5 --checkpoint lenet5_nonstructured_12x --images 16

    With --memory the design's machine runs the network from a memory: cycles, waits and bytes of
    each layer, with the plan in results.json, timeline.png and roofline.png.

    Example: hwsim simulate dense_32x32_ws resnet50 --weights resnet50.pth

    Example: hwsim simulate machine_dense_8x8_ws lenet5 --memory lpddr4_3200_x32
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json, working
    from hwsim.errors import InputError
    from hwsim.report.page import write_json

    if checkpoint is not None and (weights is not None or network.lower().endswith(".onnx")):
        owner = "--weights" if weights is not None else network
        rule = f"must be absent: the weights are those of {owner}"
        raise InputError("command line", "--checkpoint", checkpoint, rule)
    if memory is not None:
        if outside is not None:
            rule = "must be absent with --memory: no machine has a unit for what runs outside"
            raise InputError("command line", "--outside", outside, rule)
        _from_memory(arch, network, checkpoint or weights, memory, images, inputs, seed, out, json)
        return
    with working("reading") as status:
        result = api.simulate(
            arch, network, checkpoint if checkpoint is not None else weights,
            images=images, inputs=inputs, seed=seed, technology=tech, outside=outside,
            progress=status.update,
        )  # fmt: skip
    folder = out or Path("build/simulate") / f"{result.arch.name}-{result.network}"
    path = write_json(folder / "results.json", result.to_dict())
    if json:
        emit_json(result.to_dict())
        return
    _show(result)
    time = f"its clock is not on record: hwsim clock {arch}"
    if result.mhz is not None:
        time = f"{result.microseconds:,.1f} us at {result.mhz:.0f} MHz ({tech})"
    console().print(f"{time}; wrote {path}")
    if result.arch.memory is not None:
        console().print("cycles of the array alone: --memory runs the whole machine from a memory")


def _from_memory(
    arch: str,
    network: str,
    weights: str | Path | None,
    memory: str,
    images: int,
    inputs: Path | None,
    seed: int,
    out: Path | None,
    json: bool,
) -> None:
    from hwsim import api
    from hwsim.accelerator.picture import roofline, timeline
    from hwsim.cli.output import console, emit_json, table
    from hwsim.report.page import write_json
    from hwsim.system.files import staged

    result = api.run_machine(
        arch, network, weights, memory=memory, images=images, inputs=inputs, seed=seed
    )
    folder = out or Path("build/simulate") / f"{result.run.program.arch.name}-{result.network.name}"
    with staged(folder) as inside:
        write_json(inside / "results.json", result.to_dict())
        pictures = [draw(result, inside) for draw in (timeline, roofline)]
    if json:
        emit_json(result.to_dict())
        return
    columns = ["layer", "on", "tiles", "parts of K", "cycles"]
    columns += ["waits for load", "executes", "waits for store"]
    rows: list[list[object]] = [
        [
            layer.name, layer.unit, layer.tiles, layer.k_parts, layer.cycles,
            layer.waits_load, layer.executes, layer.waits_store, layer.macs,
            sum(layer.moved.values()), layer.intensity,
            f"{layer.bytes_per_cycle:.2f} ({result.share(layer):.0%})",
        ]
        for layer in result.layers()
    ]  # fmt: skip
    columns += ["MACs", "bytes", "MACs per byte", "bytes per cycle"]
    console().print(table(result.title, columns, rows))
    files = ["results.json", *(picture.name for picture in pictures)]
    names = ", ".join(str(folder / file) for file in files)
    console().print(
        f"{result.cycles:,} cycles, {result.cycles / images:,.0f} per image; wrote {names}"
    )


def _show(result: NetworkResult) -> None:
    from hwsim.cli.output import console, show_outside, table

    group = next(iter(result.counts.causes), "")
    totals = {c: n for c, n in result.counts.causes.get(group, {}).items() if n}
    rows: list[list[object]] = [
        [
            layer.name, layer.macs, layer.useful_macs, layer.cycles, layer.utilization,
            *(layer.counts.causes.get(group, {}).get(cause, 0) for cause in totals),
        ]
        for layer in result.layers
    ]  # fmt: skip
    work = [result.macs, result.useful_macs, result.cycles, result.utilization]
    columns = ["layer", "MACs", "useful", "cycles", "utilization", *totals]
    console().print(table(result.title, columns, [*rows, ["total", *work, *totals.values()]]))
    show_outside(result.outside)
    noted: dict[str, list[str]] = {}
    for each in result.layers:
        if each.note:
            noted.setdefault(each.note, []).append(each.name)
    for note, names in noted.items():
        console().print(f"{', '.join(names)}: {note}")
    if result.overflows:
        wrapped = [f"{each.name} {each.overflows:,}" for each in result.layers if each.overflows]
        width = result.arch.numbers.psum_width
        console().print(
            f"{result.overflows:,} sums exceed {width} bits (psum_width) and wrap: "
            f"{', '.join(wrapped)}"
        )
