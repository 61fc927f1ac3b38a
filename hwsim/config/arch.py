"""The hardware: one frozen object that simulator, generator, testbench and reports all read."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, field_validator, model_validator

from hwsim.config.base import Config, load, resolve
from hwsim.config.reserved import RESERVED

__all__ = [
    "ArchConfig",
    "ArrayConfig",
    "BitmaskConfig",
    "CSCConfig",
    "DenseConfig",
    "NMConfig",
    "NumberConfig",
    "PatternConfig",
    "SystolicConfig",
]

Count = Annotated[int, Field(ge=1)]

WeightCode = Literal["int", "levels", "ternary", "pow2"]
#: Fewest and most bits of each code.
WEIGHT_WIDTHS: dict[str, tuple[int, int]] = {
    "int": (2, 16),
    "levels": (1, 8),
    "ternary": (2, 2),
    "pow2": (2, 4),
}


def _power_of_two(value: int, key: str) -> None:
    if value & (value - 1):
        raise ValueError(f"{key} must be a power of two, not {value}")


class NumberConfig(Config):
    """Word widths in bits, and what a weight's code means."""

    #: Activations, two's complement; 1 is binary: +1 and -1, no zero.
    act_width: Annotated[int, Field(ge=1, le=16)] = 8
    #: Weight codes.
    weight_width: Annotated[int, Field(ge=1, le=16)] = 8
    #: ``int``: two's complement. ``levels``: +-1 .. +-2**(n-1) without zero (ADMM-NN, section 4);
    #: one bit is binary. ``ternary``: -1, 0, +1 in two bits. ``pow2``: zero and +-2**e.
    weight_code: WeightCode = "int"
    #: Partial sums; they wrap modulo ``2**psum_width``.
    psum_width: Annotated[int, Field(ge=4, le=48)] = 32

    @model_validator(mode="after")
    def _widths_agree(self) -> Self:
        low, high = WEIGHT_WIDTHS[self.weight_code]
        if not low <= self.weight_width <= high:
            bounds = str(low) if low == high else f"{low}..{high}"
            raise ValueError(
                f"weight_width must be {bounds} for weight_code {self.weight_code}, "
                f"not {self.weight_width}"
            )
        if self.psum_width < self.product_width:
            raise ValueError(
                f"psum_width must hold one product ({self.product_width} bits), "
                f"not {self.psum_width}"
            )
        return self

    @property
    def value_width(self) -> int:
        """Bits, two's complement, of the integer that a weight's code stands for."""
        n = self.weight_width
        widths = {"int": n, "levels": n + 1, "ternary": 2, "pow2": 1 << (n - 1)}
        return widths[self.weight_code]

    @property
    def product_width(self) -> int:
        """Bits of one product: no pair of operands needs more."""
        # levels reach +2**(n-1), but no product of theirs leaves the range of an n-bit integer's
        width = self.weight_width if self.weight_code == "levels" else self.value_width
        return max(self.act_width, 2) + width

    @property
    def has_zero(self) -> bool:
        """Whether a stored weight may be zero; without, a zero weight must be absent."""
        return self.weight_code != "levels"


class SystolicConfig(Config):
    """What the systolic arrays share: ``rows x cols`` PEs in one of two dataflows."""

    #: Whether PEs find their operands by decoding stored indices; a systolic PE does not.
    decodes_indices: ClassVar[bool] = False

    #: Bits of a command's counts: folds of each loop, K of an output-stationary fold.
    COUNT_WIDTH: ClassVar[int] = 24

    family: str
    #: ``ws``: rows hold K, columns hold M, pixels stream. ``os``: rows hold M, columns hold pixels.
    dataflow: Literal["ws", "os"]
    rows: Annotated[int, Field(ge=1, le=256)]
    cols: Annotated[int, Field(ge=1, le=256)]
    #: ``ws``: pixels of one tile, the depth of the accumulator memory. ``os`` has none.
    acc_depth: Annotated[int, Field(ge=1, le=65536)] | None = None

    @model_validator(mode="after")
    def _accumulator_fits_the_dataflow(self) -> Self:
        if self.dataflow == "ws":
            if self.acc_depth is None:
                raise ValueError("acc_depth must be given for dataflow ws")
            _power_of_two(self.acc_depth, "acc_depth")
        elif self.acc_depth is not None:
            raise ValueError("acc_depth must be absent for dataflow os: PEs hold the partial sums")
        return self

    @property
    def block(self) -> int:
        """Positions of K that one PE sees in a clock."""
        return 1

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        return self.rows * self.cols


