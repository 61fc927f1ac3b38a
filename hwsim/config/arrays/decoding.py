"""What the index-decoding families share: PEs with weight memories, loaded and drained by beats."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import gcd
from typing import Annotated, ClassVar, Self

from pydantic import Field, model_validator

from hwsim.config.arrays.base import ArrayConfig, Count, depth_of, power_of_two
from hwsim.config.numbers import NumberConfig
from hwsim.contract.events import Strobe
from hwsim.contract.memories import Memory
from hwsim.contract.parts import Part

__all__ = ["Banks", "DecodingConfig"]


@dataclass(frozen=True)
class Banks:
    """Accumulator banks of a PE: ``count`` banks of ``depth`` rows of ``lanes`` partial sums.

    One bank adds up while others are drained, ``drain_lanes`` lanes of each PE per beat.
    """

    count: int
    depth: int
    lanes: int = 1
    drain_lanes: int = 1

    def __post_init__(self) -> None:
        for key in ("count", "depth"):
            power_of_two(getattr(self, key), key)
        if self.count < 2:
            raise ValueError(f"count must be at least 2, not {self.count}")
        if min(self.depth, self.lanes, self.drain_lanes) < 1 or self.lanes % self.drain_lanes:
            raise ValueError(
                f"drain_lanes must divide lanes ({self.lanes}), not {self.drain_lanes}"
            )

    @property
    def beats(self) -> int:
        """Beats in which all lanes of a row are drained."""
        return self.lanes // self.drain_lanes


class DecodingConfig(ArrayConfig):
    """PEs that find their operands by decoding stored indices."""

    SPARSITY: ClassVar[str] = "nonstructured"
    decodes_indices: ClassVar[bool] = True
    skips_acts: ClassVar[bool] = True
    OPTIONS: ClassVar[tuple[str, ...]] = ("carries", "double_buffered")

    pes: Annotated[int, Field(ge=1, le=256)]
    #: Non-zero weights that the weight memory of a PE holds, padding included.
    entry_depth: Annotated[int, Field(ge=1, le=1048576)]
    #: Local filters of a PE: rows of its accumulator, in each of its banks.
    acc_depth: Annotated[int, Field(ge=1, le=65536)]
    #: PEs (of every cluster) whose weight memories one beat of the weight stream writes.
    load_pes: Count = 1
    #: PEs whose partial sums leave together, in one beat of the ofmap stream. Absent: all.
    drain_pes: Count | None = None
    #: Whether a command may begin with the sums that the one before left in the accumulators, and
    #: may leave its own there: K is cut over commands.
    carries: bool = False
    #: Whether the weight memories of the PEs have two halves: the load engine of a machine fills
    #: one while the other is read, and there is no weight memory beside them.
    double_buffered: bool = False

    @model_validator(mode="after")
    def _drains_whole_beats(self) -> Self:
        if self.pes % (self.drain_pes or self.pes):
            raise ValueError(f"drain_pes must divide pes ({self.pes}), not {self.drain_pes}")
        if self.double_buffered and self.entry_depth < 2:
            raise ValueError("entry_depth must be at least 2 where double_buffered is on, not 1")
        return self

    @property
    def halves(self) -> int:
        """Halves of the weight memories of a PE."""
        return 2 if self.double_buffered else 1

    @property
    def drain_slices(self) -> int:
        """Beats in which all PEs have sent the same of their partial sums."""
        return self.pes // (self.drain_pes or self.pes)

    @property
    def beat_psums(self) -> int:
        """Partial sums of one beat of the ofmap stream."""
        return self.pes // self.drain_slices * self.banks.drain_lanes

    @property
    def banks(self) -> Banks:
        """Accumulator banks of a PE."""
        raise NotImplementedError

    @property
    def machine_carries(self) -> bool:
        """Whether a job may keep its sums in the accumulators."""
        return self.carries

    @property
    def takes_halves(self) -> bool:
        """Whether its memories may be double-buffered."""
        return True

    @property
    def holds_halves(self) -> bool:
        """Whether they are double-buffered."""
        return self.double_buffered

    @property
    def clear_cycles(self) -> int:
        """A row of every accumulator is zeroed per cycle."""
        return self.banks.depth

    @property
    def kept_cycles(self) -> int:
        """None: counts of jobs that keep their sums are made without the drain."""
        return 0

    @property
    def machine_rows(self) -> tuple[int, int, int]:
        """Groups take banks in turn, each local filter of them a row of its bank."""
        return 1, self.banks.count, self.banks.depth

    def kept_groups(self, rows: int) -> int:
        """Groups whose sums stay, of ``rows`` local rows each: as many as the accumulators hold.

        They take banks in turn, and of each bank ``rows`` rows after the other.
        """
        return self.banks.count * (self.banks.depth // rows)

    def probe(self, pes: int, **fields: int) -> dict[str, int]:
        """Fields of a small array of ``pes`` PEs, which drains no more of them than it loads."""
        if self.drain_pes is not None:
            fields["drain_pes"] = gcd(self.drain_pes, self.load_pes)
        return {"pes": pes, **fields}

    def shaped(self, pes: int, sharing: int, own: int) -> dict[str, int | None]:
        """Fields of an array of ``pes`` PEs, of which ``sharing`` share the filters, not ``own``.

        Accumulators hold the sums of as many filters as before; a beat loads as many PEs, and has
        as many partial sums, where there are so many.
        """
        drained = gcd(pes, self.beat_psums)
        return {
            "acc_depth": depth_of(self.acc_depth * own, sharing),
            "load_pes": gcd(self.load_pes, sharing),
            "drain_pes": None if drained == pes else drained,
        }

    def border(self, **fields: int) -> list[Part]:
        """What joins streams and PEs, as it grows with the PEs."""
        few = self.load_pes
        more = self.pes / few - 1
        parts = [
            Part("border", "", self.probe(few, **fields), 1 - more, is_own=True),
            Part("border", "", self.probe(2 * few, **fields), more, is_own=True),
        ]
        return [part for part in parts if part.count]

    @property
    def pe_strobes(self) -> Mapping[str, Strobe]:
        """Signal of each event in the RTL of one PE."""
        return {}

    def accumulators(self, numbers: NumberConfig) -> Memory:
        """Accumulator banks of all PEs."""
        banks = self.banks
        return Memory(
            "accumulator", banks.depth, banks.lanes * numbers.psum_width, self.pes * banks.count,
            reads="psum_reads", writes="psum_writes",
        )  # fmt: skip

    @property
    def strobes(self) -> dict[str, Strobe]:
        """Signal of each event: the strobes of all PEs."""
        return {
            event: Strobe(self.pes * strobe.bits, strobe.each)
            for event, strobe in self.pe_strobes.items()
        }

    @property
    def members(self) -> dict[str, int]:
        """One control, and the PEs."""
        return {group: self.pes if group == "pe" else 1 for group in self.CAUSES}

    def beyond_memory(self, limit: int) -> tuple[int, int]:
        """M that exceeds the accumulators by one local filter, N of one group."""
        m, _, n = self.extents
        rows = m * self.acc_depth + 1
        return (rows if rows <= limit else m), n
