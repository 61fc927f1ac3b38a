"""Tiles of one layer of one image: jobs of the array and of the vector unit."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from hwsim.accelerator.program import CONSTANTS
from hwsim.accelerator.tile import ArrayJob, Load, Nest, Tile, VectorJob
from hwsim.compiler.contents import Contents
from hwsim.compiler.layout import Map, Unrolled
from hwsim.compiler.weights import Chunk, Scale, Weights
from hwsim.config import LayerShape, TensorShape
from hwsim.config.shape import MachineShape

__all__ = ["convolution", "fill", "k_loops", "together", "vector", "whole"]


def convolution(
    shape: LayerShape,
    chunks: Sequence[Chunk] | Iterator[Chunk],
    source: Map | Unrolled,
    target: Map,
    words: MachineShape,
    pixels: int,
    contents: Contents | None = None,
    *,
    diagonal: bool = False,
    is_whole: bool = False,
) -> Iterator[Tile]:
    """Tiles of a convolution: groups of filters, and of each at most ``pixels`` at once.

    Parameters
    ----------
    contents
        What the bank that it reads holds, where the array's cycles depend on it.
    diagonal
        A depthwise layer: each fold of filters reads its own block of channels.
    is_whole
        The last layer, whose sums leave whole: one pixel per tile, so that none must wait.
    """
    if is_whole:
        pixels = 1
    layer, ofmap = shape.layer, shape.ofmap
    feed, post = words.feed_beats, words.post_beats
    window = source.window(shape) if isinstance(source, Map) else source.window()
    origin, column, row = (each * feed for each in window[:3])
    width, height = _rectangle(ofmap, pixels)
    pixel = target.blocks * post
    for chunk in chunks:
        # a block of channels serves as many folds of filters as lie in a word
        folds, begin = [(chunk.m_folds, 0)], origin
        if diagonal:
            folds = [(min(post, chunk.m_folds), 0), (-(-chunk.m_folds // post), feed)]
            begin += chunk.first // post * feed
        for y in range(0, ofmap.height, height):
            for x in range(0, ofmap.width, width):
                size = (min(width, ofmap.width - x), min(height, ofmap.height - y))
                pixels_loops = ((size[0], column), (size[1], row))
                feeding = chunk.feed(begin + y * row + x * column, pixels_loops, folds)
                pixels_loops = ((size[0], pixel), (size[1], target.row * post))
                posting = chunk.post(target.pixel(y, x) * post + chunk.first, pixels_loops, 1)
                if is_whole:
                    posting = _whole(chunk, target, y * ofmap.width + x, words)
                count, relu = size[0] * size[1], layer.relu and not is_whole
                job = _job(
                    chunk, contents, source.bank, target.bank, feeding, posting, count, relu,
                    is_whole,
                )  # fmt: skip
                yield Tile(chunk.take(), job, layer=layer.name)


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
    chunks: Iterator[Chunk],
    sources: Sequence[Map],
    targets: Sequence[Map],
    words: MachineShape,
    pixels: int,
    contents: Contents | None = None,
) -> Iterator[Tile]:
    """Tiles of a fully connected layer of several images, whose maps follow each other.

    At most ``pixels`` images at once.
    """
    feed, post = words.feed_beats, words.post_beats
    size, out = sources[0].words * feed, targets[0]
    for chunk in chunks:
        for first in range(0, len(sources), pixels):
            images = min(pixels, len(sources) - first)
            begin = sources[first].start * feed
            feeding = chunk.feed(begin, ((images, size),), ((chunk.m_folds, 0),))
            loops = ((images, out.words * post), (1, 0))
            posting = chunk.post(targets[first].start * post + chunk.first, loops, 1)
            relu = shape.layer.relu
            job = _job(chunk, contents, sources[0].bank, out.bank, feeding, posting, images, relu)
            yield Tile(chunk.take(), job, layer=shape.layer.name)


def whole(
    shape: LayerShape,
    chunks: Iterator[Chunk],
    sources: Sequence[Map],
    targets: Sequence[Map],
    words: MachineShape,
    contents: Contents | None = None,
) -> Iterator[Tile]:
    """Tiles of a last layer that is fully connected: one image each, so that no sum must wait."""
    feed = words.feed_beats
    for chunk in chunks:
        for index, source in enumerate(sources):
            feeding = chunk.feed(source.start * feed, (), ((chunk.m_folds, 0),))
            target = targets[index]
            posting = _whole(chunk, target, 0, words)
            job = _job(
                chunk, contents, source.bank, target.bank, feeding, posting, 1, False, raw=True
            )
            yield Tile(chunk.take(), job, layer=shape.layer.name)


def vector(
    shape: LayerShape,
    sources: Sequence[Map],
    target: Map,
    weights: Weights,
    multipliers: Sequence[int],
    shift: int,
) -> Iterator[Tile]:
    """Tiles of a layer without weights: pools, sums of two maps, copies of maps side by side."""
    layer, post = shape.layer, weights.shape.post_beats
    source, ofmap = sources[0], shape.ofmap
    lanes = weights.shape.ofmap_lanes
    zero = np.zeros(lanes, np.int64)
    if layer.type == "concat":
        block = 0
        for each, multiplier in zip(sources, multipliers, strict=True):
            half, scale = weights.scale(Scale.of(zero, multiplier, shift))
            feeding = Nest(
                each.origin,
                (each.blocks, ofmap.width, ofmap.height), (1, each.blocks, each.row),
            )  # fmt: skip
            posting = Nest(
                (target.origin + block) * post,
                (each.blocks * post, ofmap.width, ofmap.height),
                (1, target.blocks * post, target.row * post),
            )
            windows = each.blocks * ofmap.width * ofmap.height
            job = VectorJob(
                each.bank, target.bank, half, feeding, posting, relu=layer.relu, op="sum",
                window=1, windows=windows,
            )  # fmt: skip
            yield Tile((scale,), job, layer=layer.name)
            block += each.blocks
        return
    blocks = source.blocks
    line = (blocks * ofmap.width, 1)
    if layer.type == "add":
        factors = (multipliers[0], multipliers[1])
        window: tuple[tuple[int, int], ...] = ((2, sources[1].origin - source.origin),)
        moves: tuple[tuple[int, int], ...] = (line, (ofmap.height, source.row))
        begin, multiplier = source.origin, 1
    else:
        factors = (1, 1)
        multiplier = multipliers[0] if multipliers else 1
        rows, cols = shape.R, shape.S
        if layer.type == "globalavgpool":
            rows, cols = shape.ifmap.height, shape.ifmap.width
        window = ((cols, layer.dilation * blocks), (rows, layer.dilation * source.row))
        moves = (
            (blocks, 1), (ofmap.width, layer.stride * blocks),
            (ofmap.height, layer.stride * source.row),
        )  # fmt: skip
        begin = source.pixel(-layer.padding, -layer.padding)
    half, scale = weights.scale(Scale.of(zero, multiplier, shift))
    loops = (*window, *moves)
    feeding = Nest(begin, tuple(b for b, _ in loops), tuple(s for _, s in loops))
    posting = Nest(
        target.origin * post,
        (blocks * ofmap.width * post, ofmap.height), (1, target.row * post),
    )  # fmt: skip
    size = int(np.prod([bound for bound, _ in window]))
    job = VectorJob(
        source.bank, target.bank, half, feeding, posting, relu=layer.relu,
        op="max" if layer.type == "maxpool" else "sum", window=size,
        windows=blocks * ofmap.width * ofmap.height, multipliers=factors,
    )  # fmt: skip
    yield Tile((scale,), job, layer=layer.name)


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


def _whole(chunk: Chunk, target: Map, pixel: int, words: MachineShape) -> Nest:
    """Where the whole sums of a pixel are written; those of all pixels follow each other."""
    raw = words.raw_beats
    per_pixel = -(-target.shape.channels // words.ofmap_lanes) * raw
    first = target.start * words.post_beats + pixel * per_pixel + chunk.first * raw
    return chunk.post(first, ((1, 0), (1, 0)), raw)


def _rectangle(ofmap: TensorShape, pixels: int) -> tuple[int, int]:
    """Width and height of at most ``pixels``: the fewest cover the map; of equals the widest."""
    widths = range(min(ofmap.width, pixels), 0, -1)
    sizes = [(width, min(ofmap.height, pixels // width)) for width in widths]
    return min(sizes, key=lambda size: -(-ofmap.width // size[0]) * -(-ofmap.height // size[1]))


def _job(
    chunk: Chunk,
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
        read_bank, write_bank, chunk.half, feed, post, relu=relu, weight_half=chunk.half,
        k_folds=chunk.k_folds, m_folds=chunk.m_folds, pixels=pixels, raw=raw,
        cycles=counts.cycles, act_beats=counts.events["act_beats"],
        weight_words=chunk.weight_words,
    )  # fmt: skip
