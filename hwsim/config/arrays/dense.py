"""Dense family: weights as they are; pruned rows and columns are left out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.arrays.base import power_of_two
from hwsim.config.arrays.systolic import SYSTOLIC_CAUSES, SystolicConfig
from hwsim.config.numbers import NumberConfig
from hwsim.contract.causes import CauseTable
from hwsim.contract.events import Strobe
from hwsim.contract.memories import Memory
from hwsim.contract.parts import Part, linear

__all__ = ["DenseConfig"]


class DenseConfig(SystolicConfig):
    """Systolic array that consumes dense weights."""

    FORMAT: ClassVar[str] = "hwsim.formats.dense"
    MODEL: ClassVar[str] = "hwsim.arrays.dense.array"
    RTL: ClassVar[str] = "hwsim.rtl.arrays.dense.array"
    CELL: ClassVar[str] = "hwsim.rtl.arrays.dense.cell"
    CAUSES: ClassVar[CauseTable] = SYSTOLIC_CAUSES
    EVENTS: ClassVar[Mapping[str, str]] = {
        **SystolicConfig.EVENTS,
        "bank_writes": "activations written to the banks of the scratchpad",
        "bank_reads": "activations read from the banks of the scratchpad",
        "list_writes": "words of `rows` addresses written to the gather list",
        "list_reads": "words of `rows` addresses read from the gather list",
    }
    DEPTHS: ClassVar[tuple[str, ...]] = ("gather_depth", "acc_depth")
    SPARSITY: ClassVar[str] = "dense"
    OPTIONS: ClassVar[tuple[str, ...]] = (*SystolicConfig.OPTIONS, "fold_lists")
    PLANNED: ClassVar[tuple[str, ...]] = ("fold_lists",)
    binary_acts: ClassVar[bool] = True
    stores_zeros: ClassVar[bool] = True
    gathers: ClassVar[tuple[bool, ...]] = (False, True)
    SURVEY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "dense ws": {"family": "dense", "dataflow": "ws", "rows": 4, "cols": 4, "acc_depth": 4},
        "dense os": {"family": "dense", "dataflow": "os", "rows": 4, "cols": 4},
    }

    #: Bits of a command's count of the weight rows of one pass.
    ROWS_WIDTH: ClassVar[int] = 32

    #: Words of half an activation bank, at most: of each pixel of a tile, its K indices.
    BANK_WORDS: ClassVar[int] = 1 << 19

    family: Literal["dense"]
    #: Depth of each of the ``rows`` activation banks, in K indices. Unset: the host streams
    #: activations already gathered.
    gather_depth: Annotated[int, Field(ge=1, le=4096)] | None = None
    #: Bank of an activation: ``k`` mod rows of the lowered layer, or ``channel`` mod rows, for
    #: which the host pads the channels of each tap to whole rows.
    gather_banks: Literal["k", "channel"] = "k"
    #: Words of the weight stream. ``plain``: a weight for each lane. ``bitmask``: masks with packed
    #: non-zeros, which a decompressor before the array unpacks.
    weight_stream: Literal["plain", "bitmask"] = "plain"
    #: Weights that a compressed word is as wide as. Unset: those of a plain word, rounded up to a
    #: power of two.
    weight_port: Annotated[int, Field(ge=1, le=256)] | None = None
    #: Whether nothing switches in the multiplier of a PE where an operand is zero: the registers
    #: before it hold still. Saves energy, no cycle.
    zero_gating: bool = False
    #: Whether each fold of filters has a gather list of its own: the host leaves out columns that
    #: are zero in all of its filters, and sends it as a command of its own. Off: one list for the
    #: layer.
    fold_lists: bool = False

    @model_validator(mode="after")
    def _gathers_where_k_is_on_rows(self) -> Self:
        if self.gather_depth is None and self.gather_banks != "k":
            raise ValueError("gather_banks must be absent without gather_depth")
        if self.gather_depth is not None:
            power_of_two(self.gather_depth, "gather_depth")
            if self.dataflow != "ws":
                raise ValueError("gather_depth must be absent for dataflow os: rows hold filters")
            if self.gather_depth * (self.acc_depth or 1) > self.BANK_WORDS:
                raise ValueError(
                    f"gather_depth x acc_depth must be at most {self.BANK_WORDS:,}, "
                    f"not {self.gather_depth * (self.acc_depth or 1):,}"
                )
        return self

    @model_validator(mode="after")
    def _decompresses_alone(self) -> Self:
        if self.weight_port is not None:
            power_of_two(self.weight_port, "weight_port")
            if not self.decompresses:
                raise ValueError("weight_port must be absent where weight_stream is plain")
        if self.zero_gating and self.mac_latency < 3:
            raise ValueError(f"zero_gating needs mac_latency 3, not {self.mac_latency}")
        if self.decompresses and self.gather_depth is not None:
            raise ValueError("weight_stream must be plain with gather_depth")
        if self.carries and self.gather_depth is not None:
            raise ValueError("carries must be off with gather_depth: banks are filled per command")
        if self.carries and self.decompresses and self.dataflow == "os":
            raise ValueError("carries must be off for dataflow os with compressed weights")
        return self

    @model_validator(mode="after")
    def _lists_of_folds(self) -> Self:
        if self.fold_lists and self.dataflow != "ws":
            raise ValueError("fold_lists must be off for dataflow os")
        if self.fold_lists and (self.decompresses or self.gather_depth is not None):
            raise ValueError("fold_lists must be off with weight_stream bitmask and gather_depth")
        return self

    @property
    def decompresses(self) -> bool:
        """Whether a decompressor unpacks the weight stream."""
        return self.weight_stream == "bitmask"

    @property
    def counts_shapes(self) -> bool:
        """Weights that are not compressed are words as they are."""
        return not self.decompresses

    @property
    def weight_lanes(self) -> int:
        """Weights that the array takes in one cycle: one of each filter of a fold."""
        return self.cols if self.dataflow == "ws" else self.rows

    @property
    def word_weights(self) -> int:
        """Weights that a compressed word is as wide as."""
        return self.weight_port or 1 << (self.weight_lanes - 1).bit_length()

    @property
    def strobes(self) -> dict[str, Strobe]:
        """Those of every systolic array, and of the scratchpad where there is one."""
        if self.gather_depth is None:
            return super().strobes
        banks = {name: Strobe(each=self.rows) for name in ("bank_writes", "bank_reads")}
        return super().strobes | banks | {"list_writes": Strobe(), "list_reads": Strobe()}

    @property
    def core_path(self) -> str:
        """Mesh and control lie in a module of their own where something is before them."""
        return "array." if self.decompresses or self.gather_depth is not None else ""

    def cell_bits(self, numbers: NumberConfig) -> tuple[int, int]:
        """A weight's code, and an activation; binary ones take two bits inside."""
        return numbers.weight_width, max(numbers.act_width, 2)

    def weight_fields(self, numbers: NumberConfig) -> dict[str, int]:
        """One code per lane, or the slots of a compressed word."""
        return {"slots" if self.decompresses else "weight": numbers.weight_width}

    def machine_beats(self, numbers: NumberConfig) -> tuple[int, int, int]:
        """As of every systolic array; compressed words, and no scratchpad."""
        acts, sums, weights = super().machine_beats(numbers)
        if self.fold_lists:
            raise ValueError("fold_lists must be off in a machine: its compiler cuts the lists")
        if self.gather_depth is not None:
            raise ValueError("memory must be absent with gather_depth: act banks feed the array")
        if self.decompresses:
            # transposers give the decompressor time that its count does not know
            if self.transposes:
                raise ValueError("weight_stream must be plain in a machine of dataflow os")
            weights = self.word_weights * numbers.weight_width
        return acts, sums, weights

    @property
    def machine_command(self) -> dict[str, tuple[str, int]]:
        """As of every systolic array, and the rows that are unpacked."""
        rows = {"weight_rows": ("folds", self.rows)} if self.decompresses else {}
        return super().machine_command | rows

    @property
    def kind(self) -> str:
        """Family and dataflow, what is before the array, and whether zeros are gated."""
        options = {
            "bitmask": self.decompresses,
            "gather": self.gather_depth is not None,
            "zero-gated": self.zero_gating,
        }
        return " ".join([super().kind, *(name for name, chosen in options.items() if chosen)])

    def stream_bits(self, numbers: NumberConfig) -> tuple[int, int]:
        """A weight's code, and an activation."""
        return numbers.weight_width, numbers.act_width

    def port_bits(self, numbers: NumberConfig) -> dict[str, int]:
        """As of every systolic array; compressed words, and a word of the gather list."""
        found = super().port_bits(numbers)
        if self.decompresses:
            found["weight"] = self.word_weights * numbers.weight_width
        if self.gather_depth is not None:
            found["act"] += self.rows * max(1, (self.gather_depth - 1).bit_length())
        return found

    def traffic(self, numbers: NumberConfig, events: Mapping[str, int]) -> dict[str, int]:
        """As of every systolic array; compressed words, and the words of the gather list."""
        found = super().traffic(numbers, events)
        if self.decompresses:
            found["weight"] = events["weight_beats"] * self.word_weights * numbers.weight_width
        if self.gather_depth is not None:
            entry = (self.gather_depth - 1).bit_length()
            found["act"] += events["list_writes"] * self.rows * entry
        return found

    def parts(self, numbers: NumberConfig) -> list[Part]:
        """Those of every systolic array, and the decompressor or the scratchpad before it."""
        if self.decompresses:
            # its size depends on the lanes alone, and not as a line
            other = "rows" if self.dataflow == "ws" else "cols"
            probe = {other: min(getattr(self, other), 2)}
            return [*super().parts(numbers), Part("decompressor", "decompressor", probe)]
        if self.gather_depth is None:
            return super().parts(numbers)
        sizes = {"rows": (self.rows, 2, 6)}
        return super().parts(numbers) + linear("scratchpad", "gather", sizes)

    @property
    def clock_probe(self) -> dict[str, int]:
        """As of every systolic array; paths of a decompressor grow with the lanes."""
        probe = super().clock_probe
        if self.decompresses:
            del probe["cols" if self.dataflow == "ws" else "rows"]
        return probe

    def memories(self, numbers: NumberConfig) -> tuple[Memory, ...]:
        """The accumulator, and the banks and the list of a scratchpad."""
        if self.gather_depth is None or self.acc_depth is None:
            return super().memories(numbers)
        banks = Memory(
            "bank", 2 * self.gather_depth * self.acc_depth, numbers.act_width, self.rows,
            reads="bank_reads", writes="bank_writes",
        )  # fmt: skip
        address = (self.gather_depth - 1).bit_length()
        entries = Memory(
            "gather list", self.gather_depth, self.rows * address, ports=1, combinational=True,
            reads="list_reads", writes="list_writes",
        )  # fmt: skip
        return (*super().memories(numbers), banks, entries)

    def check_numbers(self, numbers: NumberConfig) -> None:
        """Refuse masks without zeros, gathered rows and gated zeros where operands have none."""
        if self.zero_gating and numbers.act_width == 1:
            raise ValueError("zero_gating must be off for act_width 1: no activation is zero")
        if self.decompresses and not numbers.has_zero:
            raise ValueError(
                f"weight_stream must be plain for weight_code {numbers.weight_code}: "
                "no weight is zero"
            )
        has_zeros = numbers.act_width > 1 and numbers.has_zero
        if self.gather_depth is not None and not has_zeros:
            raise ValueError(
                "gather_depth must be absent where weights or activations have no zero: "
                "a row whose bank has no entry in a fold multiplies by zero"
            )
