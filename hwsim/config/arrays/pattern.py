"""Pattern family: a PE holds four taps of a 3x3 kernel and sees its window."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.arrays.base import power_of_two
from hwsim.config.arrays.systolic import SystolicConfig
from hwsim.config.numbers import NumberConfig
from hwsim.contract.causes import Cause, CauseTable
from hwsim.contract.events import Strobe
from hwsim.contract.memories import Memory
from hwsim.contract.parts import Part, linear

__all__ = ["PatternConfig"]


class PatternConfig(SystolicConfig):
    """Systolic array whose PEs hold four weights of a 3x3 kernel, and which taps they are.

    Rows hold input channels, columns hold filters, windows of nine taps stream.
    """

    #: Bits of a command's counts of windows, and of pixels that they consist of.
    WINDOW_WIDTH: ClassVar[int] = 32

    FORMAT: ClassVar[str] = "hwsim.formats.pattern"
    MODEL: ClassVar[str] = "hwsim.arrays.pattern.array"
    RTL: ClassVar[str] = "hwsim.rtl.arrays.pattern.array"
    CELL: ClassVar[str] = "hwsim.rtl.arrays.pattern.cell"
    ADAPTER: ClassVar[str] = "hwsim.rtl.machine.adapters.pattern"
    CAUSES: ClassVar[CauseTable] = {
        "array": (
            Cause("idle", "no command yet"),
            Cause("library", "an entry of the pattern library is written"),
            Cause("compute", "a window of each row entered the array"),
            Cause("preload", "waiting for the weights of the fold"),
            Cause("weight", "the weight stream is empty"),
            Cause("window", "a pixel entered the window unit and completed no window"),
            Cause("act", "the activation stream is empty"),
            Cause("ofmap", "frozen: the ofmap stream is not taken"),
            Cause("drain", "all windows are in; the last partial sums travel out"),
        )
    }
    EVENTS: ClassVar[Mapping[str, str]] = {
        **SystolicConfig.EVENTS,
        "library_writes": "entries of the pattern library written",
        "line_reads": "words of `rows` pixels read from the line buffers",
        "line_writes": "words of `rows` pixels written to the line buffers",
    }
    DEPTHS: ClassVar[tuple[str, ...]] = ("acc_depth", "line_depth")
    SPARSITY: ClassVar[str] = "pattern"
    stores_zeros: ClassVar[bool] = True
    gathers: ClassVar[tuple[bool, ...]] = (True,)
    #: A row takes a channel of a word, of a matrix product four K indices of it.
    word_beats: ClassVar[int] = 4
    SURVEY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "pattern": {"family": "pattern", "rows": 4, "cols": 4, "acc_depth": 4, "line_depth": 4},
    }

    family: Literal["pattern"]
    dataflow: Literal["ws"] = "ws"
    #: Patterns that the library holds.
    patterns: Annotated[int, Field(ge=1, le=16)] = 8
    #: Pixels of one line of a tile, its edges included, that the window unit's buffers hold.
    line_depth: Annotated[int, Field(ge=4, le=4096)]

    @model_validator(mode="after")
    def _lines_are_apower_of_two(self) -> Self:
        power_of_two(self.line_depth, "line_depth")
        return self

    @property
    def block(self) -> int:
        """Taps that one PE sees in a cycle."""
        return 9

    @property
    def multipliers(self) -> int:
        """Number of multipliers: four a PE."""
        return 4 * self.rows * self.cols

    @property
    def strobes(self) -> dict[str, Strobe]:
        """Those of every weight-stationary array, of the library and of the two line buffers."""
        lines = {name: Strobe(each=2) for name in ("line_reads", "line_writes")}
        return super().strobes | {"library_writes": Strobe()} | lines

    def id_bits(self, numbers: NumberConfig) -> int:
        """Bits of a pattern's id; where the code has no zero, one more id is no kernel."""
        choices = self.patterns + (0 if numbers.has_zero else 1)
        return max(1, (choices - 1).bit_length())

    def weight_fields(self, numbers: NumberConfig) -> dict[str, int]:
        """Four codes of each filter's kernel, and the ids of their patterns."""
        return {"weight": numbers.weight_width, "pattern": self.id_bits(numbers)}

    def machine_beats(self, numbers: NumberConfig) -> tuple[int, int, int]:
        """A channel of each row in, a pixel of each filter of a group out; a kernel per filter."""
        if not numbers.has_zero:
            raise ValueError(
                f"memory must be absent for weight_code {numbers.weight_code}: no zeros"
            )
        power_of_two(self.rows, "rows of a machine's array")
        power_of_two(self.cols, "cols of a machine's array")
        if self.cols > self.word_beats * self.rows:
            raise ValueError(f"cols of a machine's array must be at most 4 x rows, not {self.cols}")
        kernel = 4 * numbers.weight_width + self.id_bits(numbers)
        # an entry of the library comes as a word of weights
        return self.rows, self.cols, max(self.cols * kernel, 16)

    def cell_bits(self, numbers: NumberConfig) -> tuple[int, int]:
        """Four codes with four bits of their tap each, and a window of nine activations."""
        return 4 * (numbers.weight_width + 4), 9 * numbers.act_width

    def traffic(self, numbers: NumberConfig, events: Mapping[str, int]) -> dict[str, int]:
        """A kernel is four codes and its pattern; a beat has a pixel per row, or four taps.

        Four where the window unit is passed by: the line buffers take all other beats.
        """
        found = super().traffic(numbers, events)
        kernel = 4 * numbers.weight_width + self.id_bits(numbers)
        pixels = events["line_writes"] // 2
        acts = pixels + 4 * (events["act_beats"] - pixels)
        return found | {
            "weight": events["weight_beats"] * self.cols * kernel,
            "act": acts * self.rows * numbers.act_width,
        }

    def port_bits(self, numbers: NumberConfig) -> dict[str, int]:
        """A kernel of each filter, four taps of each row, a partial sum of each filter."""
        kernel = 4 * numbers.weight_width + self.id_bits(numbers)
        return super().port_bits(numbers) | {
            "weight": self.cols * kernel,
            "act": self.rows * self.word_beats * numbers.act_width,
        }

    def parts(self, numbers: NumberConfig) -> list[Part]:
        """Those of every weight-stationary array, and the window unit."""
        sizes = {"rows": (self.rows, 2, 6), "cols": (self.cols, 2, 6)}
        return super().parts(numbers) + linear("window unit", "window", sizes)

    def memories(self, numbers: NumberConfig) -> tuple[Memory, ...]:
        """The accumulator, and two line buffers."""
        lines = Memory(
            "line buffer", self.line_depth, self.rows * numbers.act_width, 2,
            reads="line_reads", writes="line_writes",
        )  # fmt: skip
        return (*super().memories(numbers), lines)

    @property
    def checkpoint_kind(self) -> str:
        """Structured: the kind that ships for every network."""
        return "structured"
