"""Tiles of one layer of one image, or of a part of it: jobs of the array and the vector unit."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import numpy as np

from hwsim.accelerator.program import CONSTANTS
from hwsim.accelerator.tile import ArrayJob, Load, Nest, Tile, VectorJob
from hwsim.compiler.contents import Contents
from hwsim.compiler.grid import Cut
from hwsim.compiler.layout import Map, Sums, Unrolled
from hwsim.compiler.weights import Chunk, Scale, Weights
from hwsim.config import LayerShape
from hwsim.config.shape import MachineShape

__all__ = [
    "convolution",
    "fill",
    "k_loops",
    "of_filters",
    "rectangles",
    "together",
    "turns",
    "vector",
    "whole",
]

T = TypeVar("T")


def convolution(
    shape: LayerShape,
    chunks: Sequence[Chunk],
    weights: Weights,
    source: Map | Unrolled,
    target: Map,
    part: Cut,
    pixels: int,
    contents: Contents | None = None,
    *,
    diagonal: bool = False,
) -> Iterator[Tile]:
    """Tiles of a convolution: groups of filters, and of each at most ``pixels`` at once.

    A last layer's sums leave whole: one pixel per tile, so that none must wait.

    Parameters
    ----------
    chunks
        Groups of filters.
    source, target
        Where it reads and writes: maps, or parts of them, in banks.
    part
        Part of the output that is computed.
    contents
        What the bank that it reads holds, where the array's cycles depend on it.
    diagonal
        A depthwise layer: each fold of filters reads its own block of channels.
    """
    words, is_whole = weights.shape, isinstance(target, Sums)
    layer = shape.layer
    feed, post = words.feed_beats, words.post_beats
    window = source.window(shape) if isinstance(source, Map) else source.window()
    origin, column, row = (each * feed for each in window[:3])
    raw = words.raw_beats if is_whole else 1
    for chunk, at in turns(
        chunks, lambda most: list(rectangles(part, 1 if is_whole else min(pixels, most)))
    ):
        y, x, size = at.rows.start, at.columns.start, (len(at.columns), len(at.rows))
        # a block of channels serves as many folds of filters as lie in a word
        folds, begin = [(chunk.m_folds, 0)], origin
        if diagonal:
            folds = [(min(post, chunk.m_folds), 0), (-(-chunk.m_folds // post), feed)]
            begin += chunk.first // post * feed
        half, loads = weights.bring(chunk)
        pixel_loops = ((size[0], column), (size[1], row))
        feeding = chunk.feed(begin + y * row + x * column, pixel_loops, folds)
        first = target.pixel(y, x) - target.part.blocks.start
        pixel_loops = ((size[0], target.blocks * post), (size[1], target.row * post))
        posting = chunk.post(first * post + chunk.first * raw, pixel_loops, raw)
        job = _job(
            chunk, half, contents, source.bank, target.bank, feeding, posting,
            size[0] * size[1], layer.relu and not is_whole, is_whole,
        )  # fmt: skip
        yield Tile(loads, job, layer=layer.name)


def turns(
    chunks: Iterable[Chunk], items: Callable[[int], Iterable[T]]
) -> Iterator[tuple[Chunk, T]]:
    """All items for one chunk after the other; for the parts of K of one, all for each item.

    ``items`` cuts the pixels so that no item has more than so many.
    """
    for parts in of_filters(chunks):
        yield from ((part, item) for item in items(parts[0].pixels) for part in parts)


def of_filters(chunks: Iterable[Chunk]) -> Iterator[list[Chunk]]:
    """Parts of K of the same filters together."""
    parts: list[Chunk] = []
    for chunk in chunks:
        parts.append(chunk)
        if not chunk.keep:
            yield parts
            parts = []


def k_loops(
    shape: LayerShape, source: Map | Unrolled, words: MachineShape, *, diagonal: bool = False
) -> tuple[tuple[int, int], ...]:
    """Loops over the beats of K that a pixel of a layer reads, the innermost first."""
    feed = words.feed_beats
    if shape.layer.type == "fc":
        return ((source.words * feed, 1),)
    window = source.window(shape) if isinstance(source, Map) else source.window()
    (together, _), *taps = window.loops
    inner = (feed if diagonal else together * feed, 1)
    return (inner, *((bound, stride * feed) for bound, stride in taps))


def together(
    shape: LayerShape,
    chunks: Sequence[Chunk],
    weights: Weights,
    sources: Sequence[Map],
    targets: Sequence[Map],
    pixels: int,
    contents: Contents | None = None,
) -> Iterator[Tile]:
    """Tiles of a fully connected layer of several images, whose maps follow each other.

    At most ``pixels`` images at once.
    """
    feed, post = weights.shape.feed_beats, weights.shape.post_beats
    size, out = sources[0].words * feed, targets[0]
    for chunk, first in turns(chunks, lambda most: range(0, len(sources), min(pixels, most))):
        images = min(pixels, chunk.pixels, len(sources) - first)
        begin = sources[first].start * feed
        feeding = chunk.feed(begin, ((images, size),), ((chunk.m_folds, 0),))
        loops = ((images, out.words * post), (1, 0))
        posting = chunk.post(targets[first].start * post + chunk.first, loops, 1)
        half, loads = weights.bring(chunk)
        job = _job(
            chunk, half, contents, sources[0].bank, out.bank, feeding, posting, images,
            shape.layer.relu,
        )  # fmt: skip
        yield Tile(loads, job, layer=shape.layer.name)


def whole(
    shape: LayerShape,
    chunks: Sequence[Chunk],
    weights: Weights,
    sources: Sequence[Map],
    targets: Sequence[Map],
    contents: Contents | None = None,
) -> Iterator[Tile]:
    """Tiles of a last layer that is fully connected: one image each, so that no sum must wait."""
    feed, post, raw = (getattr(weights.shape, f"{n}_beats") for n in ("feed", "post", "raw"))
    for chunk, index in turns(chunks, lambda _: range(len(sources))):
        source, target = sources[index], targets[index]
        feeding = chunk.feed(source.start * feed, (), ((chunk.m_folds, 0),))
        first = target.start * post + chunk.first * raw
        posting = chunk.post(first, ((1, 0), (1, 0)), raw)
        half, loads = weights.bring(chunk)
        job = _job(
            chunk, half, contents, source.bank, target.bank, feeding, posting, 1, False, raw=True
        )
        yield Tile(loads, job, layer=shape.layer.name)


def vector(
    shape: LayerShape,
    sources: Sequence[Map],
    target: Map,
    part: Cut,
    weights: Weights,
    multipliers: Sequence[int],
    shift: int,
) -> Iterator[Tile]:
    """Tiles of a layer without weights: pools, sums of two maps, copies of maps side by side.

    Parameters
    ----------
    sources, target, part
        As those of :func:`convolution`; a copy's tile reads one of the sources.
    """
    layer = shape.layer
    y, x = part.rows.start, part.columns.start
    pixels = len(part.columns), len(part.rows)
    if layer.type == "concat":
        first = 0
        for each, multiplier in zip(sources, multipliers, strict=True):
            half, scale = weights.scale(_even(weights, multiplier, shift))
            size = (each.blocks, *pixels)
            feeding = Nest(each.pixel(y, x), size, (1, each.blocks, each.row))
            posting = _beats(target, part, range(first, first + each.blocks), weights)
            job = VectorJob(
                each.bank, target.bank, half, feeding, posting, relu=layer.relu, op="sum",
                window=1, windows=int(np.prod(size)),
            )  # fmt: skip
            yield Tile((scale,), job, layer=layer.name)
            first += each.blocks
        return
    source, factors, (down, right) = sources[0], (1, 1), layer.strides
    multiplier = multipliers[0] if multipliers else 1
    window: tuple[tuple[int, int], ...]
    if layer.type == "add":
        factors, multiplier = (multipliers[0], multipliers[1]), 1
        window = ((2, sources[1].origin - source.origin),)
    else:
        rows, cols = shape.R, shape.S
        if layer.type == "globalavgpool":
            rows, cols = shape.ifmap.height, shape.ifmap.width
        row, col = layer.dilations
        window = ((cols, col * source.blocks), (rows, row * source.row))
    half, scale = weights.scale(_even(weights, multiplier, shift))
    size = (len(part.blocks), *pixels)
    moves = zip(size, (1, right * source.blocks, down * source.row), strict=True)
    top, left, _, _ = layer.pads
    begin = source.pixel(y * down - top, x * right - left)
    begin += part.blocks.start - source.part.blocks.start
    job = VectorJob(
        source.bank, target.bank, half, Nest.loops(begin, *window, *moves),
        _beats(target, part, part.blocks, weights), relu=layer.relu,
        op="max" if layer.type == "maxpool" else "sum",
        window=int(np.prod([bound for bound, _ in window])),
        windows=int(np.prod(size)), multipliers=factors,
    )  # fmt: skip
    yield Tile((scale,), job, layer=layer.name)


def _even(weights: Weights, multiplier: int, shift: int) -> Scale:
    """One scale for all channels of a beat."""
    return Scale.of(np.zeros(weights.shape.ofmap_lanes, np.int64), multiplier, shift)


def _beats(target: Map, part: Cut, blocks: range, weights: Weights) -> Nest:
    """Where blocks of the pixels of a part are written."""
    post = weights.shape.post_beats
    first = target.pixel(part.rows.start, part.columns.start) - target.part.blocks.start
    return Nest.of(
        (first + blocks.start) * post,
        (len(blocks) * post, 1),
        (len(part.columns), target.blocks * post), (len(part.rows), target.row * post),
    )  # fmt: skip


def fill(target: Map, value: int, weights: Weights) -> Iterator[Tile]:
    """A tile that loads what padding stands for into the border of a map."""
    loads = []
    constants, words = weights.constants, weights.shape
    for start, row, rows, step in target.edges():
        border = np.full((row, words.act_bits // 8), value & 0xFF, np.uint8)
        address, beats = constants.add(border)
        loads.append(
            Load("act", target.bank, CONSTANTS, address, row, beats, rows, to=start, to_step=step)
        )
    if loads:
        yield Tile(tuple(loads))


def rectangles(part: Cut, pixels: int) -> Iterator[Cut]:
    """Cut a part into rectangles of at most so many pixels, row after row.

    Of the shape that covers it with the fewest; of equals the widest.
    """
    rows, columns = part.rows, part.columns
    widths = range(min(len(columns), pixels), 0, -1)
    sizes = [(width, min(len(rows), pixels // width)) for width in widths]
    width, height = min(
        sizes, key=lambda size: -(-len(columns) // size[0]) * -(-len(rows) // size[1])
    )
    for y in range(0, len(rows), height):
        for x in range(0, len(columns), width):
            yield Cut(rows[y : y + height], columns[x : x + width], part.blocks)


def _job(
    chunk: Chunk,
    half: int,
    contents: Contents | None,
    read_bank: int,
    write_bank: int,
    feed: Nest,
    post: Nest,
    pixels: int,
    relu: bool,
    raw: bool = False,
) -> ArrayJob:
    counts = chunk.counts(pixels, None if contents is None else contents.fed(feed))
    return ArrayJob(
        read_bank, write_bank, half, feed, post, relu=relu, weight_half=half,
        k_folds=chunk.k_folds, m_folds=chunk.m_folds, pixels=pixels, raw=raw,
        options=chunk.options,
        carry=chunk.carry, keep=chunk.keep, cycles=counts.cycles,
        act_beats=counts.events["act_beats"],
        weight_words=chunk.weight_words,
    )  # fmt: skip
