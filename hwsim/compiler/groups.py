"""Tiles of arrays that take pixels in groups: jobs of many groups, between which weights stay."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import product

from hwsim.accelerator.tile import ArrayJob, Nest, Tile
from hwsim.arrays.base import Fed, array_model
from hwsim.arrays.counts import Counts
from hwsim.compiler.contents import Contents
from hwsim.compiler.grid import Cut
from hwsim.compiler.jobs import of_filters
from hwsim.compiler.layout import Map, Sums, Unrolled
from hwsim.compiler.weights import Chunk, Filters, Ints, Part, Weights, cuts
from hwsim.config import LayerShape
from hwsim.config.shape import MachineShape
from hwsim.contract.descriptors import POST_LEVELS

__all__ = ["GroupedWeights", "Walk", "convolution", "fully_connected", "tiles"]


class GroupedWeights(Weights):
    """Weights and scales of a program: filters in groups that the array's memories hold."""

    #: What the array holds.
    _in_array: Chunk | None = None

    def copies(self, chunk: Chunk) -> bool:
        """Whether a job must copy a chunk from its half into the array."""
        if self.arch.array.holds_halves:
            return False
        held, self._in_array = self._in_array, chunk
        return held is not chunk

    def chunks(self, filters: Filters) -> Iterator[Chunk]:
        """Filters of a layer, in groups; errors as of :meth:`Weights.chunks`."""
        cols, first, matrix = self.shape.ofmap_lanes, 0, self._words_whole(filters)
        parts, folds = self._cut(filters, matrix)
        for m_folds in folds:
            some = matrix[first * cols : (first + m_folds) * cols]
            yield from self._of_parts(filters, first, some, parts)
            first += m_folds

    def _cut(self, filters: Filters, matrix: Ints) -> tuple[Sequence[Part], Iterable[int]]:
        """K in as few parts as fit, and the folds of filters that are held together."""
        arch, model, lanes = self.arch, array_model(self.arch), self.shape.act_lanes
        if arch.array.machine_carries:
            for parts in cuts(filters.loops, lanes):
                folds = model.cut_folds(arch, matrix, [part.k for part in parts], filters.name)
                if folds:
                    return parts, folds
        return next(cuts(filters.loops, lanes)), model.group_folds(arch, matrix, filters.name)

    def _counts(self, weight: Ints) -> Callable[..., Counts]:
        return partial(array_model(self.arch).count_groups, self.arch, weight)


@dataclass(frozen=True)
class Walk:
    """Pixels of a layer, or of a part of one: in which beats each is read and written.

    Attributes
    ----------
    feed, post
        First beat of pixel 0, 0; from there to the next in its row, and in its column.
    fold
        From a fold of filters to the next.
    """

    layer: str
    relu: bool
    raw: bool
    banks: tuple[int, int]
    rows: range
    columns: range
    feed: tuple[int, int, int]
    post: tuple[int, int, int]
    fold: int


def convolution(
    shape: LayerShape, source: Map | Unrolled, target: Map, part: Cut, words: MachineShape
) -> Walk:
    """Walk of a part of a convolution; of a last layer the sums leave whole."""
    feed, post, is_whole = words.feed_beats, words.post_beats, isinstance(target, Sums)
    window = source.window(shape) if isinstance(source, Map) else source.window()
    first = target.pixel(0, 0) - target.part.blocks.start
    return Walk(
        shape.layer.name, shape.layer.relu and not is_whole, is_whole,
        (source.bank, target.bank), part.rows, part.columns,
        (window.origin * feed, window.column * feed, window.row * feed),
        (first * post, target.blocks * post, target.row * post),
        words.raw_beats if is_whole else 1,
    )  # fmt: skip


def fully_connected(
    shape: LayerShape, sources: Sequence[Map], targets: Sequence[Map], words: MachineShape
) -> Walk:
    """Walk of a fully connected layer: its pixels are images, whose maps follow each other."""
    feed, post, is_whole = words.feed_beats, words.post_beats, isinstance(targets[0], Sums)
    return Walk(
        shape.layer.name, shape.layer.relu and not is_whole, is_whole,
        (sources[0].bank, targets[0].bank), range(1), range(len(sources)),
        (sources[0].start * feed, sources[0].words * feed, 0),
        (targets[0].start * post, targets[0].words * post, 0),
        words.raw_beats if is_whole else 1,
    )  # fmt: skip


