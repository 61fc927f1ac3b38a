"""What a process offers: standard cells at its corners, and memories.

Delays are planes over the load and the slew at a cell's input: a few numbers per timing arc in
place of tables, measured of a Liberty file by ``hwsim tech``.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal, Self

import yaml
from pydantic import Field, model_validator

from hwsim.config.base import Config, flow, load
from hwsim.config.catalog import resolve
from hwsim.config.limits import Extent, NonNegative, Positive, Quantity

__all__ = [
    "ArcConfig",
    "CellConfig",
    "CornerConfig",
    "FlipFlopConfig",
    "MacroConfig",
    "Plane",
    "PowerLawConfig",
    "SRAMConfig",
    "ScalingConfig",
    "TechConfig",
]

#: Bits of a memory, and ports of one.
Bits = Annotated[int, Field(ge=1, le=1 << 40)]
Ports = Annotated[int, Field(ge=1, le=4)]
#: ``c[0] + c[1] load + c[2] slew + c[3] load slew`` in ns, of a load in fF and a slew in ns.
Plane = Annotated[list[Quantity], Field(min_length=4, max_length=4)]


class ArcConfig(Config):
    """Timing from one input pin to the output of a cell."""

    pin: str
    sense: Literal["positive_unate", "negative_unate", "non_unate"]
    #: Delay to a rising and to a falling output.
    rise: Plane
    fall: Plane
    #: Slew of the output, 20 % to 80 % or as the Liberty file measures it.
    rise_slew: Plane
    fall_slew: Plane


class CellConfig(Config):
    """A combinational cell of one output."""

    #: um2.
    area: Positive
    #: pW, mean over the states of the inputs.
    leakage: NonNegative
    #: pJ inside the cell per transition of the output; the load's charge comes on top.
    energy: NonNegative
    output: str
    #: Boolean function of the pins, as Liberty writes it.
    function: str
    #: Largest load in fF.
    max_load: Positive
    #: Input pin -> capacitance in fF.
    pins: dict[str, NonNegative]
    arcs: list[ArcConfig]


class FlipFlopConfig(Config):
    """The flip-flop that registers become: positive edge, perhaps an asynchronous clear."""

    name: str
    area: Positive
    leakage: NonNegative
    #: pJ of the clock pin and what it switches, per clock cycle without a transition of the output.
    clock_energy: NonNegative
    #: pJ more in a cycle whose output changes; the load's charge comes on top.
    energy: NonNegative
    pins: dict[str, NonNegative]
    clock: str
    data: str
    output: str
    #: Condition of the clear, as Liberty writes it; ``""`` for none.
    clear: str = ""
    #: ns before the edge in which data holds still.
    setup: Quantity
    #: Clock to output.
    rise: Plane
    fall: Plane


class CornerConfig(Config):
    """Cells at one process corner, voltage and temperature."""

    #: V.
    voltage: Positive
    #: degrees Celsius.
    temperature: Quantity
    cells: dict[str, CellConfig]
    flip_flop: FlipFlopConfig


class MacroConfig(Config):
    """Closed forms of SRAM macros with one number of ports.

    A macro of ``depth`` words of ``width`` bits with column multiplexers of ``2**c`` has ``depth /
    2**c`` rows and ``width 2**c`` columns.
    """

    #: um2: constant, per row, per column, per bit.
    area: Annotated[list[Quantity], Field(min_length=4, max_length=4)]
    #: pJ per access: constant, per bit of width, per bit of the macro.
    read: Annotated[list[Quantity], Field(min_length=3, max_length=3)]
    write: Annotated[list[Quantity], Field(min_length=3, max_length=3)]
    #: pW per bit.
    leakage: NonNegative
    #: Rows up to which an access takes so many ns, ascending.
    access: dict[Extent, Positive]
    #: Words and bits of the macros that exist, and the exponents c.
    depths: list[Extent]
    widths: list[Extent]
    column_muxes: list[Annotated[int, Field(ge=0, le=20)]]
    #: Rows and columns that exist, fewest and most.
    rows: Annotated[list[Extent], Field(min_length=2, max_length=2)]
    columns: Annotated[list[Extent], Field(min_length=2, max_length=2)]

    @model_validator(mode="after")
    def _every_macro_has_an_access(self) -> Self:
        if max(self.access, default=0) < self.rows[1]:
            raise ValueError(f"access must have ns for {self.rows[1]} rows")
        return self


class PowerLawConfig(Config):
    """SRAM of any shape as powers of its bits ``b`` and its port's width ``w``."""

    #: um2 per bit.
    area: Positive
    #: pJ: ``a b**p w**q``.
    read: Annotated[list[Quantity], Field(min_length=3, max_length=3)]
    write: Annotated[list[Quantity], Field(min_length=3, max_length=3)]
    #: ns: ``a b**p``.
    access: Annotated[list[Quantity], Field(min_length=2, max_length=2)]
    #: pW per bit.
    leakage: NonNegative
    #: Bits within which the powers were fitted.
    bits: Annotated[list[Bits], Field(min_length=2, max_length=2)]
    #: Fewest bits of a memory that is built so; a smaller one is of flip-flops.
    smallest: Bits
    #: Area and energy of two ports over those of one.
    two_ports: Annotated[list[Quantity], Field(min_length=2, max_length=2)]


