"""Memories in silicon: macros where they pay, flip-flops below; split where they are too large."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import product
from math import ceil
from typing import Any

from hwsim.config.tech import CellConfig, CornerConfig, MacroConfig, PowerLawConfig, TechConfig
from hwsim.contract.memories import LARGE_BITS, Memory
from hwsim.errors import InputError

__all__ = [
    "Logic",
    "Silicon",
    "build",
    "full_adder",
    "logic",
    "logic_of",
    "lost",
    "multiplexer",
    "process",
]

#: Bits of a memory that may be built of flip-flops, at most.
MOST_REGISTERS = 1 << 16
#: Gate that a multiplexer of two bits is, and one that an address bit's decoder takes per word.
_MUX, _AND = "(!S*A0)+(S*A1)", "(A*B)"
#: Gates of a full adder: two that add, and the carry of two bits or of their sum and a carry.
_ADDER = ("(A^B)", "(A^B)", _AND, "((A1*A2)+B1)")


@dataclass(frozen=True)
class Silicon:
    """One memory as it is built; ``count`` of :class:`~hwsim.contract.memories.Memory` is apart."""

    #: ``macro``, ``power law`` or ``flip-flops``.
    kind: str
    #: Pieces that make up its depth, and its width; the depth and width of each.
    deep: int
    wide: int
    piece: tuple[int, int]
    #: um2.
    area: float
    #: ns from the clock edge to the data.
    access: float
    #: pJ per access of the whole word.
    read: float
    write: float
    #: pJ per cycle, accessed or not: the clock of flip-flops.
    clock: float
    #: pW.
    leakage: float
    #: Whether its shape lies outside of what its forms were fitted to.
    extrapolated: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Plain data, units in the keys."""
        pieces = f"{self.deep} x {self.wide} of {self.piece[0]} x {self.piece[1]}"
        return {
            "kind": self.kind,
            "pieces": pieces,
            "area_um2": self.area,
            "access_ns": self.access,
            "read_pj": self.read,
            "write_pj": self.write,
            "clock_pj": self.clock,
            "leakage_pw": self.leakage,
            "extrapolated": self.extrapolated,
        }


@dataclass(frozen=True)
class Logic:
    """Typical corner of a technology, and the factors on it where it is scaled."""

    corner: CornerConfig
    area: float = 1.0
    flip_flop_area: float = 1.0
    delay: float = 1.0
    energy: float = 1.0
    leakage: float = 1.0


@lru_cache
def process(technology: str) -> TechConfig:
    """Technology by name or path; a file is read once.

    Raises
    ------
    InputError
        There is no such technology.
    """
    return TechConfig.read(technology)


def logic_of(technology: str) -> str:
    """Technology whose cells the logic is mapped to: the base where it is scaled."""
    scaled = process(technology).scaled
    return technology if scaled is None else scaled.base


@lru_cache
def logic(name: str, corner: str | None = None) -> Logic:
    """Cells of a technology by name or path, at one of its corners; the first if absent.

    Raises
    ------
    InputError
        There is no such technology or corner.
    """
    technology = process(name)
    scaled = technology.scaled
    if scaled is not None:
        technology = process(scaled.base)
    corners = technology.corners
    if corner is not None and corner not in corners:
        raise InputError(name, "corner", corner, f"must be one of: {', '.join(corners)}")
    cells = corners[corner] if corner is not None else next(iter(corners.values()))
    if scaled is None:
        return Logic(cells)
    return Logic(
        cells, scaled.area, scaled.flip_flop_area, scaled.delay, scaled.energy, scaled.leakage
    )


@lru_cache(maxsize=65536)
def build(memory: Memory, technology: str, corner: str | None = None) -> Silicon:
    """Build one memory of a design in a technology: the smallest of what is possible.

    Access times of macros and power laws are those of the typical corner; another ``corner`` scales
    them as it does a flip-flop.

    Raises
    ------
    InputError
        The technology has no memories that can hold it.
    """
    cells = logic(technology, corner)
    best = min([_flip_flops(memory, cells), *_srams(memory, technology)], key=_area)
    if best.kind == "flip-flops" and memory.depth * memory.width > MOST_REGISTERS:
        shape = f"{memory.depth} x {memory.width}, {memory.ports} port(s)"
        rule = f"must have one for {memory.name}: flip-flops hold at most {MOST_REGISTERS:,} bits"
        raise InputError(technology, "sram", shape, rule)
    if best.kind == "flip-flops":
        return best
    slower = _clock_to_q(cells.corner) / _clock_to_q(logic(technology).corner)
    return _with_bypass(replace(best, access=best.access * slower), memory, cells)


def lost(memory: Memory, technology: str) -> str:
    """Why a large memory is flip-flops though an SRAM would be smaller; empty where it is not.

    Large is one of more than :data:`~hwsim.contract.memories.LARGE_BITS`.
    """
    bits = memory.depth * memory.width
    if bits <= LARGE_BITS or build(memory, technology).kind != "flip-flops":
        return ""
    clocked = replace(memory, combinational=False)
    if not _srams(clocked, technology):
        sram = process(technology).sram
        # a power law has a size below which it is not to be used
        if sram is not None and sram.powers is not None:
            return ""
        return f"{bits:,} bits in flip-flops: {technology} has no SRAM that holds it"
    if build(clocked, technology).kind == "flip-flops":
        return ""
    return f"{bits:,} bits in flip-flops: it is read in the cycle of its address"


def _area(way: Silicon) -> float:
    return way.area


def _srams(memory: Memory, technology: str) -> list[Silicon]:
    """Ways to build a memory of SRAM."""
    sram = process(technology).sram
    if sram is None or memory.combinational:
        return []
    ways = _macros(memory, sram.macros) if sram.macros is not None else []
    powers = sram.powers
    if powers is not None and memory.depth * memory.width >= powers.smallest:
        ways.append(_power_law(memory, powers))
    return ways


