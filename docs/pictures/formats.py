"""Draw one small layer's weights in every format, bit by bit: ``python docs/pictures/formats.py``.

Four filters of 3x3 on four channels, 4-bit weights. They keep four taps of every second kernel, so
that every format can hold them. Every bit that is drawn is read off the encoded matrix; a test
holds the bits of each colour to the size that the format itself says.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from hwsim.config import NMConfig, NumberConfig, PatternConfig
from hwsim.formats import bitmask, codes, csc, dense, nm, pattern
from hwsim.formats.base import Bits, index_width
from hwsim.formats.generic import coo, csr, relative, run_length
from hwsim.system.files import write_text_atomic

__all__ = ["FORMATS", "Drawing", "Field", "weights", "write"]

NUMBERS = NumberConfig(weight_width=4)
FILTERS, CHANNELS, TAPS = 4, 4, 9
KINDS = ("values", "indices", "pointers", "padding")
COLOURS = dict(zip(KINDS, ("#a9cfe8", "#f4b183", "#8fd0b5", "#e3b9d3"), strict=True))

#: Pixels: left edge of the bits, one bit, one line, bits on a line.
LEFT, PITCH, LINE, WIDE = 132, 5.7, 15, 144


@dataclass(frozen=True)
class Field:
    """Bits of one kind that are one word, most significant first (masks: position 0 first)."""

    kind: str
    bits: str


@dataclass(frozen=True)
class Drawing:
    """One format: what it is called, its size, and its words, memory by memory."""

    title: str
    size: Bits
    memories: list[tuple[str, list[Field]]]


def weights() -> NDArray[np.int64]:
    """Weights ``(M, K)``, K ordered (tap, channel), with four taps in half of the kernels."""
    rng = np.random.default_rng(7)
    patterns = np.array([(1, 3, 4, 5), (0, 1, 3, 4), (1, 4, 5, 7)])
    kernels = np.zeros((FILTERS, CHANNELS, TAPS), dtype=np.int64)
    for filter_, channels in enumerate([(0, 2), (0, 2), (1, 2), (1, 2)]):
        for channel in channels:
            taps = patterns[rng.integers(len(patterns))]
            kernels[filter_, channel, taps] = rng.choice([-7, -4, -2, -1, 1, 2, 3, 5, 6], 4)
    return kernels.swapaxes(1, 2).reshape(FILTERS, TAPS * CHANNELS)


def _word(number: int, width: int) -> str:
    return format(int(number), f"0{width}b") if width else ""


def _weight(value: int) -> str:
    return _word(codes.encode(np.array([value]), NUMBERS)[0], NUMBERS.weight_width)


def _values(values: Iterable[int]) -> list[Field]:
    return [Field("values", _weight(value)) for value in values]


def _numbers(kind: str, numbers: Iterable[int], width: int) -> list[Field]:
    return [Field(kind, _word(number, width)) for number in numbers]


def _interleave(*columns: Sequence[Field]) -> list[Field]:
    return [field for entry in zip(*columns, strict=True) for field in entry]


def _gather(kept: NDArray[np.int64], count: int) -> list[Field]:
    """List of what is kept, or a bitmap, whichever is smaller; nothing where all is kept."""
    if len(kept) == count:
        return []
    if len(kept) * index_width(count) < count:
        return _numbers("indices", kept, index_width(count))
    return [Field("indices", "".join(str(int(place in kept)) for place in range(count)))]


def _plain(weight: NDArray[np.int64]) -> Drawing:
    size = Bits(values=weight.size * NUMBERS.weight_width)
    rows = [(f"filter {row}", _values(values)) for row, values in enumerate(weight)]
    return Drawing("plain: every weight, zeros too", size, rows)


def _dense(weight: NDArray[np.int64]) -> Drawing:
    matrix = dense.encode(weight, NUMBERS)
    num_rows, num_cols = matrix.shape
    lists = _gather(matrix.row_list(), num_rows) + _gather(matrix.col_list(), num_cols)
    rows = [
        (f"filter {row}", _numbers("values", words, NUMBERS.weight_width))
        for row, words in zip(matrix.row_list(), matrix.codes, strict=True)
    ]
    title = "dense: without columns that are all zero; one gather list (here a bitmap)"
    return Drawing(title, dense.bits(matrix), [("kept columns", lists), *rows])


def _nm(weight: NDArray[np.int64]) -> Drawing:
    array = NMConfig(family="nm", dataflow="os", rows=1, cols=1, n=2, m=4)
    matrix = nm.encode(weight, array, NUMBERS)
    lists = _gather(matrix.kept_rows, matrix.shape[0])
    lists += _gather(matrix.kept_blocks, weight.shape[1] // array.m)
    memories = [("kept blocks", lists)] if lists else []
    for row, words, positions in zip(matrix.kept_rows, matrix.codes, matrix.positions, strict=True):
        fields = []
        for code, position in zip(words.flat, positions.flat, strict=True):
            used = codes.decode(np.array([code]), NUMBERS)[0] != 0
            fields += [
                Field("values" if used else "padding", _word(code, NUMBERS.weight_width)),
                Field("indices" if used else "padding", _word(position, array.position_width)),
            ]
        memories.append((f"filter {row}", fields))
    return Drawing(
        "nm, 2 of every 4 along K: code and position", nm.bits(matrix, array, NUMBERS), memories
    )


def _pattern(weight: NDArray[np.int64]) -> Drawing:
    array = PatternConfig(family="pattern", rows=2, cols=2, acc_depth=8, line_depth=8, patterns=4)
    matrix = pattern.encode(weight, array, CHANNELS)
    id_bits = index_width(len(matrix.library)) if len(matrix.library) > 1 else 0
    lengths = np.diff(matrix.groups.starts)
    memories = [
        ("library of taps", _numbers("indices", matrix.library.flat, index_width(TAPS))),
    ]
    if (lengths < CHANNELS).any():
        memories.append(("list lengths", _numbers("pointers", lengths, index_width(CHANNELS + 1))))
    order = matrix.groups.order
    if len(order) != FILTERS or (np.diff(order) < 0).any():
        memories.append(("filter order", _numbers("indices", order, index_width(FILTERS))))
    filters = matrix.groups.filters()
    for group, start in enumerate(matrix.groups.starts[:-1]):
        entries = range(start, matrix.groups.starts[group + 1])
        channels = matrix.groups.channels[start : matrix.groups.starts[group + 1]]
        memories.append((f"group {group} channels", _gather(channels, CHANNELS)))
        fields = []
        for entry in entries:
            for col in np.flatnonzero(filters[entry] >= 0):
                id_ = matrix.ids[entry, col]
                fields.append(
                    Field("indices" if id_ >= 0 else "padding", _word(max(id_, 0), id_bits))
                )
                fields += [
                    Field("values" if value else "padding", _weight(value))
                    for value in matrix.values[entry, col]
                ]
        memories.append((f"group {group} kernels", fields))
    title = "pattern: per kernel an id and four weights; one channel list for each two filters"
    return Drawing(title, pattern.bits(matrix, NUMBERS.weight_width), memories)


def _csc(weight: NDArray[np.int64]) -> Drawing:
    matrix = csc.encode(weight, 2, 1)
    pointer_width = index_width(int(matrix.entries.max()) + 1)
    memories = []
    for pe in range(matrix.pes):
        memories.append(
            (f"PE {pe} pointers", _numbers("pointers", matrix.pointers[pe], pointer_width))
        )
        memory = matrix.memory(pe)
        memories.append(
            (f"PE {pe} entries", _padded(matrix.values[memory], matrix.rel_idx[memory], 1))
        )
    size = csc.bits(matrix, NUMBERS.weight_width, pointer_width)
    return Drawing("csc on 2 PEs: code and zeros before it, column by column", size, memories)


def _padded(values: NDArray[np.int64], rel_idx: NDArray[np.int64], index_bits: int) -> list[Field]:
    """Entries of value and relative index, a value of 0 being padding."""
    return [
        Field(kind if value else "padding", bits)
        for value, index in zip(values, rel_idx, strict=True)
        for kind, bits in (("values", _weight(value)), ("indices", _word(index, index_bits)))
    ]


def _bitmask(weight: NDArray[np.int64]) -> Drawing:
    chunk = 64
    matrix = bitmask.encode(weight, chunk)
    memories = []
    used = matrix.mask.reshape(len(weight), -1).sum(axis=1)
    for row, mask in enumerate(matrix.mask.reshape(len(weight), -1)):
        bits = "".join(str(int(bit)) for bit in mask)
        cut = weight.shape[1]
        start = int(used[:row].sum())
        memories.append(
            (
                f"filter {row}",
                [
                    Field("indices", bits[:cut]),
                    Field("padding", bits[cut:]),
                    *_values(matrix.values[start : start + int(used[row])]),
                ],
            )
        )
    size = bitmask.bits(matrix, NUMBERS.weight_width)
    return Drawing(f"bitmask: a bit for each of {chunk} positions, then the codes", size, memories)


def _coo(weight: NDArray[np.int64]) -> Drawing:
    matrix = coo.encode(weight)
    rows, cols = (index_width(extent) for extent in matrix.shape)
    entries = _interleave(
        _values(matrix.values),
        _numbers("indices", matrix.rows, rows),
        _numbers("indices", matrix.cols, cols),
    )
    size = coo.bits(matrix, NUMBERS.weight_width)
    return Drawing("coo: code, row and column", size, [("entries", entries)])


def _csr(weight: NDArray[np.int64]) -> Drawing:
    matrix = csr.encode(weight)
    pointers = _numbers("pointers", matrix.pointers, index_width(len(matrix.values) + 1))
    entries = _interleave(
        _values(matrix.values), _numbers("indices", matrix.cols, index_width(matrix.shape[1]))
    )
    return Drawing(
        "csr: code and column, row by row",
        csr.bits(matrix, NUMBERS.weight_width),
        [("row pointers", pointers), ("entries", entries)],
    )


def _relative(weight: NDArray[np.int64]) -> Drawing:
    width = relative.size([weight], NUMBERS)[1]
    matrix = relative.encode(weight, width)
    return Drawing(
        f"relative: code and zeros before it, in {width} bits: the width with the smallest total",
        relative.bits(matrix, NUMBERS.weight_width),
        [("entries", _padded(matrix.values, matrix.rel_idx, width))],
    )


def _run_length(weight: NDArray[np.int64]) -> Drawing:
    width = run_length.size([weight], NUMBERS)[1]
    matrix = run_length.encode(weight, width)
    longest = (1 << width) - 1
    counts, is_break = matrix.counts, np.zeros(len(matrix.counts), dtype=bool)
    place = 0
    while place + 1 < len(counts):
        # a full count and the empty run behind it
        if counts[place] == longest and counts[place + 1] == 0:
            is_break[place : place + 2] = True
            place += 2
        else:
            place += 1
    fields = [
        Field("padding" if extra else "indices", _word(count, width))
        for count, extra in zip(counts, is_break, strict=True)
    ]
    return Drawing(
        f"run_length: zeros, non-zeros, zeros ... in {width} bits; then the codes",
        run_length.bits(matrix, NUMBERS.weight_width),
        [("counts", fields), ("codes", _values(matrix.values))],
    )


#: Format -> what draws it.
FORMATS: dict[str, Callable[[NDArray[np.int64]], Drawing]] = {
    "plain": _plain,
    "dense": _dense,
    "nm": _nm,
    "pattern": _pattern,
    "csc": _csc,
    "bitmask": _bitmask,
    "coo": _coo,
    "csr": _csr,
    "run_length": _run_length,
    "relative": _relative,
}


def _kernels(weight: NDArray[np.int64], out: list[str]) -> int:
    """Draw the layer as kernels and as the matrix that formats see; return the height."""
    cell = 15
    kernels = weight.reshape(FILTERS, TAPS, CHANNELS).swapaxes(1, 2)
    for filter_ in range(FILTERS):
        for channel in range(CHANNELS):
            left, top = 20 + channel * 54, 62 + filter_ * 54
            for tap in range(TAPS):
                _cell(out, left + tap % 3 * cell, top + tap // 3 * cell, cell,
                      int(kernels[filter_, channel, tap]))  # fmt: skip
    out.append('<text x="20" y="52">kernels: filters down, channels across</text>')
    for row in range(FILTERS):
        for k in range(weight.shape[1]):
            left = 260 + k * 18.5 + k // CHANNELS * 3
            _cell(out, left, 90 + row * 18.5, 18.5, int(weight[row, k]))
    out.append(
        '<text x="260" y="52">the same as weight[M, K]: a filter a row, K ordered (tap, channel)'
        "</text>"
    )
    for kind, left in zip(KINDS, range(260, 700, 110), strict=True):
        out.append(
            f'<rect x="{left}" y="210" width="14" height="12" fill="{COLOURS[kind]}"/>'
            f'<text x="{left + 20}" y="220">{kind}</text>'
        )
    return 290


def _cell(out: list[str], left: float, top: float, size: float, value: int) -> None:
    fill = COLOURS["values"] if value else "#f4f4f4"
    out.append(f'<rect class="c" x="{left:g}" y="{top:g}" width="{size:g}" height="{size:g}" '
               f'fill="{fill}"/>')  # fmt: skip
    if value:
        out.append(f'<text class="n" x="{left + size / 2:g}" y="{top + size / 2 + 3.5:g}">'
                   f"{value}</text>")  # fmt: skip


def _memory(out: list[str], label: str, fields: Sequence[Field], top: int) -> int:
    """Draw one memory's words, broken into lines between words; return the height below it."""
    out.append(f'<text class="m" x="{LEFT - 8}" y="{top + 11}">{escape(label)}</text>')
    line: list[Field] = []

    def flush() -> None:
        place = 0
        for field in line:
            out.append(f'<rect class="c" x="{LEFT + place * PITCH:g}" y="{top}" '
                       f'width="{len(field.bits) * PITCH:g}" height="{LINE - 2}" '
                       f'fill="{COLOURS[field.kind]}"/>')  # fmt: skip
            place += len(field.bits)
        bits = "".join(field.bits for field in line)
        out.append(f'<text class="b" x="{LEFT + 1}" y="{top + 10}" '
                   f'textLength="{place * PITCH - 2:g}">{bits}</text>')  # fmt: skip

    for field in fields:
        if sum(len(f.bits) for f in line) + len(field.bits) > WIDE:
            flush()
            line.clear()
            top += LINE
        line.append(field)
    flush()
    return top + LINE


