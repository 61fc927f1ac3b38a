"""Bounds that keys of many configurations share: what is beyond them is a slip of the pen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated

from pydantic import Field

__all__ = [
    "LARGEST_REAL",
    "MAX_IMAGES",
    "NAME_LENGTH",
    "Extent",
    "Images",
    "Name",
    "NonNegative",
    "Positive",
    "Quantity",
    "Real",
    "Seed",
    "name_of",
]

#: Images of a batch.
MAX_IMAGES = 100_000
#: Largest number of single precision: no weight or activation is beyond it.
LARGEST_REAL = float.fromhex("0x1.fffffep+127")

#: Characters of the name of a configuration: files, folders and modules are called so.
NAME_LENGTH = 63
Name = Annotated[str, Field(pattern=rf"^[a-z][a-z0-9_]{{0,{NAME_LENGTH - 1}}}$")]
Images = Annotated[int, Field(ge=1, le=MAX_IMAGES)]
#: Extent of a tensor or a memory.
Extent = Annotated[int, Field(ge=1, le=1 << 20)]
Seed = Annotated[int, Field(ge=0, lt=1 << 32)]
#: Value in a network.
Real = Annotated[float, Field(ge=-LARGEST_REAL, le=LARGEST_REAL)]
#: Figure of a process, a design or a paper, in a unit that suits it.
Quantity = Annotated[float, Field(ge=-1e12, le=1e12)]
Positive = Annotated[float, Field(gt=0, le=1e12)]
NonNegative = Annotated[float, Field(ge=0, le=1e12)]


def name_of(path: Path | str, kind: str) -> str:
    """Derive a configuration's name from its file's, in the characters that a name may have.

    One that begins with no letter gets ``kind`` before it.
    """
    name = re.sub(r"[^a-z0-9_]", "_", Path(path).stem.lower()).strip("_")
    name = name if name[:1].isalpha() else f"{kind}_{name}"
    return name[:NAME_LENGTH].rstrip("_")