def _macros(memory: Memory, macros: dict[int, MacroConfig]) -> list[Silicon]:
    """Smallest arrangement of macros, if there are some with enough ports."""
    ports = min((n for n in macros if n >= memory.ports), default=None)
    if ports is None:
        return []
    macro = macros[ports]
    found = []
    for depth, width, mux in product(macro.depths, macro.widths, macro.column_muxes):
        rows, columns = depth >> mux, width << mux
        fits = macro.rows[0] <= rows <= macro.rows[1]
        if not fits or not macro.columns[0] <= columns <= macro.columns[1]:
            continue
        deep, wide = ceil(memory.depth / depth), ceil(memory.width / width)
        constant, per_row, per_column, per_bit = macro.area
        one = constant + per_row * rows + per_column * columns + per_bit * depth * width
        read, write = (
            base + per_width * width + per_bit * depth * width
            for base, per_width, per_bit in (macro.read, macro.write)
        )
        found.append(
            Silicon(
                kind="macro",
                deep=deep,
                wide=wide,
                piece=(depth, width),
                area=deep * wide * one,
                access=min(ns for most, ns in macro.access.items() if rows <= most),
                # of a deep memory one piece is accessed
                read=wide * read,
                write=wide * write,
                clock=0.0,
                leakage=deep * wide * depth * width * macro.leakage,
            )
        )
    return found


def _power_law(memory: Memory, powers: PowerLawConfig) -> Silicon:
    bits = memory.depth * memory.width
    area, energy = powers.two_ports if memory.ports > 1 else (1.0, 1.0)
    read, write = (a * bits**p * memory.width**q for a, p, q in (powers.read, powers.write))
    return Silicon(
        kind="power law",
        deep=1,
        wide=1,
        piece=(memory.depth, memory.width),
        area=powers.area * bits * area,
        access=powers.access[0] * bits ** powers.access[1],
        read=read * energy,
        write=write * energy,
        clock=0.0,
        leakage=powers.leakage * bits * area,
        extrapolated=not powers.bits[0] <= bits <= powers.bits[1],
    )


def _flip_flops(memory: Memory, cells: Logic) -> Silicon:
    """Words of flip-flops with an enable, a decoder, and a tree of multiplexers to read."""
    corner, flip_flop = cells.corner, cells.corner.flip_flop
    mux, gate = _cell(corner, _MUX), _cell(corner, _AND)
    depth, width = memory.depth, memory.width
    levels = max(1, (depth - 1).bit_length())
    bits = depth * width
    # each word decodes the address; the tree has a multiplexer less than words
    logic_area = (bits + (depth - 1) * width) * mux.area + depth * levels * gate.area
    output = 0 if memory.combinational else width
    registers = bits + output
    tree_energy = width * levels * mux.energy
    return Silicon(
        kind="flip-flops",
        deep=1,
        wide=1,
        piece=(depth, width),
        area=logic_area * cells.area + registers * flip_flop.area * cells.flip_flop_area,
        access=(_clock_to_q(corner) + (levels * _delay(mux) if memory.combinational else 0.0))
        * cells.delay,
        read=(tree_energy + output * flip_flop.energy) * cells.energy,
        write=width * flip_flop.energy * cells.energy,
        clock=registers * flip_flop.clock_energy * cells.energy,
        leakage=(registers * flip_flop.leakage + (2 * depth - 1) * width * mux.leakage)
        * cells.leakage,
    )


def _with_bypass(silicon: Silicon, memory: Memory, cells: Logic) -> Silicon:
    """Add what gives a transparent read the word that is being written: registers and a choice."""
    if not memory.transparent:
        return silicon
    corner, flip_flop = cells.corner, cells.corner.flip_flop
    mux = _cell(corner, _MUX)
    area = memory.width * (mux.area * cells.area + flip_flop.area * cells.flip_flop_area)
    leakage = memory.width * (mux.leakage + flip_flop.leakage) * cells.leakage
    return replace(
        silicon,
        area=silicon.area + area,
        access=silicon.access + _delay(mux) * cells.delay,
        clock=silicon.clock + memory.width * flip_flop.clock_energy * cells.energy,
        leakage=silicon.leakage + leakage,
    )


def multiplexer(corner: CornerConfig) -> CellConfig:
    """Multiplexer of two bits."""
    return _cell(corner, _MUX)


def full_adder(corner: CornerConfig) -> list[CellConfig]:
    """Cells of one bit of an adder whose carries ripple."""
    return [_cell(corner, function) for function in _ADDER]


def _cell(corner: CornerConfig, function: str) -> CellConfig:
    """Smallest cell with a function; a cell of as many inputs where none has just this one."""
    pins = 3 if function in (_MUX, _ADDER[-1]) else 2
    plain = function.replace(" ", "")
    same = [cell for cell in corner.cells.values() if cell.function.replace(" ", "") == plain]
    alike = [cell for cell in corner.cells.values() if len(cell.pins) == pins]
    return min(same or alike or corner.cells.values(), key=lambda cell: cell.area)


def _delay(cell: CellConfig, load: float = 6.0, slew: float = 0.06) -> float:
    """Delay of a cell in a chain of its like, ns."""
    planes = [plane for arc in cell.arcs for plane in (arc.rise, arc.fall)]
    return float(max(p[0] + p[1] * load + p[2] * slew + p[3] * load * slew for p in planes))


def _clock_to_q(corner: CornerConfig, load: float = 6.0, slew: float = 0.06) -> float:
    planes = (corner.flip_flop.rise, corner.flip_flop.fall)
    return max(p[0] + p[1] * load + p[2] * slew + p[3] * load * slew for p in planes)