def write(path: Path) -> Path:
    """Write the picture; the same weights give the same bytes."""
    weight = weights()
    out: list[str] = []
    top = _kernels(weight, out)
    for draw in FORMATS.values():
        drawing = draw(weight)
        kinds = drawing.size.to_dict()
        parts = ", ".join(f"{kinds[kind]} {kind}" for kind in KINDS if kinds[kind])
        out.append(
            f'<text class="h" x="20" y="{top + 12}">{escape(drawing.title)}</text>'
            f'<text class="r" x="{LEFT + WIDE * PITCH:g}" y="{top + 12}">'
            f"{drawing.size.total} bits: {parts}</text>"
        )
        top += 18
        for label, fields in drawing.memories:
            top = _memory(out, label, fields, top)
        top += 14
    width = LEFT + WIDE * PITCH + 20
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {top}" '
        'font-family="system-ui, sans-serif" font-size="12">\n<style>'
        ".c{stroke:#fff;stroke-width:.8}.n{font-size:9px;text-anchor:middle}.h{font-weight:600}"
        ".m{text-anchor:end;font-size:10.5px;fill:#555}.r{text-anchor:end;fill:#333}"
        ".b{font:9px ui-monospace,monospace}.t{font-size:16px;font-weight:600}</style>\n"
        f'<rect width="{width:g}" height="{top}" fill="#fff"/>\n'
        f'<text class="t" x="20" y="26">{np.count_nonzero(weight)} of {weight.size} weights of '
        f"{NUMBERS.weight_width} bits, in every format</text>\n"
    )
    return write_text_atomic(path, head + "\n".join(out) + "\n</svg>\n")


if __name__ == "__main__":
    print(write(Path(__file__).with_suffix(".svg")))
