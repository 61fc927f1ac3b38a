"""Compiler step of the pattern family: a layer to the words of the array's streams.

Filters are in the order of :mod:`hwsim.formats.pattern_groups`, which the indices of the partial
sums undo. A command is one tile of one run of neighbouring groups whose channel lists are equally
long; the commands that write the library come first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import groupby, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hwsim.arrays.base import Job, Words
from hwsim.arrays.pattern.tiles import Tile, tiles
from hwsim.config import ArchConfig, PatternConfig
from hwsim.errors import InputError
from hwsim.formats import codes
from hwsim.formats.operands import act_codes, weight_codes
from hwsim.formats.pattern import TAPS, PatternMatrix, encode
from hwsim.formats.pattern_groups import Groups
from hwsim.workload.gemm import GEMM

__all__ = ["Section", "compile_job", "sections"]

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class Section:
    """Neighbouring groups with channel lists of one length: what one command walks of a tile."""

    first: int
    groups: int
    length: int

    def k_folds(self, rows: int) -> int:
        """Channel folds of one group."""
        return -(-self.length // rows)

    def commands(self, array: PatternConfig) -> list[int]:
        """Channel folds of each command of a tile: two where the array carries a group's sums."""
        k_folds = self.k_folds(array.rows)
        if array.carries and self.groups == 1 and k_folds > 1:
            return [k_folds // 2, k_folds - k_folds // 2]
        return [k_folds]


def sections(groups: Groups) -> list[Section]:
    """Runs of neighbouring groups whose channel lists are equally long."""
    lengths = np.diff(groups.starts).tolist()
    runs = []
    for length, run in groupby(range(len(lengths)), key=lengths.__getitem__):
        indices = list(run)
        runs.append(Section(indices[0], len(indices), length))
    return runs


def compile_job(arch: ArchConfig, gemm: GEMM) -> Job:
    """Compile a GEMM with both operands into stream contents.

    Raises
    ------
    InputError
        No operands, a value without a code, a kernel that fits no pattern, activations that are not
        the im2col of an ifmap, or more work than a command can say.
    """
    if gemm.weight is None or not gemm.has_act:
        raise InputError(gemm.name, "", None, "must have weights and activations to be compiled")
    array = arch.array_as(PatternConfig)
    has_zero = arch.numbers.has_zero
    codes.check(gemm.name, gemm.weight, arch.numbers)
    acts = gemm.matrix if gemm.ifmap is None else gemm.ifmap
    assert acts is not None
    act_codes(gemm.name, acts, arch.numbers)
    matrix = encode(gemm.weight, array, gemm.channels, has_zero=has_zero, source=gemm.name)
    cuts = tiles(array, gemm)
    if len(matrix.groups.order) == 0:
        cuts = []
    ifmap = _ifmap(gemm)
    beats = [_acts(array, matrix, tile, ifmap) for tile in cuts]
    indices = [_indices(gemm, matrix, tile) for tile in cuts]
    inputs = {
        "command": _commands(gemm, array, matrix, cuts),
        "weight": _weights(arch, matrix, len(cuts), gemm.name),
        "act": {"act": np.concatenate([np.zeros((0, array.rows, TAPS), np.int64), *beats])},
    }
    none: Ints = np.zeros((0, array.cols), dtype=np.int64)
    return Job(inputs, np.concatenate([none, *indices]), (gemm.M, gemm.N))


def _commands(gemm: GEMM, array: PatternConfig, matrix: PatternMatrix, cuts: list[Tile]) -> Words:
    """Payloads of the command stream: the library, then tiles, then sections."""
    commands = [
        _command(entry=entry, taps=taps)
        for entry, taps in enumerate(matrix.library.tolist() if cuts else [])
    ]
    for tile in cuts:
        for section in sections(matrix.groups):
            runs = section.commands(array)
            for index, k_folds in enumerate(runs):
                folds, is_last = k_folds * section.groups, index == len(runs) - 1
                before = (section.k_folds(array.rows) - 1) * array.rows
                command = _command(
                    run=1,
                    k_folds=k_folds,
                    m_folds=section.groups,
                    k_edge=section.length - before if is_last else array.rows,
                    pixels=tile.pixels,
                    reads=folds * tile.reads,
                    windows=folds * tile.pixels,
                    height=tile.patch_height,
                    width=tile.patch_width,
                    stride=tile.stride - 1,
                    edges=[int(e) for e in (tile.top, tile.bottom, tile.left, tile.right)],
                    direct=int(tile.direct),
                    carry=int(index > 0),
                    keep=int(not is_last),
                )
                _check_limits(gemm, array, command)
                commands.append(command)
    return {
        field: np.array([c[field] for c in commands], np.int64).reshape(
            (-1, len(value)) if isinstance(value, list) else -1
        )
        for field, value in _command().items()
        if array.carries or field not in ("carry", "keep")
    }


def _check_limits(gemm: GEMM, array: PatternConfig, command: Mapping[str, Any]) -> None:
    """Refuse counts that a command cannot say."""
    limits = {"k_folds": array.COUNT_WIDTH, "m_folds": array.COUNT_WIDTH}
    limits |= {"reads": array.WINDOW_WIDTH, "windows": array.WINDOW_WIDTH}
    limits |= {"height": array.COUNT_WIDTH}
    for field, width in limits.items():
        if command[field] >= 1 << width:
            rule = f"must be below {1 << width}"
            raise InputError(gemm.name, field, command[field], rule)


def _command(**fields: Any) -> dict[str, Any]:
    """One command; a field that is not named is 0."""
    return {
        "run": 0, "entry": 0, "taps": [0] * TAPS, "k_folds": 0, "m_folds": 0, "k_edge": 0,
        "pixels": 0, "reads": 0, "windows": 0, "height": 0, "width": 0, "stride": 0,
        "edges": [0] * 4, "direct": 0, "carry": 0, "keep": 0,
    } | fields  # fmt: skip


def _weights(arch: ArchConfig, matrix: PatternMatrix, num_tiles: int, name: str) -> Words:
    """Payloads of the weight stream: for each tile all groups, fold by fold, bottom row first."""
    rows, starts = arch.array_as(PatternConfig).rows, matrix.groups.starts.tolist()
    entries = [
        entry
        for start, stop in pairwise(starts)
        for fold in range(start, stop, rows)
        for entry in reversed(range(fold, min(fold + rows, stop)))
    ]
    absent = matrix.ids < 0
    values, ids = matrix.values, np.maximum(matrix.ids, 0)
    if not arch.numbers.has_zero:  # of no pattern, or meets activations of 0: any code will do
        values = np.where(values == 0, codes.levels(arch.numbers)[0], values)
        ids = np.where(absent, arch.array_as(PatternConfig).patterns, ids)
    words = {"weight": weight_codes(name, values, arch.numbers), "pattern": ids}
    return {
        field: np.concatenate([word[:0], *[word[entries]] * num_tiles])
        for field, word in words.items()
    }


def _acts(array: PatternConfig, matrix: PatternMatrix, tile: Tile, ifmap: Ints) -> Ints:
    """Beats ``(beats, rows, 4)`` of one tile: group, channel fold, image, row, column.

    A layer that is not 3x3 has four K of a pixel in the four lanes of a row, a 3x3 layer has a
    pixel in the first.
    """
    patch = ifmap[
        tile.image : tile.image + tile.images,
        :,
        tile.y : tile.y + tile.patch_height,
        tile.x : tile.x + tile.patch_width,
    ]
    beats = []
    starts = matrix.groups.starts.tolist()
    for start, stop in pairwise(starts):
        for fold in range(start, stop, array.rows):
            channels = matrix.groups.channels[fold : min(fold + array.rows, stop)]
            beat = np.zeros((tile.reads, array.rows, TAPS), dtype=np.int64)
            lanes = patch[:, channels].transpose(0, 2, 3, 1, 4)
            beat[:, : len(channels), : lanes.shape[4]] = lanes.reshape(tile.reads, *lanes.shape[3:])
            beats.append(beat)
    return np.concatenate(beats)


def _indices(gemm: GEMM, matrix: PatternMatrix, tile: Tile) -> Ints:
    """Flat index into the ofmap of each lane of one tile's transfers; -1 for none."""
    image, row, col = np.ix_(*(np.arange(n) for n in (tile.images, tile.height, tile.width)))
    image = image + tile.image
    if tile.direct or gemm.conv is None:
        pixel = image + 0 * row + 0 * col
    else:
        pixel = (image * gemm.conv.P + tile.p + row) * gemm.conv.Q + tile.q + col
    table = matrix.groups.table()[:, None]
    index = np.where(table < 0, -1, table * gemm.N + pixel.reshape(-1, 1))
    return index.reshape(-1, table.shape[2])


def _ifmap(gemm: GEMM) -> Ints:
    """Activations ``(images, channels, H, W, lanes)`` that the array reads.

    Where a 3x3 layer is given as a matrix (im2col), its ifmap is put together from it; pixels that
    no window takes are 0. Of any other layer a pixel of N is an image, a channel four K of a lane.

    Raises
    ------
    InputError
        The activations are not an im2col.
    """
    conv = gemm.conv
    if gemm.ifmap is not None and gemm.channels:
        return gemm.ifmap.astype(np.int64)[..., None]
    assert gemm.act is not None
    act = gemm.act.astype(np.int64)
    if conv is None or not gemm.channels:
        padded = np.pad(act, [(0, -gemm.K % TAPS), (0, 0)])
        return padded.reshape(-1, TAPS, gemm.N).transpose(2, 0, 1)[:, :, None, None, :]
    taps = act.reshape(conv.R, conv.S, conv.C, conv.images, conv.P, conv.Q)
    stride, padding = conv.strides[0], conv.pads[0]
    height = max(conv.H + 2 * padding, (conv.P - 1) * stride + conv.R)
    width = max(conv.W + 2 * padding, (conv.Q - 1) * stride + conv.S)
    padded = np.zeros((conv.C, conv.images, height, width), dtype=np.int64)
    views = {
        (r, s): padded[:, :, r : r + conv.P * stride : stride, s : s + conv.Q * stride : stride][
            :, :, : conv.P, : conv.Q
        ]
        for r in range(conv.R)
        for s in range(conv.S)
    }
    for (r, s), view in views.items():
        view[:] = taps[r, s]
    rows, columns = slice(padding, padding + conv.H), slice(padding, padding + conv.W)
    inside = padded[:, :, rows, columns].copy()
    padded[:] = 0
    padded[:, :, rows, columns] = inside
    if any((view != taps[position]).any() for position, view in views.items()):
        rule = f"must be the im2col of {conv.images} ifmaps of {conv.C} x {conv.H} x {conv.W}"
        raise InputError(gemm.name, "act", None, rule)
    return inside.swapaxes(0, 1)[..., None]
