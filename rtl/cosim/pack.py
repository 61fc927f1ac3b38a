"""Payloads as numbers: pack the words of a job, unpack what came out, by a sidecar's layout.

A word is a row of 64-bit limbs, least significant first: what NumPy can hold and a testbench can
turn into one Python integer.
"""

from collections.abc import Iterable, Iterator, Mapping
from io import BytesIO
from typing import Any
from zipfile import ZipFile

import numpy as np
from numpy.typing import NDArray

__all__ = ["Layout", "Limbs", "from_ints", "pack", "to_ints", "to_npz", "unpack"]

Limbs = NDArray[np.uint64]
#: One stream's entry of a sidecar: ``width`` and ``fields``.
Layout = Mapping[str, Any]


def pack(words: Mapping[str, NDArray[np.integer]], layout: Layout) -> Limbs:
    """Pack ``words`` (field name -> ``(transfers, ...)``) to ``(transfers, limbs)``.

    Raises
    ------
    ValueError
        The fields or their shapes are not the layout's, or a value does not fit its width.
    """
    names = [field["name"] for field in layout["fields"]]
    if list(words) != names:
        raise ValueError(f"payload must have the fields {names}, not {list(words)}")
    transfers = len(next(iter(words.values())))
    limbs = np.zeros((transfers, _limbs(layout)), dtype=np.uint64)
    for field in layout["fields"]:
        values = np.asarray(words[field["name"]], dtype=np.int64)
        if values.shape != (transfers, *field["shape"]):
            raise ValueError(
                f"field {field['name']} must have the shape {(transfers, *field['shape'])}, "
                f"not {values.shape}"
            )
        _check_range(values, field)
        mask = np.uint64((1 << field["width"]) - 1)
        bits = values.reshape(transfers, _elements(field)).view(np.uint64) & mask
        for column, limb, shift, spill in _places(field):
            limbs[:, limb] |= bits[:, column] << shift
            if spill:
                limbs[:, limb + 1] |= bits[:, column] >> spill
    return limbs


def unpack(limbs: Limbs, layout: Layout) -> dict[str, NDArray[np.int64]]:
    """Unpack ``(transfers, limbs)``: the inverse of :func:`pack`."""
    words = {}
    for field in layout["fields"]:
        bits = np.zeros((len(limbs), _elements(field)), dtype=np.uint64)
        for column, limb, shift, spill in _places(field):
            bits[:, column] = limbs[:, limb] >> shift
            if spill:
                bits[:, column] |= limbs[:, limb + 1] << spill
        # up to the top of 64 bits and back: drops the neighbours' bits and extends the sign
        room = 64 - field["width"]
        if field["signed"]:
            values = (bits << np.uint64(room)).view(np.int64) >> np.int64(room)
        else:
            values = ((bits << np.uint64(room)) >> np.uint64(room)).view(np.int64)
        words[field["name"]] = values.reshape(len(limbs), *field["shape"])
    return words


def to_ints(limbs: Limbs) -> list[int]:
    """Words as Python integers."""
    if limbs.shape[1] == 1:
        return [int(word) for word in limbs[:, 0].tolist()]
    rows = np.ascontiguousarray(limbs, dtype="<u8")
    return [int.from_bytes(row.tobytes(), "little") for row in rows]


def from_ints(words: Iterable[int], width: int) -> Limbs:
    """Words of ``width`` bits from Python integers: the inverse of :func:`to_ints`."""
    limbs = -(-width // 64)
    content = b"".join(word.to_bytes(limbs * 8, "little") for word in words)
    return np.frombuffer(content, dtype="<u8").reshape(-1, limbs).astype(np.uint64)


def to_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Content of a NumPy archive of named arrays."""
    content = BytesIO()
    with ZipFile(content, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w") as file:
                np.lib.format.write_array(file, np.asarray(array), allow_pickle=False)
    return content.getvalue()


def _limbs(layout: Layout) -> int:
    return -(-int(layout["width"]) // 64)


def _elements(field: Mapping[str, Any]) -> int:
    return int(np.prod(field["shape"], dtype=int))


def _places(field: Mapping[str, Any]) -> Iterator[tuple[int, int, np.uint64, np.uint64 | None]]:
    """Element, limb, its shift in it, and the shift of what spills to the next limb."""
    width = field["width"]
    for element in range(_elements(field)):
        limb, shift = divmod(field["offset"] + element * width, 64)
        spill = np.uint64(64 - shift) if shift + width > 64 else None
        yield element, limb, np.uint64(shift), spill


def _check_range(values: NDArray[np.int64], field: Mapping[str, Any]) -> None:
    if not values.size:
        return
    width = field["width"]
    low = -(1 << (width - 1)) if field["signed"] else 0
    high = (1 << (width - 1)) - 1 if field["signed"] else (1 << width) - 1
    for value in (int(values.min()), int(values.max())):
        if not low <= value <= high:
            raise ValueError(f"field {field['name']} must be {low}..{high}, not {value}")
