"""What the systolic families share: ``rows x cols`` PEs in one of two dataflows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.arrays.base import ArrayConfig, divisors, power_of_two
from hwsim.config.numbers import NumberConfig
from hwsim.contract.causes import Cause, CauseTable
from hwsim.contract.events import Strobe
from hwsim.contract.memories import Memory
from hwsim.contract.parts import Part, linear, places

__all__ = ["SYSTOLIC_CAUSES", "SystolicConfig"]

#: Causes of dense and nm arrays.
SYSTOLIC_CAUSES: CauseTable = {
    "array": (
        Cause("idle", "no command yet"),
        Cause("compute", "a column of activations entered the array"),
        Cause(
            "preload",
            "ws: waiting for the weights of the fold; os: for the drain of the previous fold",
        ),
        Cause("weight", "the weight stream is empty"),
        Cause("act", "the activation stream is empty"),
        Cause("ofmap", "frozen: the ofmap stream is not taken"),
        Cause("drain", "all operands are in; the last partial sums travel out"),
    )
}


class SystolicConfig(ArrayConfig):
    """What the systolic arrays share: ``rows x cols`` PEs in one of two dataflows."""

    #: Module of what a PE holds and sees: ``cell(arch)`` (:mod:`hwsim.rtl.arrays.systolic.cell`).
    CELL: ClassVar[str]

    OPTIONS: ClassVar[tuple[str, ...]] = ("carries",)
    ADAPTER: ClassVar[str] = "hwsim.rtl.machine.adapters.systolic"

    EVENTS: ClassVar[Mapping[str, str]] = {
        "macs": "multiplications, those by a zero and of idle PEs included",
        "weight_loads": "rows of weights shifted into the array, injected zeros included",
        "psum_reads": "words of `cols` partial sums read from the accumulator memory and used",
        "psum_writes": "words of `cols` partial sums written to the accumulator memory",
    }

    DEPTHS: ClassVar[tuple[str, ...]] = ("acc_depth",)
    SWITCHING: ClassVar[tuple[str, ...]] = ("weight_loads",)

    #: Bits of a command's counts: folds of each loop, K of an output-stationary fold.
    COUNT_WIDTH: ClassVar[int] = 24

    #: ``ws``: rows hold K, columns hold M, pixels stream. ``os``: rows hold M, columns hold pixels.
    dataflow: Literal["ws", "os"]
    rows: Annotated[int, Field(ge=1, le=256)]
    cols: Annotated[int, Field(ge=1, le=256)]
    #: ``ws``: pixels of one tile, the depth of the accumulator memory. ``os`` has none.
    acc_depth: Annotated[int, Field(ge=1, le=65536)] | None = None
    #: Cycles from a PE's operands to its sum. 1: product and sum in one; 2: products in registers;
    #: 3: also what the multipliers take, of several activations the one that is chosen; 4, where a
    #: PE has several multipliers: also the sum of their products.
    mac_latency: Annotated[int, Field(ge=1, le=4)] = 1
    #: Whether a command of one fold of filters, and of pixels, may begin with the sums that the one
    #: before left in the accumulator (``ws``) or in the PEs (``os``), and may leave its own there:
    #: K is cut over commands.
    carries: bool = False

    @model_validator(mode="after")
    def _accumulator_fits_the_dataflow(self) -> Self:
        if self.dataflow == "ws":
            if self.acc_depth is None:
                raise ValueError("acc_depth must be given for dataflow ws")
            power_of_two(self.acc_depth, "acc_depth")
        elif self.acc_depth is not None:
            raise ValueError("acc_depth must be absent for dataflow os: PEs hold the partial sums")
        return self

    @model_validator(mode="after")
    def _a_sum_of_products_to_register(self) -> Self:
        if self.mac_latency == 4 and self.multipliers == self.rows * self.cols:
            raise ValueError("mac_latency must be at most 3 where a PE has one multiplier, not 4")
        return self

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        return self.rows * self.cols

    def splits(self, multipliers: int) -> list[dict[str, int | None]]:
        """Every number of rows that divides the PEs, with its columns."""
        each = self.multipliers // (self.rows * self.cols)
        if multipliers % each:
            return []
        pes = multipliers // each
        return [{"rows": rows, "cols": pes // rows} for rows in divisors(pes)]

    def port_bits(self, numbers: NumberConfig) -> dict[str, int]:
        """Operands of a row or a column of PEs, and partial sums of a row."""
        weight, act = self.stream_bits(numbers)
        weights, acts = (self.cols, self.rows) if self.dataflow == "ws" else (self.rows, self.cols)
        return {
            "weight": weights * weight,
            "act": acts * act,
            "ofmap": self.cols * numbers.psum_width,
        }

    @property
    def reuse(self) -> int:
        """Cycles from a pixel to the same one of the next fold at the least (``ws``).

        3: a sum is read, waits in a register and is written. Two rows are loaded in fewer cycles,
        and so are given a memory whose read sees the write of its cycle.
        """
        return 3 if self.rows > 2 else 2

    @property
    def drain(self) -> int:
        """Cycles from the last operands of a command to its last sums, which leave one by one."""
        if self.dataflow == "ws":
            return self.rows + self.cols + self.mac_latency
        return 2 * self.rows + self.cols + self.mac_latency - 2

    @property
    def strobes(self) -> dict[str, Strobe]:
        """One strobe per beat; an output-stationary array has no accumulator memory."""
        macs = {"macs": Strobe(each=self.multipliers)}
        if self.dataflow == "os":
            return macs
        return macs | {name: Strobe() for name in ("weight_loads", "psum_reads", "psum_writes")}

    def memories(self, numbers: NumberConfig) -> tuple[Memory, ...]:
        """Weight-stationary: the accumulator, one word of partial sums per pixel of a tile."""
        if self.acc_depth is None:
            return ()
        accumulator = Memory(
            "accumulator", self.acc_depth, self.cols * numbers.psum_width,
            transparent=self.reuse == 2, reads="psum_reads", writes="psum_writes",
        )  # fmt: skip
        return (accumulator,)

    def parts(self, numbers: NumberConfig) -> list[Part]:
        """PEs by their place in the grid, the control, and the accumulator or the skid buffer."""
        grid = {"rows": min(self.rows, 3), "cols": min(self.cols, 3)}
        prefix = self.core_path
        pes = [
            Part("pe", f"{prefix}mesh.pe_{row}_{col}", grid, times * more)
            for row, times in places(self.rows).items()
            for col, more in places(self.cols).items()
        ]
        sizes = {"rows": (self.rows, 2, 6), "cols": (self.cols, 2, 6)}
        rest = ["control", "skid" if self.dataflow == "os" else "accumulator"]
        return pes + [part for name in rest for part in linear(name, f"{prefix}{name}", sizes)]

    @property
    def clock_probe(self) -> dict[str, int]:
        """Four rows and columns at most: every kind of PE has its neighbours."""
        return {"rows": min(self.rows, 4), "cols": min(self.cols, 4)}

    @property
    def core_path(self) -> str:
        """Path of the module that holds mesh and control, with its dot."""
        return ""

    def cell_bits(self, numbers: NumberConfig) -> tuple[int, int]:
        """Bits of the weights that a PE holds, and of the activations that it sees."""
        raise NotImplementedError

    def registers(self, numbers: NumberConfig) -> int:
        """Skew of both operands and of the flags of each row, deskew of the sums."""
        rows, cols = self.rows, self.cols
        weight, act = self.cell_bits(numbers)
        deskew = cols * (cols - 1) // 2 * numbers.psum_width
        if self.dataflow == "os":
            skew = rows * (rows - 1) // 2 * weight + cols * (cols - 1) // 2 * act
            return skew + deskew + 5 * (rows - 1)
        skew = rows * (rows - 1) // 2 * act + cols * (cols + 1) // 2 * weight
        return skew + deskew + (rows - 1) * (2 + (rows - 1).bit_length())

    @property
    def kind(self) -> str:
        """Family and dataflow."""
        return f"{self.family} {self.dataflow}"

    def stream_bits(self, numbers: NumberConfig) -> tuple[int, int]:
        """Bits of the weights of one PE, and of its activations, in the streams."""
        return self.cell_bits(numbers)

    def traffic(self, numbers: NumberConfig, events: Mapping[str, int]) -> dict[str, int]:
        """A beat holds the operands of a row or a column of PEs, and partial sums of a row."""
        weight, act = self.stream_bits(numbers)
        wide = self.dataflow == "ws"
        return {
            "weight": events["weight_beats"] * weight * (self.cols if wide else self.rows),
            "act": events["act_beats"] * act * (self.rows if wide else self.cols),
            "ofmap": events["ofmap_beats"] * self.cols * numbers.psum_width,
        }

    @property
    def list_lanes(self) -> int:
        """Entries of a word of a gather list: a beat has one k of each row (``ws``), or one."""
        return self.rows if self.dataflow == "ws" else 1

    def list_reads(self, events: Mapping[str, int]) -> int:
        """Words of gather lists that are read: one for each fold of K (``ws``), or each beat."""
        if self.dataflow == "ws":
            return events["weight_loads"] // self.rows
        return events["act_beats"]

    def weight_passes(self, pixels: int) -> int:
        """Once for each tile of pixels (``ws``), or fold of them (``os``)."""
        return -(-pixels // (self.acc_depth or self.cols))

    def machine_beats(self, numbers: NumberConfig) -> tuple[int, int, int]:
        """A slice of K of one pixel in, a pixel of each filter of a fold out."""
        if not numbers.has_zero:
            raise ValueError(
                f"memory must be absent for weight_code {numbers.weight_code}: no zeros"
            )
        power_of_two(self.rows, "rows of a machine's array")
        power_of_two(self.cols, "cols of a machine's array")
        power_of_two(self.block, "block of a machine's array")
        k, filters = (self.rows, self.cols) if self.dataflow == "ws" else (self.cols, self.rows)
        return k * self.block, filters, filters * self.stream_bits(numbers)[0]

    @property
    def transposes(self) -> bool:
        """Whether a beat holds one k of several pixels: words of a machine hold k of one pixel."""
        return self.dataflow == "os"

    @property
    def machine_carries(self) -> bool:
        """Whether a job may keep its sums in the accumulator, or in the PEs."""
        return self.carries

    @property
    def kept_cycles(self) -> int:
        """In PEs the sums are in their place when they are made: nothing waits for the drain."""
        return super().kept_cycles if self.dataflow == "ws" else self.drain

    @property
    def machine_pixels(self) -> int:
        """Pixels of a job of a machine at most: those of a tile (``ws``) or of a fold (``os``)."""
        return self.cols if self.acc_depth is None else self.acc_depth

    @property
    def machine_command(self) -> dict[str, tuple[str, int]]:
        """Fields of the command in a machine: a count of the descriptor times a factor.

        Counts are ``words``, ``m_folds``, their product ``folds``, ``pixels``, and the flags.
        Without a count the field is the factor. All rows of every fold hold weights, zeros where a
        layer has none.
        """
        carried = {"carry": ("carry", 1), "keep": ("keep", 1)} if self.carries else {}
        if self.dataflow == "os":
            return {
                "k_size": ("words", self.cols), "m_folds": ("m_folds", 1),
                "n_folds": ("", 1), "m_edge": ("", self.rows), **carried,
            }  # fmt: skip
        return {
            "k_folds": ("words", 1), "m_folds": ("m_folds", 1), "n_tiles": ("", 1),
            "k_edge": ("", self.rows), "n_edge": ("pixels", 1), **carried,
        }  # fmt: skip

    @property
    def extents(self) -> tuple[int, int, int]:
        """M, K and N of one fold; 8 stands for what nothing limits."""
        if self.dataflow == "ws":
            return self.cols, self.rows * self.block, 8
        return self.rows, 8 * self.block, self.cols

    def beyond_memory(self, limit: int) -> tuple[int, int]:
        """M of one fold, N that exceeds the accumulator memory, where there is one."""
        m, _, n = self.extents
        depth = self.acc_depth or limit
        return m, depth + 3 if depth < limit else 4 * n
