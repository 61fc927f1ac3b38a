"""Block diagram of a machine as SVG, with the sizes of its configuration."""

from typing import NamedTuple
from xml.sax.saxutils import escape

from hwsim.config import ArchConfig
from hwsim.config.shape import MachineShape

__all__ = ["diagram"]

_WIDTH, _HEIGHT = 860, 400


class _Box(NamedTuple):
    title: str
    size: str
    x: int
    y: int
    w: int = 150
    h: int = 56


#: Arrows between boxes: corners of the line, and what it carries.
_ARROWS = (
    ("M 115 40 V 70", "AXI4-Lite", 121, 58),
    ("M 375 40 V 70", "AXI4 read", 381, 58),
    ("M 745 70 V 40", "AXI4 write", 751, 58),
    ("M 115 126 V 160", "", 0, 0),
    ("M 190 188 H 230 V 98 H 300", "blocks", 194, 180),
    ("M 345 126 V 160", "", 0, 0),
    ("M 405 126 V 140 H 555 V 160", "", 0, 0),
    ("M 375 216 V 270", "words", 381, 245),
    ("M 450 298 H 480", "", 0, 0),
    ("M 630 216 V 240 H 745 V 270", "scales", 690, 235),
    ("M 630 298 H 670", "sums", 634, 290),
    ("M 745 326 V 380 H 255 V 188 H 300", "results", 420, 372),
    ("M 450 188 H 465 V 98 H 670", "words", 560, 92),
)
#: Weights, from a memory of their own; or from the load engine into those of the PEs.
_FROM_MEMORY = ("M 555 216 V 270", "weights", 508, 245)
_FROM_LOAD = ("M 450 112 H 473 V 250 H 555 V 270", "weights", 490, 245)


def diagram(arch: ArchConfig) -> str:
    """Draw the machine: its blocks, the size of each, and what flows between them."""
    memory, shape, bus = arch.memory, MachineShape.of(arch), arch.bus
    assert memory is not None
    held, halves = "scales", f"2 x {memory.scale_depth} x {shape.scale_word}"
    if shape.has_weights:
        held = f"weights, {held}"
        halves = f"2 x {memory.weight_depth} x {shape.weight_word}, {halves}"
    boxes = (
        _Box("registers", "32 bits", 40, 70),
        _Box("load", f"{bus.data_width} bits, {bus.outstanding} bursts of {bus.burst}", 300, 70),
        _Box("store", f"{bus.data_width} bits, bursts of {bus.burst}", 670, 70),
        _Box("sequencer", "a tile per stage", 40, 160),
        _Box(
            "act banks",
            f"{memory.act_banks} x {memory.act_depth} x {shape.act_bits} bits", 300, 160,
        ),
        _Box(held, halves, 480, 160, 170),
        _Box("feeder", f"{shape.act_lanes} activations per cycle", 300, 270),
        _Box("array, vector unit", f"{arch.array.family}, {arch.array.multipliers} multipliers",
             480, 270),
        _Box("postprocess", f"{shape.ofmap_lanes} sums per cycle", 670, 270),
    )  # fmt: skip
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" '
        f'width="{_WIDTH}" height="{_HEIGHT}" font-family="sans-serif" font-size="12">',
        f"<title>{escape(arch.name)}</title>",
        '<defs><marker id="end" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" '
        'markerHeight="8" orient="auto"><path d="M 0 0 L 8 4 L 0 8 z"/></marker></defs>',
        f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="white"/>',
        f'<text x="20" y="24" font-size="14">{escape(arch.name)}</text>',
    ]
    for path, text, x, y in (*_ARROWS, _FROM_MEMORY if shape.has_weights else _FROM_LOAD):
        lines.append(f'<path d="{path}" fill="none" stroke="black" marker-end="url(#end)"/>')
        if text:
            lines.append(f'<text x="{x}" y="{y}" font-size="11" fill="#444">{text}</text>')
    for box in boxes:
        middle = box.x + box.w // 2
        lines += [
            f'<rect x="{box.x}" y="{box.y}" width="{box.w}" height="{box.h}" fill="#eef3fa" '
            'stroke="black"/>',
            f'<text x="{middle}" y="{box.y + 24}" text-anchor="middle">{escape(box.title)}</text>',
            f'<text x="{middle}" y="{box.y + 42}" text-anchor="middle" font-size="10">'
            f"{escape(box.size)}</text>",
        ]
    return "\n".join([*lines, "</svg>", ""])
