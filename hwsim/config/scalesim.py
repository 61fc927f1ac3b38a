"""Read a topology of SCALE-Sim: layers one by one, each with an input of its own.

Two forms, which the header tells apart: convolutions (name, ifmap height and width, filter height
and width, channels, filters, stride; the ifmap is padded already), and products (name, M, N, K: an
ifmap matrix of M x K times N filters). A last column ``n:m`` says how many of m weights are kept.
"""

from __future__ import annotations

import csv
import re
from pathlib import Path
from typing import Any

from hwsim.config.limits import name_of
from hwsim.errors import InputError
from hwsim.system.reading import read_text

__all__ = ["topology"]

#: Columns of a convolution and of a product, behind the name.
_CONV = ("ifmap height", "ifmap width", "filter height", "filter width", "channels", "filters",
         "stride")  # fmt: skip
_GEMM = ("M", "N", "K")


def topology(path: Path) -> dict[str, Any]:
    """Plain data of a network: the layers of a topology.

    Raises
    ------
    InputError
        The file cannot be read, is no such table, or a number is none.
    """
    try:
        rows = list(csv.reader(read_text(path, encoding="utf-8-sig").splitlines()))
    except csv.Error as error:
        raise InputError(path, "", None, f"cannot be read: {error}") from error
    table = [[cell.strip() for cell in row] for row in rows]
    lines = [(number, row) for number, row in enumerate(table, 1) if any(row)]
    header = [cell.upper() for cell in lines[0][1]] if lines else []
    columns = _GEMM if header[1:4] == list(_GEMM) else _CONV
    if len(header) < 1 + len(columns):
        rule = (
            f"must be a SCALE-Sim topology: a name, then {', '.join(_CONV)}; or {', '.join(_GEMM)}"
        )
        raise InputError(path, "", None, rule)
    layers: list[dict[str, Any]] = []
    for number, row in lines[1:]:
        layer = _layer(path, number, row, columns)
        names = {each["name"] for each in layers}
        plain, copy = layer["name"], 2
        while layer["name"] in names:
            layer["name"], copy = f"{plain}_{copy}", copy + 1
        layers.append(layer)
    if not layers:
        raise InputError(path, "", None, "must have layers")
    return {
        "name": name_of(path, "topology"),
        "source": f"{path.name}: a topology of SCALE-Sim, its layers independent",
        # the first layer reads it
        "input": layers[0].pop("ifmap"),
        "layers": layers,
    }


def _layer(path: Path, number: int, row: list[str], columns: tuple[str, ...]) -> dict[str, Any]:
    name = re.sub(r"[^A-Za-z0-9_.]", "_", row[0])
    name = name if name[:1].isalpha() else f"layer_{name}"
    cells = row[1 : 1 + len(columns)]
    values = dict(zip(columns, cells, strict=False))
    sizes: dict[str, int] = {}
    for key in columns:
        cell = values.get(key, "")
        if not re.fullmatch("[1-9][0-9]{0,8}", cell):
            rule = "must be a whole number above 0, of nine digits at most"
            raise InputError(path, f"line {number}, {key}", cell, rule)
        sizes[key] = int(cell)
    layer: dict[str, Any] = {"name": name, "type": "conv"}
    if columns == _GEMM:
        layer |= {"M": sizes["N"], "R": 1}
        ifmap = {"channels": sizes["K"], "height": sizes["M"], "width": 1}
    else:
        layer |= {"M": sizes["filters"], "R": sizes["filter height"], "S": sizes["filter width"],
                  "stride": sizes["stride"]}  # fmt: skip
        ifmap = {"channels": sizes["channels"], "height": sizes["ifmap height"],
                 "width": sizes["ifmap width"]}  # fmt: skip
    kept = next((cell for cell in row[1 + len(columns) :] if cell), "1:1")
    found = re.fullmatch("([1-9][0-9]{0,8}):([1-9][0-9]{0,8})", kept)
    if found is None or int(found[1]) > int(found[2]):
        raise InputError(path, f"line {number}, sparsity", kept, "must be n:m, n of m weights kept")
    if found[1] != found[2]:
        layer["weight_density"] = int(found[1]) / int(found[2])
    return layer | {"ifmap": ifmap}
