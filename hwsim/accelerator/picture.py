"""Pictures of a run: what each engine does over time, and the roofline."""

from __future__ import annotations

from pathlib import Path

from hwsim.accelerator.result import MachineResult
from hwsim.report.style import SIZE, colours, figure, save

__all__ = ["roofline", "timeline"]


def timeline(result: MachineResult, folder: Path) -> Path:
    """Draw a bar per tile and engine over cycles; a colour per layer."""
    times, program = result.run.timeline, result.run.program
    names = [layer.name for layer in result.layers()]
    shades = dict(zip(names, colours(len(names)), strict=True))
    fig, ax = figure((SIZE[0], 2.6))
    engines = (
        ("load", times.load, times.load_end),
        ("execute", times.execute, times.execute_end),
        ("store", times.store, times.store_end),
    )
    for row, (_, begin, end) in enumerate(engines):
        for name in names:
            chosen = [
                i for i, tile in enumerate(program.tiles) if (tile.layer or "program") == name
            ]
            spans = [(int(begin[i]), int(end[i] - begin[i])) for i in chosen]
            label = name if row == 0 else None
            ax.broken_barh(spans, (row - 0.4, 0.8), facecolors=shades[name], label=label)
    ax.set_yticks(range(3), [name for name, _, _ in engines])
    ax.invert_yaxis()
    ax.set_xlabel("cycle")
    ax.legend(ncols=6, loc="lower center", bbox_to_anchor=(0.5, 1.0), fontsize=7)
    return save(fig, folder / "timeline.png")


def roofline(result: MachineResult, folder: Path) -> Path:
    """Draw the layers with multiply-accumulates under what array and memory allow.

    All of a layer's count: one whose zeros are left out may lie above the roof. Bytes are those of
    the busier direction, for the slope is what the memory moves in one: reads and writes do not
    wait for each other. A dense layer lies above the roof only where its first tiles were loaded
    during the layer before, or its last ones are stored during the next: its cycles have no share
    of them.
    """
    peak, bandwidth = result.run.program.arch.array.multipliers, result.bandwidth
    layers = [layer for layer in result.layers() if layer.macs]
    fig, ax = figure((SIZE[0], 3.2))
    reach = [layer.intensity for layer in layers] or [1.0]
    low, high = min(reach) / 4, max(*reach, peak / bandwidth) * 4
    xs = [low, peak / bandwidth, high]
    ax.plot(xs, [min(peak, x * bandwidth) for x in xs], color="black", linewidth=1)
    for layer in layers:
        ax.scatter(layer.intensity, layer.macs / layer.cycles, s=18)
        ax.annotate(layer.name, (layer.intensity, layer.macs / layer.cycles), fontsize=7)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("MACs per byte of the busier direction")
    ax.set_ylabel("MACs per cycle")
    return save(fig, folder / "roofline.png")
