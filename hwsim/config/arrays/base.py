"""What every array family states about itself."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Annotated, Any, ClassVar

from pydantic import Field

from hwsim.config.base import Config
from hwsim.config.numbers import NumberConfig
from hwsim.contract.causes import CauseTable, cause_names
from hwsim.contract.events import Strobe
from hwsim.contract.machine import OUTPUT_STAGE
from hwsim.contract.memories import Memory
from hwsim.contract.parts import Part

__all__ = ["ArrayConfig", "Count", "depth_of", "divisors", "power_of_two", "wing"]

Count = Annotated[int, Field(ge=1, le=1 << 16)]


def power_of_two(value: int, key: str) -> None:
    """Refuse, with ``ValueError``, a value of ``key`` that is no power of two."""
    if value & (value - 1):
        raise ValueError(f"{key} must be a power of two, not {value}")


def depth_of(words: int, memories: int) -> int:
    """Depth of each of some memories that hold so many words: a power of two."""
    return 1 << (-(-words // memories) - 1).bit_length()


def divisors(value: int) -> list[int]:
    """Numbers that divide ``value``, the least first."""
    return [number for number in range(1, value + 1) if value % number == 0]


def wing(module: str) -> Any:
    """Load one of the modules that a family names: its format, its model or its RTL."""
    return import_module(module)


class ArrayConfig(Config):
    """The array of a design. A family is a subclass, listed in the registry.

    The class states every fact that other parts need to know about the family. It names the modules
    that hold its format, its cycle model and its RTL, which are loaded where they are used.
    """

    #: Module of the weight format: ``measure``, ``nonzeros`` and, where the format constrains the
    #: weights, ``project`` (:mod:`hwsim.formats`).
    FORMAT: ClassVar[str]
    #: Module of the cycle model: ``compile``, ``simulate`` and ``count``
    #: (:class:`hwsim.arrays.base.ArrayModel`), and optionally ``draw_case`` for verification.
    MODEL: ClassVar[str]
    #: Module of the RTL: ``Array(arch)`` (:mod:`hwsim.rtl.arrays`).
    RTL: ClassVar[str]
    #: Module of what fits the array to a machine, where there is one for it: ``Adapter(arch)``
    #: (:mod:`hwsim.rtl.machine.adapters`).
    ADAPTER: ClassVar[str]

    #: What a cycle of the array, or of its control and PEs, can be spent on.
    CAUSES: ClassVar[CauseTable]
    #: Events of the family, apart from the transfers of its streams -> what they count.
    EVENTS: ClassVar[Mapping[str, str]] = {}
    #: Events, beside multiplications, in which the logic of PEs switches.
    SWITCHING: ClassVar[tuple[str, ...]] = ()
    #: Kind of sparsity that the array is built for.
    SPARSITY: ClassVar[str]
    #: Fields that are depths of memories which hold operands or sums: what ``hwsim fit`` shrinks.
    DEPTHS: ClassVar[tuple[str, ...]] = ()
    #: Fields that add hardware and are off by default.
    OPTIONS: ClassVar[tuple[str, ...]] = ()
    #: Those of them that change what the host streams, and no register.
    PLANNED: ClassVar[tuple[str, ...]] = ()
    #: Whether PEs find their operands by decoding stored indices.
    decodes_indices: ClassVar[bool] = False
    #: Whether zero activations take fewer cycles: counts then depend on their values.
    skips_acts: ClassVar[bool] = False
    #: Whether weights still fit the format when a layer loses channels: no block of K counts them.
    channels_move: ClassVar[bool] = True
    #: Whether PEs hold all filters of a tile: a machine sends a pixel after the other, and the sums
    #: of a pixel leave one after the other.
    pixel_by_pixel: ClassVar[bool] = False
    #: Whether pixels are taken in groups, all local filters of one after the other.
    by_groups: ClassVar[bool] = False
    #: Loop of a job's results that steps from filters to filters.
    FILTER_LOOP: ClassVar[int] = 2
    #: What ``memory.gather`` of a machine may be: without, with lists of beats for each lane.
    gathers: ClassVar[tuple[bool, ...]] = (False,)
    #: Beats of activations that a word of an act bank holds at least.
    word_beats: ClassVar[int] = 1
    #: Whether the array takes binary activations, +1 and -1.
    binary_acts: ClassVar[bool] = False
    #: Whether a weight is stored at every position that is kept, zeros included: where the code
    #: has no zero, no weight there may be one.
    stores_zeros: ClassVar[bool] = False
    #: ``array`` sections of small arrays whose PEs are representative, by title: what
    #: ``hwsim synth`` surveys.
    SURVEY: ClassVar[Mapping[str, Mapping[str, Any]]] = {}

    family: str

    @property
    def multipliers(self) -> int:
        """Number of multipliers."""
        raise NotImplementedError

    def splits(self, multipliers: int) -> list[dict[str, int | None]]:
        """Shapes of ``multipliers`` multipliers: fields in which each differs from the array.

        The first two fields name the shape: rows and columns, PEs and lanes.
        Ports, and memories in total, stay as they are where the shape lets them. A shape may break
        a rule of the family, which the design of that shape then says.
        """
        return []

    def port_bits(self, numbers: NumberConfig) -> dict[str, int]:
        """Bits of a beat of ``weight``, ``act`` and ``ofmap``, flags included.

        Empty where the family does not say.
        """
        return {}

    @property
    def block(self) -> int:
        """Positions of K that one PE sees in a cycle."""
        return 1

    @property
    def extents(self) -> tuple[int, int, int]:
        """M, K and N that one pass of the array takes, or what stands for it where unlimited."""
        raise NotImplementedError

    def beyond_memory(self, limit: int) -> tuple[int, int]:
        """M and N that exceed the accumulators, where that takes no extent above ``limit``."""
        raise NotImplementedError

    def long_runs(self, limit: int) -> int:
        """M whose runs of zeros outgrow the stored index; 0 for a format without relative index."""
        return 0

    @property
    def checkpoint_kind(self) -> str:
        """Kind of shipped checkpoint that suits the array: the name without the network's."""
        return self.SPARSITY

    @property
    def cause_names(self) -> dict[str, tuple[str, ...]]:
        """Causes of each status group, in the order of their codes."""
        return cause_names(self.CAUSES)

    @property
    def members(self) -> dict[str, int]:
        """Members of each status group: 1 for the array or its control, P for the PEs."""
        return dict.fromkeys(self.CAUSES, 1)

    @property
    def strobes(self) -> dict[str, Strobe]:
        """Signal in the RTL of each of :attr:`EVENTS` that the design has."""
        return {}

    def memories(self, numbers: NumberConfig) -> tuple[Memory, ...]:
        """Memories of the RTL, those of queues included."""
        return ()

    def parts(self, numbers: NumberConfig) -> list[Part]:
        """Logic of the array, memories apart; by default the array as one part."""
        return [Part("array", "")]

    @property
    def clock_probe(self) -> dict[str, int]:
        """Fields of a small array that has the same paths between registers and memories."""
        return {}

    def registers(self, numbers: NumberConfig) -> int:
        """Bits of the registers with an enable that lie between the parts: skew and deskew."""
        return 0

    @property
    def kind(self) -> str:
        """What its logic switches as: designs of one kind differ in sizes alone."""
        return self.family

    def traffic(self, numbers: NumberConfig, events: Mapping[str, int]) -> dict[str, int]:
        """Bits of data that ``weight``, ``act`` and ``ofmap`` carry: no flags, no addresses.

        Empty where the family does not say: its energy is not known then.
        """
        return {}

    @property
    def list_lanes(self) -> int:
        """Entries of a word of a gather list, where lists lie beside the weights."""
        return 1

    def list_reads(self, events: Mapping[str, int]) -> int:
        """Words of gather lists that are read; none where the weight stream has the indices."""
        return 0

    def weight_passes(self, pixels: int) -> int:
        """How often the weights of a layer are streamed for so many pixels: held ones once."""
        return 1

    @property
    def counts_shapes(self) -> bool:
        """Whether the cycles of a machine, and its words of weights, depend on shapes alone."""
        return False

    @property
    def transposes(self) -> bool:
        """Whether a tile's pixels fill a transposer before the array, and one behind it."""
        return False

    @property
    def machine_carries(self) -> bool:
        """Whether a job of a machine may keep its sums in the array for the next one."""
        return False

    @property
    def holds_halves(self) -> bool:
        """Whether the array's own weight memories have halves, which a machine's load fills."""
        return False

    @property
    def clear_cycles(self) -> int:
        """Cycles after a reset in which the array takes no command."""
        return 0

    @property
    def kept_cycles(self) -> int:
        """Cycles of the array's count that a job that keeps its sums does not take."""
        return OUTPUT_STAGE

    @property
    def machine_rows(self) -> tuple[int, int, int]:
        """Rows of an accumulator in which the sums of a job may stay, and what takes one of them.

        Folds of filters, pixels or groups of them, rows: each so many folds of each so many pixels
        take a row. By default one fold, of all pixels.
        """
        return 1, self.machine_pixels, 1

    @property
    def machine_pixels(self) -> int:
        """Pixels of a job of a machine at most, or groups of them: the field of a descriptor."""
        return (1 << 16) - 1

    def machine_beats(self, numbers: NumberConfig) -> tuple[int, int, int]:
        """Activations and results of a beat, and bits of one of weights, in a machine.

        Raises
        ------
        ValueError
            There is no machine for the array.
        """
        raise ValueError(f"memory must be absent: there is no machine for family {self.family}")

    def weight_fields(self, numbers: NumberConfig) -> dict[str, int]:
        """Fields of a beat of weights, in order, and the bits of each element."""
        raise NotImplementedError

    def check_numbers(self, numbers: NumberConfig) -> None:
        """Refuse, with ``ValueError``, word widths and codes that the array cannot take."""