class SRAMConfig(Config):
    """Memories of a process: macros by closed forms, or power laws; one of the two."""

    #: Ports -> macros.
    macros: dict[Ports, MacroConfig] | None = None
    powers: PowerLawConfig | None = None

    @model_validator(mode="after")
    def _one_of_the_two(self) -> Self:
        if (self.macros is None) == (self.powers is None):
            raise ValueError("must give either macros or powers")
        return self


class ScalingConfig(Config):
    """A process whose logic is that of another one, scaled: every figure of it is an estimate."""

    #: The measured technology.
    base: str
    #: Factors on area of gates and of flip-flops, on delay, on energy and on leakage.
    area: Positive
    flip_flop_area: Positive
    delay: Positive
    energy: Positive
    leakage: Positive


class TechConfig(Config):
    """A process: logic at its corners, and memories."""

    name: str
    description: str
    #: Where the facts are from, and under which licence.
    source: str
    licence: str
    #: nm, where known.
    node: Positive | None = None
    #: fF of wire per pin that a net drives.
    wire_load: NonNegative = 0.0
    #: Name -> corner, the typical one first; absent where the logic is scaled.
    corners: dict[str, CornerConfig] = Field(default_factory=dict)
    scaled: ScalingConfig | None = None
    sram: SRAMConfig | None = None

    @model_validator(mode="after")
    def _has_logic(self) -> Self:
        if bool(self.corners) == (self.scaled is not None):
            raise ValueError("must give either corners or scaled")
        return self

    def to_yaml(self) -> str:
        """Text of a file that :meth:`read` reads: one line per timing arc."""
        lines: list[str] = []
        fields = self.model_dump(exclude_none=True, exclude_defaults=True)
        corners = fields.pop("corners", {})
        lines += yaml.safe_dump(fields, sort_keys=False, width=100).splitlines()
        lines += ["corners:"] if corners else []
        for name, corner in corners.items():
            lines += [f"  {name}:"]
            lines += [f"    {key}: {flow(corner[key])}" for key in ("voltage", "temperature")]
            lines += [f"    flip_flop: {flow(corner['flip_flop'])}", "    cells:"]
            for cell, facts in corner["cells"].items():
                arcs = facts.pop("arcs")
                lines += [f"      {cell}:"]
                lines += [f"        {key}: {flow(value)}" for key, value in facts.items()]
                lines += ["        arcs:", *(f"          - {flow(arc)}" for arc in arcs)]
        return "\n".join(lines) + "\n"

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a technology by name (``configs/tech``) or path."""
        return load(cls, resolve(name, "tech"))
