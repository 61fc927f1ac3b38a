"""Listing of a program: what each descriptor says, field by field, from its bytes."""

from __future__ import annotations

import re
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from hwsim.contract.descriptors import (
    DESCRIPTOR_BYTES,
    FIELDS,
    KINDS,
    OPS,
    TARGETS,
    WORD_BITS,
    unpack,
)

__all__ = ["listing"]

#: Fields that hold a code, without the number of their block -> its names.
_CODES = {"kind": KINDS, "op": OPS, "target": TARGETS}
#: Fields of a loop: its nest, its level, which of its two fields.
_LOOP = re.compile(r"(feed|post)(\d)_(bound|step)")
_HALF = WORD_BITS // 2


def listing(program: NDArray[np.uint8], name: str) -> str:
    """Text of the descriptors in ``program``, up to the one that stops.

    A line of what the first word of a descriptor says, then one for each block and each nest of
    loops ``bound x step``, the innermost first. Fields that are 0 are left out, and loops of one
    iteration.

    Parameters
    ----------
    program
        Bytes, whole descriptors.
    name
        Of the design, for the head.
    """
    lines = [f"# {name}: descriptors; fields that are 0, and loops of one iteration, are left out"]
    for index, words in enumerate(program.view("<u4").reshape(-1, DESCRIPTOR_BYTES // 4).tolist()):
        fields = unpack(words)
        first, *rest = _lines(fields)
        lines += [f"{index:5d}  {first}", *(f"         {line}" for line in rest)]
        if fields["stop"]:
            break
    return "\n".join(lines) + "\n"


def _lines(fields: dict[str, int]) -> list[str]:
    first, *others = [[field.name for field in word] for word in FIELDS]
    texts = [_text(name, name, fields[name]) for name in first if fields[name] or name == "kind"]
    found = [" ".join(texts)]
    # addresses, nests and command lie in words of their own, but a nest's begin beside another's
    names = sorted((name for word in others for name in word), key=_block)
    for block, members in groupby(names, key=_block):
        said = []
        for name in members:
            loop, value = _LOOP.fullmatch(name), fields[name]
            if loop is None and value:
                said.append(_text(name, name.removeprefix(f"{block}_"), value))
            elif loop and loop[3] == "bound" and value > 1:
                step = fields[name.replace("bound", "step")]
                said.append(f"{value} x {step - (step >> (_HALF - 1) << _HALF)}")
        if said:
            found.append(f"{block:8s} {'  '.join(said)}")
    return found


def _block(name: str) -> str:
    """Block that a field belongs to: a load, the store, a nest, the command."""
    loop = _LOOP.fullmatch(name)
    return loop[1] if loop else name.partition("_")[0]


def _text(field: str, name: str, value: int) -> str:
    codes = {code: key for key, code in _CODES.get(field.rpartition("_")[2], {}).items()}
    return f"{name}={codes.get(value, value)}"
