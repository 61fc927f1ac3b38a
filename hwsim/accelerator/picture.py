"""Pictures of a run: what each engine does over time, and the roofline."""

from __future__ import annotations

from pathlib import Path

from matplotlib.axes import Axes

from hwsim.accelerator.result import LayerRun, MachineResult
from hwsim.report.style import SIZE, colours, figure, save

__all__ = ["roofline", "timeline"]

#: Layers that a picture names at most: those that take most cycles.
_NAMED = 10
#: Colour of the others.
_OTHER = "#c8c8c8"


def _shades(layers: list[LayerRun]) -> dict[str, str]:
    """Colours of the layers that take most cycles, in their order in the run."""
    longest = sorted(layers, key=lambda layer: layer.cycles, reverse=True)[:_NAMED]
    names = [layer.name for layer in layers if layer in longest]
    return dict(zip(names, colours(len(names)), strict=True))


def _entitle(result: MachineResult, ax: Axes, below: float) -> None:
    """Title of network, machine and memory; names of the colours below the axis."""
    ax.set_title(result.title, fontsize=9)
    ax.legend(ncols=6, loc="upper center", bbox_to_anchor=(0.5, below), fontsize=7)


def timeline(result: MachineResult, folder: Path) -> Path:
    """Draw a bar per tile and engine over cycles; a colour for each of the longest layers."""
    times, program = result.run.timeline, result.run.program
    names = [layer.name for layer in result.layers()]
    shades = _shades(result.layers())
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
            label = name if row == 0 and name in shades else None
            shade = shades.get(name, _OTHER)
            ax.broken_barh(spans, (row - 0.4, 0.8), facecolors=shade, label=label)
    ax.set_yticks(range(3), [name for name, _, _ in engines])
    ax.invert_yaxis()
    ax.set_xlabel("cycle")
    if len(shades) < len(names):
        ax.broken_barh([], (0, 0), facecolors=_OTHER, label="other layers")
    _entitle(result, ax, -0.25)
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
    shades = _shades(layers)
    for layer in sorted(layers, key=lambda layer: layer.name in shades):
        shade, label = shades.get(layer.name, _OTHER), layer.name if layer.name in shades else None
        ax.scatter(layer.intensity, layer.macs / layer.cycles, s=18, color=shade, label=label)
    if len(shades) < len(layers):
        ax.scatter([], [], s=18, color=_OTHER, label="other layers")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel("MACs per byte of the busier direction")
    ax.set_ylabel("MACs per cycle")
    _entitle(result, ax, -0.18)
    return save(fig, folder / "roofline.png")