class DenseConfig(SystolicConfig):
    """Systolic array that consumes dense weights."""

    family: Literal["dense"]
    #: K that each of ``rows`` activation banks holds: the rows gather from them. Without, the
    #: activations stream gathered.
    gather_depth: Annotated[int, Field(ge=1, le=4096)] | None = None
    #: Bank of an activation: ``k`` mod rows of the lowered layer, or ``channel`` mod rows, for
    #: which the host pads the channels of each tap to whole rows.
    gather_banks: Literal["k", "channel"] = "k"

    @model_validator(mode="after")
    def _gathers_where_k_is_on_rows(self) -> Self:
        if self.gather_depth is None and self.gather_banks != "k":
            raise ValueError("gather_banks must be absent without gather_depth")
        if self.gather_depth is not None:
            _power_of_two(self.gather_depth, "gather_depth")
            if self.dataflow != "ws":
                raise ValueError("gather_depth must be absent for dataflow os: rows hold filters")
        return self


class PatternConfig(SystolicConfig):
    """Systolic array whose PEs hold four weights of a 3x3 kernel, and which taps they are.

    Rows hold input channels, columns hold filters, windows of nine taps stream.
    """

    #: Bits of a command's counts of windows, and of pixels that they are made of.
    WINDOW_WIDTH: ClassVar[int] = 32

    family: Literal["pattern"]
    dataflow: Literal["ws"] = "ws"
    #: Patterns that the library holds.
    patterns: Annotated[int, Field(ge=1, le=16)] = 8
    #: Pixels of one line of a tile, its edges included, that the window unit's buffers hold.
    line_depth: Annotated[int, Field(ge=4, le=4096)]

    @model_validator(mode="after")
    def _lines_are_a_power_of_two(self) -> Self:
        _power_of_two(self.line_depth, "line_depth")
        return self

    @property
    def block(self) -> int:
        """Taps that one PE sees in a clock."""
        return 9

    @property
    def multipliers(self) -> int:
        """Number of multipliers: four a PE."""
        return 4 * self.rows * self.cols


class NMConfig(SystolicConfig):
    """Systolic array whose PEs hold ``n`` of every ``m`` weights along K and see ``m`` activations.

    A K fold takes ``rows * m`` positions.
    """

    family: Literal["nm"]
    #: Weights, and multipliers, of a PE.
    n: Annotated[int, Field(ge=1, le=16)]
    #: Neighbouring positions of K that they come from.
    m: Annotated[int, Field(ge=1, le=16)]

    @model_validator(mode="after")
    def _n_of_m(self) -> Self:
        _power_of_two(self.m, "m")
        if self.n > self.m:
            raise ValueError(f"n must be at most m ({self.m}), not {self.n}")
        return self

    @property
    def block(self) -> int:
        """Positions of K that one PE sees in a clock."""
        return self.m

    @property
    def position_width(self) -> int:
        """Bits of a weight's position in its block; with n = m its place says it."""
        return 0 if self.n == self.m else (self.m - 1).bit_length()

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        return self.rows * self.cols * self.n


