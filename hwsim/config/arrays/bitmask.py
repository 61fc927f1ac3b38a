"""Bitmask family (SparTen): masks of weights and activations are joined in each PE."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

from pydantic import Field, model_validator

from hwsim.config.arrays.base import Count, depth_of, power_of_two
from hwsim.config.arrays.decoding import Banks, DecodingConfig
from hwsim.config.numbers import NumberConfig
from hwsim.contract.causes import Cause, CauseTable
from hwsim.contract.events import Strobe
from hwsim.contract.memories import PIECE_DEPTH, Memory, pieces
from hwsim.contract.parts import Part

__all__ = ["BitmaskConfig"]


class BitmaskConfig(DecodingConfig):
    """Index-decoding array (SparTen): each PE joins the masks of its filters and of the pixels.

    The PEs form ``clusters`` that hold the same weights and take neighbouring pixels.
    """

    FORMAT: ClassVar[str] = "hwsim.formats.bitmask"
    MODEL: ClassVar[str] = "hwsim.arrays.bitmask.array"
    RTL: ClassVar[str] = "hwsim.rtl.arrays.bitmask.array"
    ADAPTER: ClassVar[str] = "hwsim.rtl.machine.adapters.bitmask"
    CAUSES: ClassVar[CauseTable] = {
        "control": (
            Cause("idle", "no command yet"),
            Cause("load", "a beat of masks or values is written"),
            Cause("weight", "loading, but the weight stream is empty"),
            Cause("broadcast", "a beat of activations entered the buffer of every cluster"),
            Cause("full", "the buffers are full: the broadcast stalls"),
            Cause("act", "no beat is at hand: the activation stream is empty"),
            Cause("drain", "everything is broadcast; buffers, PEs and accumulators empty"),
        ),
        # of the join stage
        "pe": (
            Cause("idle", "no layer is running"),
            Cause("mac", "a pair was found: a useful multiply-accumulate"),
            Cause("empty", "the two masks have no position in common"),
            Cause("fetch", "masks are fetched, with no work to hide that"),
            Cause("buffer", "no chunk is in the buffer, and chunks are still to come"),
            Cause("drain", "the accumulator bank of the pixel still waits to be drained"),
            Cause("done", "all chunks are done; the array drains"),
        ),
    }
    EVENTS: ClassVar[Mapping[str, str]] = {
        "mask_writes": "pieces of masks written to the weight memories of PEs",
        "mask_reads": "masks read from the weight memories of PEs",
        "value_writes": "values written to the weight memories of PEs",
        "value_reads": "values read from the weight memories of PEs",
        "joins": "pairs of masks joined: one per chunk, local filter and PE",
        "macs": "multiplications: pairs of non-zeros",
        "psum_reads": "partial sums read from accumulators, to add or to drain",
        "psum_writes": "partial sums written to accumulators, to add or to clear",
    }
    pixel_by_pixel: ClassVar[bool] = True
    FILTER_LOOP: ClassVar[int] = 0
    SURVEY: ClassVar[Mapping[str, Mapping[str, Any]]] = {
        "bitmask": {
            "family": "bitmask", "pes": 1, "chunk": 32, "window": 8, "buffer_depth": 3,
            "mask_depth": 2048, "entry_depth": 4096, "acc_depth": 32, "acc_banks": 2,
        },
    }  # fmt: skip

    DEPTHS: ClassVar[tuple[str, ...]] = ("entry_depth", "mask_depth", "acc_depth")
    SWITCHING: ClassVar[tuple[str, ...]] = ("joins",)

    #: Bits of a mask that one word of the weight stream writes.
    PIECE: ClassVar[int] = 8

    #: Most activations of a cluster's buffer, among all of which each of its PEs selects.
    BUFFERED: ClassVar[int] = 2048

    family: Literal["bitmask"]
    #: All PEs; each has one multiplier.
    clusters: Annotated[int, Field(ge=1, le=64)] = 1
    #: Positions of K that one mask covers.
    chunk: Annotated[int, Field(ge=8, le=128)] = 128
    #: Non-zero activations of each cluster in one beat of the activation stream.
    window: Count = 8
    #: Activation chunks that the buffer of each cluster holds, which its PEs read.
    buffer_depth: Annotated[int, Field(ge=1, le=64)] = 2
    #: Masks that the weight memory of a PE holds: local filters times chunks.
    mask_depth: Annotated[int, Field(ge=1, le=65536)]
    #: Accumulator banks: pixels that a PE may be ahead of the drain.
    acc_banks: Annotated[int, Field(ge=2, le=16)] = 2
    #: How the compiler deals filters to PEs. ``none``: in turn. ``greedy``: the densest first, each
    #: to the PE with the least work.
    balance: Literal["none", "greedy"] = "none"

    @model_validator(mode="after")
    def _divides(self) -> Self:
        for key in ("chunk", "window", "mask_depth", "entry_depth", "acc_depth", "acc_banks"):
            power_of_two(getattr(self, key), key)
        if self.window > self.chunk:
            raise ValueError(f"window must be at most chunk ({self.chunk}), not {self.window}")
        buffered = self.chunk * self.buffer_depth
        if buffered > self.BUFFERED:
            raise ValueError(
                f"chunk x buffer_depth must be at most {self.BUFFERED:,}, for the buffer is of "
                f"flip-flops, not {buffered:,}"
            )
        if self.pes % self.clusters:
            raise ValueError(f"clusters must divide pes ({self.pes}), not {self.clusters}")
        if self.cluster_pes % self.load_pes:
            raise ValueError(
                f"load_pes must divide pes / clusters ({self.cluster_pes}), not {self.load_pes}"
            )
        return self

    def splits(self, multipliers: int) -> list[dict[str, int | None]]:
        """Every power of two of clusters, each with its share of the PEs."""
        found: list[dict[str, int | None]] = []
        clusters = 1
        while multipliers % clusters == 0:
            sharing = multipliers // clusters
            depths = {
                field: depth_of(getattr(self, field) * self.cluster_pes, sharing)
                for field in ("mask_depth", "entry_depth")
            }
            found.append(
                {
                    "pes": multipliers,
                    "clusters": clusters,
                    "window": max(1, self.window * self.clusters // clusters),
                    **depths,
                    **self.shaped(multipliers, sharing, self.cluster_pes),
                }
            )
            clusters *= 2
        return found

    def port_bits(self, numbers: NumberConfig) -> dict[str, int]:
        """A word for each PE that is loaded, a word of each cluster, partial sums of a beat."""
        word, pieces = max(self.PIECE, numbers.weight_width), self.chunk // self.PIECE
        banks = self.cluster_pes // self.load_pes
        bank = max(1, (banks - 1).bit_length())
        address = (max(self.mask_depth * pieces, self.entry_depth, 2) - 1).bit_length()
        return {
            "weight": 1 + bank + address + self.load_pes * word,
            "act": self.window * self.clusters * numbers.act_width + 1,
            "ofmap": self.beat_psums * numbers.psum_width,
        }

    @property
    def banks(self) -> Banks:
        """Accumulator banks of a PE."""
        return Banks(self.acc_banks, self.acc_depth)

    @property
    def pe_strobes(self) -> dict[str, Strobe]:
        """Signal of each event in the RTL of one PE."""
        banks = Strobe(bits=self.acc_banks)
        special = {"psum_reads": banks, "psum_writes": banks}
        return {event: special.get(event, Strobe()) for event in self.EVENTS}

    def traffic(self, numbers: NumberConfig, events: Mapping[str, int]) -> dict[str, int]:
        """Masks and values, those of weights once for all clusters."""
        return {
            "weight": (
                events["mask_writes"] * self.PIECE + events["value_writes"] * numbers.weight_width
            )
            // self.clusters,
            "act": events["act_beats"] * self.window * self.clusters * numbers.act_width,
            "ofmap": events["ofmap_beats"] * self.beat_psums * numbers.psum_width,
        }

    def machine_beats(self, numbers: NumberConfig) -> tuple[int, int, int]:
        """A chunk of one pixel in, ``drain_pes`` filters of it out."""
        if self.clusters > 1:
            raise ValueError(f"clusters of a machine's array must be 1, not {self.clusters}")
        if self.balance != "none":
            raise ValueError(f"balance of a machine's array must be none, not {self.balance}")
        if self.chunk < 2 * self.PIECE:
            # the encoder's two registers are filled while at least two beats of masks are loaded
            raise ValueError(f"chunk of a machine's array must be at least 16, not {self.chunk}")
        power_of_two(self.beat_psums, "drain_pes of a machine's array")
        power_of_two(self.drain_slices, "pes / drain_pes of a machine's array")
        fields = self.weight_fields(numbers)
        data = self.load_pes * fields.pop("data")
        return self.chunk, self.beat_psums, sum(fields.values()) + data

    def weight_fields(self, numbers: NumberConfig) -> dict[str, int]:
        """Masks or values, whether a block of them begins, and a word for each PE."""
        return {"kind": 1, "begins": 1, "data": max(self.PIECE, numbers.weight_width)}

    @property
    def clock_probe(self) -> dict[str, int]:
        """One cluster of the PEs that one beat loads."""
        return self.probe(self.load_pes, clusters=1)

    def parts(self, numbers: NumberConfig) -> list[Part]:
        """PEs, buffers, control, drain; the border grows with PEs, the broadcast with clusters."""
        probe, twice = self.clock_probe, self.probe(2 * self.load_pes, clusters=2)
        broadcast = [
            Part("broadcast", "broadcast", probe, 2 - self.clusters),
            Part("broadcast", "broadcast", twice, self.clusters - 1),
        ]
        return [
            Part("pe", "pe_0", probe, self.pes),
            Part("activation buffer", "buffer_0", probe, self.clusters),
            Part("control", "control", probe),
            Part("drain", "drain", probe),
            *self.border(clusters=1),
            *(part for part in broadcast if part.count),
        ]

    def memories(self, numbers: NumberConfig) -> tuple[Memory, ...]:
        """Of each PE: masks and values of weights, accumulators.

        Those of weights are written between runs and read during them.
        """
        return (
            Memory(
                "weight masks", self.mask_depth, self.chunk, self.pes * self.halves, ports=1,
                reads="mask_reads", writes="mask_writes",
            ),
            Memory(
                "weight values", min(self.entry_depth, PIECE_DEPTH), numbers.weight_width,
                self.pes * self.halves * pieces(self.entry_depth), ports=1,
                reads="value_reads", writes="value_writes",
            ),
            self.accumulators(numbers),
        )  # fmt: skip

    @property
    def machine_rows(self) -> tuple[int, int, int]:
        """A row has the sums of all PEs, which leave in slices."""
        return self.drain_slices, self.banks.count, self.banks.depth

    def mask_beats(self, numbers: NumberConfig) -> int:
        """Beats of the activation stream with the mask of a chunk."""
        return -(-self.chunk // (self.window * numbers.act_width))

    @property
    def cluster_pes(self) -> int:
        """PEs of one cluster."""
        return self.pes // self.clusters

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        return self.pes

    @property
    def extents(self) -> tuple[int, int, int]:
        """M of one local filter, K of one chunk, N of one group."""
        return self.cluster_pes, self.chunk, self.clusters