def tiles(
    walk: Walk, chunks: Iterable[Chunk], weights: GroupedWeights, contents: Contents | None
) -> Iterator[Tile]:
    """Tiles of all pixels for each group of filters; the first of them copies their weights."""
    assert contents is not None
    *_, lanes = weights.arch.array.extents
    size = (len(walk.columns), len(walk.rows))
    for chunks_of_filters in of_filters(chunks):
        first = chunks_of_filters[0]
        regions = _regions(walk.columns.start, walk.rows.start, *size, lanes)
        parts = (part for region in regions for part in _parts(region, walk, first))
        for part, chunk in product(parts, chunks_of_filters):
            half, loads = weights.bring(chunk)
            copies = weights.copies(chunk)
            job = _job(part, walk, chunk, half, copies=copies)
            gap = weights.shape.raw_beats if walk.raw else 1
            fed = Fed(contents.fed(job.feed), job.group, copies, gap, chunk.keep)
            counts = chunk.counts(fed)
            job = replace(job, cycles=counts.cycles, act_beats=counts.events["act_beats"])
            yield Tile(loads, job, layer=walk.layer)


@dataclass(frozen=True)
class _Region:
    """``across`` times ``down`` groups from pixel x, y on, each of ``width`` x ``height``."""

    x: int
    y: int
    width: int
    height: int
    across: int
    down: int


def _regions(x: int, y: int, width: int, height: int, lanes: int) -> Iterator[_Region]:
    """Cut a rectangle into regions of equal groups: lines of at most ``lanes`` pixels."""
    if not width or not height:
        return
    lines = ((min(width, lanes), 1), (1, min(height, lanes)))
    w, h = min(lines, key=lambda line: -(-width // line[0]) * -(-height // line[1]))
    across, down = width // w, height // h
    yield _Region(x, y, w, h, across, down)
    yield from _regions(x + across * w, y, width % w, height, lanes)
    yield from _regions(x, y + down * h, across * w, height % h, lanes)


def _parts(region: _Region, walk: Walk, chunk: Chunk) -> Iterator[_Region]:
    """Parts of a region of which the postprocess has the loops: as few as possible.

    Where sums stay, of no more groups than the array keeps.
    """
    most = chunk.pixels
    if len(_post(region, walk, chunk)) <= POST_LEVELS:
        lines = max(1, most // region.across)
        for part in _down(region, lines):
            yield from _across(part, most)
    elif region.down < region.across:
        for line in _down(region, 1):
            yield from _across(line, most)
    else:
        for line in _across(region, 1):
            yield from _down(line, most)


def _down(region: _Region, most: int) -> Iterator[_Region]:
    """Parts of at most so many lines of groups."""
    for index in range(0, region.down, most):
        y = region.y + index * region.height
        yield replace(region, y=y, down=min(most, region.down - index))


def _across(region: _Region, most: int) -> Iterator[_Region]:
    """Parts of lines of at most so many groups; whole lines where several are no more."""
    if region.across * region.down <= most:
        yield region
        return
    for index in range(0, region.across, most):
        x = region.x + index * region.width
        yield replace(region, x=x, across=min(most, region.across - index))


def _line(region: _Region, step: tuple[int, int, int]) -> tuple[int, int]:
    """Loop over the pixels of a group."""
    _, column, row = step
    return (region.height, row) if region.width == 1 else (region.width, column)


def _groups(region: _Region, step: tuple[int, int, int]) -> Nest:
    """Loops over the groups of a region."""
    first, column, row = step
    return Nest.of(
        first + region.y * row + region.x * column,
        (region.across, region.width * column), (region.down, region.height * row),
    )  # fmt: skip


def _post(region: _Region, walk: Walk, chunk: Chunk) -> list[tuple[int, int]]:
    """Loops of the postprocess: pixels of a group, folds of filters, groups."""
    outer = _groups(region, walk.post)
    inner = (_line(region, walk.post), (chunk.m_folds, walk.fold))
    return [*inner, *zip(outer.bounds, outer.strides, strict=True)]


def _job(region: _Region, walk: Walk, chunk: Chunk, half: int, *, copies: bool) -> ArrayJob:
    line, outer = _line(region, walk.feed), _groups(region, walk.feed)
    loops = zip(outer.bounds, outer.strides, strict=True)
    rest = Nest.of(outer.start + chunk.offset, *chunk.loops, *loops)
    feed = Nest(rest.start, (line[0], *rest.bounds), (line[1], *rest.strides))
    posts = _post(region, walk, chunk)
    post = Nest(
        _groups(region, walk.post).start + chunk.first * walk.fold,
        tuple(bound for bound, _ in posts), tuple(stride for _, stride in posts),
    )  # fmt: skip
    return ArrayJob(
        *walk.banks, half, feed, post, relu=walk.relu,
        weight_half=half, weight_words=chunk.weight_words if copies else 0,
        k_folds=chunk.k_folds, m_folds=chunk.m_folds, pixels=region.across * region.down,
        group=line[0], raw=walk.raw, carry=chunk.carry, keep=chunk.keep,
    )  # fmt: skip
