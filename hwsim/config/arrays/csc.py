"""CSC family (EIE): columns of entries with relative indices, interleaved over the PEs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from math import gcd
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.arrays.base import Count, depth_of, power_of_two
from hwsim.config.arrays.decoding import Banks, DecodingConfig
from hwsim.config.numbers import NumberConfig
from hwsim.contract.causes import Cause, CauseTable
from hwsim.contract.events import Strobe
from hwsim.contract.memories import PIECE_DEPTH, Memory, pieces
from hwsim.contract.parts import Part

__all__ = ["CSCConfig"]


class CSCConfig(DecodingConfig):
    """Index-decoding array (EIE): row m on PE m mod ``pes``; ``lanes`` pixels share one decode."""

    FORMAT: ClassVar[str] = "hwsim.formats.csc"
    MODEL: ClassVar[str] = "hwsim.arrays.csc.array"
    RTL: ClassVar[str] = "hwsim.rtl.arrays.csc.array"
    CAUSES: ClassVar[CauseTable] = {
        "control": (
            Cause("idle", "no command yet"),
            Cause("load", "a beat of weights or pointers is written"),
            Cause("weight", "loading, but the weight stream is empty"),
            Cause("broadcast", "a non-zero activation entered every queue"),
            Cause("scan", "the word of the detector held no non-zero"),
            Cause("full", "a queue is full: the broadcast stalls"),
            Cause("act", "the detector has no word: the activation stream is empty"),
            Cause("drain", "everything is broadcast; queues, PEs and accumulators empty"),
        ),
        # of the issue stage, one cycle late: the entry it fetched is known one cycle later
        "pe": (
            Cause("idle", "no layer is running"),
            Cause("mac", "an entry was fetched: a useful multiply-accumulate"),
            Cause("padding", "an entry was fetched: a padding zero"),
            Cause("column", "the PE holds no entry of this column"),
            Cause("pointer", "the pointers of a column were fetched, with no work to hide that"),
            Cause("empty", "the queue is empty, and tokens are still to come"),
            Cause("drain", "the accumulator bank of the group still waits to be drained"),
            Cause("done", "all columns are processed; the array drains"),
        ),
    }
    EVENTS: ClassVar[Mapping[str, str]] = {
        "queue_writes": "tokens written to the queues of PEs",
        "queue_reads": "tokens read from the queues of PEs",
        "pointer_writes": "words written to the pointer memories of PEs",
        "pointer_reads": "words read from the pointer memories of PEs, two per column",
        "entry_writes": "words written to the entry memories of PEs",
        "entry_reads": "entries read from the memories of PEs and decoded, padding included",
        "codebook_writes": "words written to the codebooks of PEs",
        "codebook_reads": "words read from the codebooks of PEs",
        "macs": "multiplications, those by a zero lane included",
        "psum_reads": "accumulator rows of all lanes read, to add or to drain",
        "psum_writes": "accumulator rows of all lanes written, to add or to clear",
    }
    SURVEY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "csc": {"family": "csc", "pes": 1, "col_depth": 1024, "entry_depth": 4096, "acc_depth": 16},
        "csc codebook": {
            "family": "csc", "pes": 1, "col_depth": 1024, "entry_depth": 4096, "acc_depth": 16,
            "codebook_bits": 4,
        },
    }  # fmt: skip

    DEPTHS: ClassVar[tuple[str, ...]] = ("entry_depth", "acc_depth", "col_depth")
    SWITCHING: ClassVar[tuple[str, ...]] = ("queue_reads",)

    ADAPTER: ClassVar[str] = "hwsim.rtl.machine.adapters.csc"
    by_groups: ClassVar[bool] = True
    FILTER_LOOP: ClassVar[int] = 1

    family: Literal["csc"]
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
    #: Lanes of each PE whose partial sums one beat of the ofmap stream carries.
    drain_lanes: Count = 1
    #: Columns (K) that the pointer memory of a PE holds.
    col_depth: Annotated[int, Field(ge=1, le=65536)]

    #: Accumulator banks: one adds up while the other is drained.
    acc_banks: ClassVar[int] = 2

    @model_validator(mode="after")
    def _divides(self) -> Self:
        for key in ("pes", "col_depth", "entry_depth", "acc_depth"):
            power_of_two(getattr(self, key), key)
        if self.pes % self.load_pes:
            raise ValueError(f"load_pes must divide pes ({self.pes}), not {self.load_pes}")
        if self.carries and self.codebook_bits is not None:
            raise ValueError("carries must be off with codebook_bits: parts of K have no own table")
        if self.double_buffered and not self.takes_halves:
            raise ValueError("double_buffered must be off with codebook_bits: no machine has both")
        if self.carries and self.window > self.col_depth:
            # K is cut into whole windows, whose columns the pointer memories must hold
            raise ValueError(
                f"window must be at most col_depth ({self.col_depth}) with carries, "
                f"not {self.window}"
            )
        if self.lanes % self.drain_lanes:
            raise ValueError(
                f"drain_lanes must divide lanes ({self.lanes}), not {self.drain_lanes}"
            )
        return self

    @property
    def takes_halves(self) -> bool:
        """Not with a codebook, which has no half of its own."""
        return self.codebook_bits is None

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        return self.pes * self.lanes

    def splits(self, multipliers: int) -> list[dict[str, int | None]]:
        """Every power of two of PEs, with its lanes."""
        found: list[dict[str, int | None]] = []
        pes = 1
        while multipliers % pes == 0:
            lanes = multipliers // pes
            found.append(
                {
                    "pes": pes,
                    "lanes": lanes,
                    "window": max(1, self.window * self.lanes // lanes),
                    "entry_depth": depth_of(self.entry_depth * self.pes, pes),
                    **self.shaped(pes, pes, self.pes),
                    "drain_lanes": gcd(lanes, max(1, self.beat_psums // pes)),
                }
            )
            pes *= 2
        return found

    def port_bits(self, numbers: NumberConfig) -> dict[str, int]:
        """A word for each PE that is loaded, positions of all lanes, partial sums of a beat."""
        fields = self.weight_fields(numbers)
        if self.codebook_bits is not None:
            fields |= {"kind": 2, "data": max(fields["data"], numbers.weight_width)}
        return {
            "weight": sum(fields.values()) + (self.load_pes - 1) * fields["data"],
            "act": self.window * self.lanes * numbers.act_width,
            "ofmap": self.beat_psums * numbers.psum_width,
        }

    @property
    def banks(self) -> Banks:
        """Accumulator banks of a PE."""
        return Banks(self.acc_banks, self.acc_depth, self.lanes, self.drain_lanes)

    @property
    def pointer_width(self) -> int:
        """Bits of a column pointer, from 0 to ``entry_depth``."""
        return self.entry_depth.bit_length()

    @property
    def pe_strobes(self) -> dict[str, Strobe]:
        """Signal of each event in the RTL of one PE."""
        special = {
            "pointer_reads": Strobe(each=2),
            "macs": Strobe(each=self.lanes),
            "psum_reads": Strobe(bits=self.acc_banks),
            "psum_writes": Strobe(bits=self.acc_banks),
        }
        return {
            event: special.get(event, Strobe())
            for event in self.EVENTS
            if self.codebook_bits is not None or not event.startswith("codebook")
        }

    def traffic(self, numbers: NumberConfig, events: Mapping[str, int]) -> dict[str, int]:
        """Words of the weight memories by their kind, words of the detector, rows of sums."""
        code = self.codebook_bits or numbers.weight_width
        weight = (
            events["pointer_writes"] * self.pointer_width
            + events["entry_writes"] * (code + self.index_bits)
            + events.get("codebook_writes", 0) // self.pes * numbers.weight_width
        )
        return {
            "weight": weight,
            "act": events["act_beats"] * self.window * self.lanes * numbers.act_width,
            "ofmap": events["ofmap_beats"] * self.beat_psums * numbers.psum_width,
        }

    @property
    def clock_probe(self) -> dict[str, int]:
        """The PEs that one beat loads."""
        return self.probe(self.load_pes)

    def parts(self, numbers: NumberConfig) -> list[Part]:
        """PEs, control, detector, drain, and the border, which grows with the PEs."""
        probe = self.clock_probe
        return [
            Part("pe", "pe_0", probe, self.pes),
            Part("control", "control", probe),
            Part("detector", "lnzd", probe),
            Part("drain", "drain", probe),
            *self.border(),
        ]

    def memories(self, numbers: NumberConfig) -> tuple[Memory, ...]:
        """Of each PE: queue, pointers of even and of odd columns, entries, codebook, accumulators.

        Pointers, entries and codebook are written between runs and read during them.
        """
        pes, code = self.pes, self.codebook_bits or numbers.weight_width
        token = (self.col_depth - 1).bit_length() + self.lanes * numbers.act_width + 2
        pointers = Memory(
            "pointers", self.col_depth // 2 + 1, self.pointer_width, pes * self.halves, ports=1,
            reads="pointer_reads", writes="pointer_writes",
        )  # fmt: skip
        memories = [
            Memory(
                "queue", self.fifo_depth, token, pes, combinational=True,
                reads="queue_reads", writes="queue_writes",
            ),
            replace(pointers, name="pointers, even"),
            replace(pointers, name="pointers, odd", depth=(self.col_depth + 1) // 2),
            Memory(
                "entries", min(self.entry_depth, PIECE_DEPTH), code + self.index_bits,
                pes * self.halves * pieces(self.entry_depth), ports=1,
                reads="entry_reads", writes="entry_writes",
            ),
        ]  # fmt: skip
        if self.codebook_bits is not None:
            memories.append(
                Memory(
                    "codebook", 1 << code, numbers.weight_width, pes, ports=1,
                    reads="codebook_reads", writes="codebook_writes",
                )
            )  # fmt: skip
        return (*memories, self.accumulators(numbers))

    def machine_beats(self, numbers: NumberConfig) -> tuple[int, int, int]:
        """Channels of one pixel in: a word of the detector for each lane; a local row out."""
        if self.codebook_bits is not None:
            raise ValueError("memory must be absent where there is a codebook")
        if self.drain_slices > 1 or self.drain_lanes > 1:
            raise ValueError(
                "memory must be absent unless partial sums of all PEs, of one lane, leave together"
            )
        power_of_two(self.lanes * self.window, "lanes x window of a machine's array")
        fields = self.weight_fields(numbers)
        bits = sum(fields.values()) + (self.load_pes - 1) * fields["data"]
        return self.lanes * self.window, self.pes, bits

    def weight_fields(self, numbers: NumberConfig) -> dict[str, int]:
        """Which memory, of which PEs, where, and the words of all of them."""
        code = self.codebook_bits or numbers.weight_width
        return {
            "kind": 1,
            "bank": max(1, (self.pes // self.load_pes - 1).bit_length()),
            "addr": max(self.col_depth, self.entry_depth - 1).bit_length(),
            "data": max(self.pointer_width, code + self.index_bits),
        }

    def drain_beats(self, pixels: int) -> int:
        """Beats of the ofmap stream for one local row of a group of ``pixels`` pixels."""
        return -(-pixels // self.drain_lanes)

    @property
    def extents(self) -> tuple[int, int, int]:
        """M of one local row, K of one detector word, N of one group."""
        return self.pes, self.window, self.lanes

    def long_runs(self, limit: int) -> int:
        """M at which a run of zeros takes two padding entries or more."""
        return min(2 * self.pes << self.index_bits, limit)

    def check_numbers(self, numbers: NumberConfig) -> None:
        """Refuse a codebook whose codes are no shorter than the weights'."""
        if (self.codebook_bits or 0) >= numbers.weight_width:
            raise ValueError(
                f"codebook_bits must be less than weight_width ({numbers.weight_width}), "
                f"not {self.codebook_bits}"
            )
