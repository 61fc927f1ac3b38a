"""Pattern family: PEs that hold four taps of a 3x3 kernel and choose them from a window of nine.

Rows hold input channels, columns hold filters of a group that shares one channel list; windows of
the tile's output pixels stream. The derivation of the counts is in ``docs/timing/pattern.md``.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hwsim.arrays.base import Job, Pauses, Run
from hwsim.arrays.counts import Counts
from hwsim.arrays.pattern.cases import draw_case
from hwsim.arrays.pattern.compile import Section, compile_job, sections
from hwsim.arrays.pattern.model import PatternModel
from hwsim.arrays.pattern.tiles import tiles
from hwsim.arrays.systolic.model import counts
from hwsim.arrays.systolic.ws import ws_events
from hwsim.config import ArchConfig, PatternConfig
from hwsim.contract.events import STREAM_EVENTS
from hwsim.contract.machine import WEIGHT_OFFER
from hwsim.errors import InputError
from hwsim.formats.pattern import TAPS, WINDOW, full_library, library_of, plan
from hwsim.workload.gemm import GEMM
from hwsim.workload.layer import Layer

__all__ = ["arranged", "compile", "count", "count_job", "draw_case", "simulate"]

#: Windows, beats, first step and span of a fold (:meth:`hwsim.arrays.pattern.tiles.Tile.timing`).
Timing = tuple[int, int, int, int]


def compile(arch: ArchConfig, gemm: GEMM) -> Job:
    """Compile a GEMM with both operands into stream contents; see :mod:`pattern_compile`.

    All-zero weights give a job without words, transfers or cycles.
    """
    return compile_job(arch, gemm)


def arranged(arch: ArchConfig, layer: Layer) -> tuple[Layer, str]:
    """The same layer as a matrix product, where a kernel keeps more than four taps of nine.

    Also where the kernels have more patterns than the array has room for.
    """
    array = arch.array_as(PatternConfig)
    if layer.weights is None:
        return layer, ""
    has_zero = arch.numbers.has_zero
    for gemm in layer.gemms():
        assert gemm.weight is not None
        try:
            masks, _ = plan(gemm.weight, array, gemm.channels, has_zero=has_zero, source=layer.name)
            library_of(masks, array, gemm.channels, layer.name)
        except InputError:
            if not gemm.channels:
                raise
            break
    else:
        return layer, ""
    plain = replace(layer, conv=None, ifmap=None, matrices=layer.acts())
    return plain, f"as a matrix product: {TAPS} taps of {WINDOW} do not hold its kernels"


def simulate(arch: ArchConfig, job: Job, pauses: Pauses) -> Run:
    """Run a job cycle by cycle."""
    return PatternModel(arch, job, pauses).run()


def count(arch: ArchConfig, gemm: GEMM) -> Counts:
    """Exact counts with no pauses: one pass over the weights, then a closed loop over commands.

    Raises
    ------
    InputError
        A kernel fits no pattern.
    """
    array = arch.array_as(PatternConfig)
    patterns, runs = _runs(arch, gemm)
    if not runs:
        return counts(arch, {})
    alike = Counter(tile.timing() for tile in tiles(array, gemm))
    commands = preload = busy = 0
    events = dict.fromkeys((*STREAM_EVENTS, *array.strobes), 0) | {"library_writes": patterns}
    for section in runs:
        k_folds = section.k_folds(array.rows)
        parts = section.commands(array)
        for timing, times in alike.items():
            for part in parts:
                cycles, waits = _command(array, timing, part * section.groups)
                commands += times
                preload += times * waits
                busy += times * cycles
            weights = section.groups * section.length
            of_all = _events(array, timing, section.groups, k_folds, weights, len(parts))
            for event, count in of_all.items():
                events[event] += times * count
    events["command_beats"] = patterns + commands
    compute = events["macs"] // array.multipliers
    cycles_by_cause = {
        "library": patterns,
        "idle": 1,
        "compute": compute,
        "preload": preload,
        "window": busy - compute - preload,
        # the next command is taken while the last partial sums of this one are on their way
        "drain": commands - 1 + array.rows + array.cols + array.mac_latency,
    }
    return counts(arch, cycles_by_cause, events)


def count_job(arch: ArchConfig, timing: Timing, k_folds: int, m_folds: int) -> Counts:
    """Counts of a job in a machine: a whole library, and a command whose rows all hold weights.

    The first entry of the library comes with the first word of weights.
    """
    array = arch.array_as(PatternConfig)
    busy, preload = _command(array, timing, k_folds * m_folds)
    compute = k_folds * m_folds * timing[0]
    cycles_by_cause = {
        "library": array.patterns,
        "idle": WEIGHT_OFFER + 1,
        "compute": compute,
        "preload": preload,
        "window": busy - compute - preload,
        "drain": array.rows + array.cols + array.mac_latency,
    }
    events = _events(array, timing, m_folds, k_folds, k_folds * m_folds * array.rows)
    library = {"library_writes": array.patterns, "command_beats": array.patterns + 1}
    return counts(arch, cycles_by_cause, events | library)


def _events(
    array: PatternConfig,
    timing: Timing,
    m_folds: int,
    k_folds: int,
    weights: int,
    commands: int = 1,
) -> dict[str, int]:
    """Events of commands that share K, and take so many beats of weights."""
    pixels, reads, first, span = timing
    folds = k_folds * m_folds
    steps = (folds - commands) * reads + commands * (first + span + 1)
    return {
        "weight_beats": weights,
        "act_beats": folds * reads,
        "ofmap_beats": m_folds * pixels,
        "line_reads": 2 * steps,
        "line_writes": 2 * steps,
        **ws_events(array, m_folds, k_folds, 1, pixels),
    }


def _runs(arch: ArchConfig, gemm: GEMM) -> tuple[int, list[Section]]:
    """Patterns of a layer's library, and the sections of its filters."""
    array = arch.array_as(PatternConfig)
    if gemm.weight is None:  # every kernel of every filter is there
        kernels = gemm.channels or -(-gemm.K // TAPS)
        patterns = full_library(array, gemm.M, gemm.channels)
        return patterns, [Section(0, -(-gemm.M // array.cols), kernels)]
    masks, groups = plan(
        gemm.weight,
        array,
        gemm.channels,
        has_zero=arch.numbers.has_zero,
        source=gemm.name,
    )
    return len(library_of(masks, array, gemm.channels, gemm.name)), sections(groups)


def _command(array: PatternConfig, timing: Timing, folds: int) -> tuple[int, int]:
    """Cycles from a command's transfer to its last window, and those that wait for weights.

    ``swap`` and ``feed`` are the cycles of a fold's swap and of its first window. Their distance
    decides all that follows, so the folds repeat as soon as it does.
    """
    pixels, reads, first, span = timing
    rows, settles = array.rows, max(0, array.reuse - pixels)
    swap, feed = rows + 1, max(first + 2, rows + 2)
    waits = rows + 1
    for fold in range(1, folds):
        last = feed + span
        next_swap = max(last + settles, swap + rows)
        next_feed = max(feed + reads, next_swap + 1)
        waited, left = next_swap - last, folds - fold
        if next_feed - next_swap == feed - swap:
            return last + left * (next_feed - feed), waits + left * waited
        waits += waited
        swap, feed = next_swap, next_feed
    return feed + span, waits
