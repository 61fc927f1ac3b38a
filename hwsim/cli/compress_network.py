"""``hwsim compress NETWORK --nm 2:4``: a trained network, pruned."""

from __future__ import annotations

import re
from pathlib import Path

from hwsim.cli.options import numbers
from hwsim.errors import InputError

__all__ = ["compress_network"]


def compress_network(
    networks: list[str],
    nm: str | None,
    keep: float | None,
    layer_nm: list[str],
    dense: list[str],
    epochs: int,
    learning_rate: float,
    weight_bits: int,
    weights: Path | None,
    inputs: Path | None,
    labelled: bool,
    images: int | None,
    mean: str | None,
    std: str | None,
    outside: str | None,
    seed: int,
    out: Path | None,
    *,
    json: bool,
) -> None:
    """Prune one network, write its checkpoint and its YAML, and print what it costs."""
    from hwsim import api
    from hwsim.cli.import_ import show, warn
    from hwsim.cli.output import console, emit_json, table, working
    from hwsim.system.files import write_text_atomic

    if len(networks) != 1:
        rule = "must be one network with --nm or --keep"
        raise InputError("command line", "RECIPE", " ".join(networks), rule)
    with working("reading") as status:
        result = api.prune(
            networks[0], weights, nm=_pair(nm), keep=keep, layer_nm=_own(layer_nm, nm),
            dense=dense, epochs=epochs, learning_rate=learning_rate, inputs=inputs,
            labelled=labelled, weight_bits=weight_bits,
            images=images, seed=seed, outside=outside,
            mean=numbers("--mean", mean), std=numbers("--std", std),
            progress=status.update,
        )  # fmt: skip
    net, checkpoint = result.network, result.checkpoint
    pruned = checkpoint.info["pruned"]
    name = f"{net.name}_{pruned['rule']}"
    folder = out or Path("build/compress") / name
    config = write_text_atomic(folder / f"{net.name}.yaml", net.to_yaml())
    path = checkpoint.write(folder / f"{name}.safetensors")
    warn(checkpoint)
    if json:
        files = {"file": str(path), "network_file": str(config)}
        kept = {each: layer.density for each, layer in checkpoint.layers.items()}
        emit_json(files | {"network": net.name, "kept": kept, "info": checkpoint.info})
        return
    rows = [[each, layer.weight.size, layer.density] for each, layer in checkpoint.layers.items()]
    total = sum(layer.weight.size for layer in checkpoint.layers.values())
    body = [*rows, ["total", total, checkpoint.density]]
    console().print(table(f"{name}, by {pruned['method']}", ["layer", "weights", "kept"], body))
    show(net, checkpoint)
    console().print(f"wrote {path} and {config.name}")


def _own(given: list[str], nm: str | None) -> dict[str, int]:
    """Numbers n of ``NAME=n:m``, whose m must be that of all."""
    found = {}
    for text in given:
        name, _, pair = text.rpartition("=")
        own, every = _pair(pair) or (0, 0), _pair(nm) or (0, 0)
        if not name or own[1] != every[1]:
            rule = f"must be NAME=n:m with the m of --nm {nm}"
            raise InputError("command line", "--layer-nm", text, rule)
        found[name] = own[0]
    return found


def _pair(text: str | None) -> tuple[int, int] | None:
    """Numbers of ``2:4``."""
    if text is None:
        return None
    found = re.fullmatch("([1-9][0-9]?):([1-9][0-9]?)", text)
    if found is None:
        raise InputError("command line", "--nm", text, "must be n:m such as 2:4")
    return int(found[1]), int(found[2])