class CSCConfig(Config):
    """Index-decoding array (EIE): row m on PE m mod ``pes``; ``lanes`` pixels share one decode."""

    #: Whether PEs find their operands by decoding stored indices; a systolic PE does not.
    decodes_indices: ClassVar[bool] = True

    family: Literal["csc"]
    pes: Annotated[int, Field(ge=1, le=256)]
    lanes: Annotated[int, Field(ge=1, le=64)] = 1
    #: Bits of the relative index: zeros since the previous entry of the column.
    index_bits: Annotated[int, Field(ge=1, le=16)] = 4
    #: Bits of an entry's code into a table of the layer's distinct weights, at most
    #: ``2**codebook_bits - 1`` and zero. Absent: an entry holds the weight's own code.
    codebook_bits: Annotated[int, Field(ge=1, le=8)] | None = None
    #: Non-zero activations each PE can queue.
    fifo_depth: Annotated[int, Field(ge=1, le=1024)] = 8
    #: Activation positions that the leading non-zero detector sees at once.
    window: Annotated[int, Field(ge=1, le=64)] = 8
    #: PEs whose weight memories one beat of the weight stream writes.
    load_pes: Count = 1
    #: Lanes of each PE whose partial sums one beat of the ofmap stream carries.
    drain_lanes: Count = 1
    #: Columns (K) that the pointer memory of a PE holds.
    col_depth: Annotated[int, Field(ge=1, le=65536)]
    #: Entries that the weight memory of a PE holds.
    entry_depth: Annotated[int, Field(ge=1, le=1048576)]
    #: Rows of one PE's accumulator, in each of its two banks.
    acc_depth: Annotated[int, Field(ge=1, le=65536)]

    #: Accumulator banks: one adds up while the other is drained.
    acc_banks: ClassVar[int] = 2

    @model_validator(mode="after")
    def _divides(self) -> Self:
        for key in ("pes", "col_depth", "entry_depth", "acc_depth"):
            _power_of_two(getattr(self, key), key)
        if self.pes % self.load_pes:
            raise ValueError(f"load_pes must divide pes ({self.pes}), not {self.load_pes}")
        if self.lanes % self.drain_lanes:
            raise ValueError(
                f"drain_lanes must divide lanes ({self.lanes}), not {self.drain_lanes}"
            )
        return self

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        return self.pes * self.lanes

    def drain_beats(self, pixels: int) -> int:
        """Beats of the ofmap stream for one local row of a group of ``pixels`` pixels."""
        return -(-pixels // self.drain_lanes)


class BitmaskConfig(Config):
    """Index-decoding array (SparTen): each PE joins the masks of its filters and of the pixels.

    The PEs form ``clusters`` that hold the same weights and take neighbouring pixels.
    """

    #: Whether PEs find their operands by decoding stored indices; a systolic PE does not.
    decodes_indices: ClassVar[bool] = True

    family: Literal["bitmask"]
    #: All PEs; each has one multiplier.
    pes: Annotated[int, Field(ge=1, le=256)]
    clusters: Annotated[int, Field(ge=1, le=64)] = 1
    #: Positions of K that one mask covers.
    chunk: Annotated[int, Field(ge=8, le=128)] = 128
    #: Non-zero activations of each cluster in one beat of the activation stream.
    window: Count = 16
    #: Activation chunks that each PE can hold.
    buffer_depth: Annotated[int, Field(ge=1, le=64)] = 4
    #: PEs of every cluster whose weight memories one beat of the weight stream writes.
    load_pes: Count = 1
    #: Masks that the weight memory of a PE holds: local filters times chunks.
    mask_depth: Annotated[int, Field(ge=1, le=65536)]
    #: Non-zero weights that the weight memory of a PE holds.
    entry_depth: Annotated[int, Field(ge=1, le=1048576)]
    #: Local filters of a PE: rows of its accumulator, in each of its banks.
    acc_depth: Annotated[int, Field(ge=1, le=65536)]
    #: Accumulator banks: pixels that a PE may be ahead of the drain.
    acc_banks: Annotated[int, Field(ge=2, le=16)] = 2
    #: How the compiler deals filters to PEs. ``none``: in turn. ``greedy``: the densest first, each
    #: to the PE with the least work.
    balance: Literal["none", "greedy"] = "none"

    #: A PE computes one pixel, and the drain takes it whole.
    lanes: ClassVar[int] = 1
    drain_lanes: ClassVar[int] = 1

    @model_validator(mode="after")
    def _divides(self) -> Self:
        for key in ("chunk", "window", "mask_depth", "entry_depth", "acc_depth", "acc_banks"):
            _power_of_two(getattr(self, key), key)
        if self.window > self.chunk:
            raise ValueError(f"window must be at most chunk ({self.chunk}), not {self.window}")
        if self.pes % self.clusters:
            raise ValueError(f"clusters must divide pes ({self.pes}), not {self.clusters}")
        if self.cluster_pes % self.load_pes:
            raise ValueError(
                f"load_pes must divide pes / clusters ({self.cluster_pes}), not {self.load_pes}"
            )
        return self

    @property
    def cluster_pes(self) -> int:
        """PEs of one cluster."""
        return self.pes // self.clusters

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        return self.pes


#: The registry of families: a new one is added here and found everywhere else by its name.
ArrayConfig = Annotated[
    DenseConfig | NMConfig | CSCConfig | BitmaskConfig | PatternConfig,
    Field(discriminator="family"),
]


#: Families that compute with activations of one bit, +1 and -1.
BINARY = ("dense", "nm")


class ArchConfig(Config):
    """One design: simulated, generated and verified from this object alone."""

    #: Name of the design; becomes the Verilog module name.
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,62}$")]
    description: str = ""
    clock_mhz: Annotated[float, Field(gt=0, le=10000)] = 800.0
    numbers: NumberConfig = NumberConfig()
    array: ArrayConfig

    @field_validator("name")
    @classmethod
    def _is_a_module_name(cls, name: str) -> str:
        if name in RESERVED:
            raise ValueError("must not be a word that Verilog or the testbench reserves")
        return name

    @model_validator(mode="after")
    def _array_takes_the_numbers(self) -> Self:
        array, numbers = self.array, self.numbers
        if numbers.act_width == 1 and array.family not in BINARY:
            raise ValueError(
                f"act_width must be at least 2 for family {array.family}: "
                f"binary activations are for {' and '.join(BINARY)}"
            )
        has_zeros = numbers.act_width > 1 and numbers.has_zero
        if isinstance(array, DenseConfig) and array.gather_depth is not None and not has_zeros:
            raise ValueError(
                "gather_depth must be absent where weights or activations have no zero: "
                "a row whose bank has no entry in a fold multiplies by zero"
            )
        if isinstance(array, CSCConfig) and (array.codebook_bits or 0) >= numbers.weight_width:
            raise ValueError(
                f"codebook_bits must be less than weight_width ({numbers.weight_width}), "
                f"not {array.codebook_bits}"
            )
        return self

    @classmethod
    def read(cls, name: str | Path) -> Self:
        """Read a design by name (``configs/arch``) or path."""
        return load(cls, resolve(name, "arch"))
