"""``hwsim generate``: a design as Verilog."""

from __future__ import annotations

from typing import Annotated

import typer

from hwsim.cli.options import Arch, Checkpoint, Images, Inputs, Json, Out, Seed

__all__ = ["generate"]


def generate(
    arch: Arch,
    network: Annotated[
        str | None,
        typer.Option(help="Network for a machine, with a testbench: a name or a YAML file."),
    ] = None,
    checkpoint: Checkpoint = None,
    memory: Annotated[
        str | None,
        typer.Option(
            help="Memory of the testbench: a name in configs/memory or a YAML file (default: "
            "ideal)."
        ),
    ] = None,
    images: Images = 1,
    inputs: Inputs = None,
    seed: Seed = 0,
    out: Out = None,
    json: Json = False,
) -> None:
    """Write a design as Verilog: NAME.v, and NAME.json with all that a reader of it needs.

    NAME.json holds the configuration, derived numbers, the layout of every stream's payload bit by
    bit, the causes behind the status codes, and the versions. The same design gives the same bytes
    everywhere. Of a design with a machine, the machine is written: with AXI ports, data sheet
    (NAME.md), C header and driver (NAME.h, NAME.c), register maps (NAME.json, NAME.svd) and a
    FuseSoC core. Exits 0, or 2 on bad input.

    With --network a folder of the network's name gets the image of memory, the expected output, the
    program as text, and a testbench in plain Verilog that holds values and counters to them; its
    README.md has the command. Without --checkpoint the weights are those that ship for the network,
    or random ones where none do.

    Example: hwsim generate dense_8x8_ws --out build/rtl

    Example: hwsim generate machine_dense_8x8_ws --network lenet5 --memory lpddr4_3200_x32
    """
    from hwsim import api
    from hwsim.cli.output import console, emit_json, working

    with working("generating"):
        result = api.generate(
            arch, out, network=network, weights=checkpoint, memory=memory, images=images,
            inputs=inputs, seed=seed,
        )  # fmt: skip
    if json:
        emit_json(result.to_dict())
        return
    lines = result.text.count("\n")
    name = result.arch.name
    console().print(f"wrote {result.path} ({lines} lines, module {name}) and {result.sidecar}")
    if result.testbench is not None:
        console().print(f"wrote {result.testbench}: {result.testbench / 'README.md'} runs it")
        console().print(f"weights: {result.weights}")
