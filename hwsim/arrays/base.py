"""What every array family shares: the job its streams carry, pauses on them, and the counts."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from hwsim.config import ArchConfig

__all__ = [
    "GEMM",
    "Conv",
    "Counts",
    "Family",
    "Job",
    "Pauses",
    "Run",
    "Words",
    "family",
    "is_paused",
]

#: Payloads of one stream: field name -> ``(transfers, ...)`` integers. The RTL's payload layout has
#: the same field names in the same order, so packing needs no table.
Words = dict[str, NDArray[np.int64]]

#: Stall pattern of each stream, repeated for ever: ``True`` at clock ``t % len`` keeps an idle
#: source from offering, or a sink from being ready. A source that has offered holds on until the
#: transfer.
Pauses = Mapping[str, NDArray[np.bool_]]


@dataclass(frozen=True)
class Conv:
    """The convolution that a GEMM is: ``images`` ifmaps of ``C x H x W``, filters of ``R x S``."""

    images: int
    C: int
    H: int
    W: int
    R: int
    S: int
    stride: int = 1
    padding: int = 0

    @property
    def P(self) -> int:
        """Height of the ofmap."""
        return (self.H + 2 * self.padding - self.R) // self.stride + 1

    @property
    def Q(self) -> int:
        """Width of the ofmap."""
        return (self.W + 2 * self.padding - self.S) // self.stride + 1


@dataclass(frozen=True)
class GEMM:
    """``ofmap[M, N] = weight[M, K] @ act[K, N]``; a shape alone where operands are absent."""

    M: int
    K: int
    N: int
    weight: NDArray[np.integer] | None = None
    act: NDArray[np.integer] | None = None
    name: str = "gemm"
    #: Where the product is a convolution without dilation: ``act`` is its im2col.
    conv: Conv | None = None

    @classmethod
    def of(
        cls,
        weight: NDArray[np.integer],
        act: NDArray[np.integer],
        name: str = "gemm",
        conv: Conv | None = None,
    ) -> GEMM:
        """GEMM of two matrices that agree in K."""
        (m, k), (k_act, n) = weight.shape, act.shape
        if k != k_act:
            raise ValueError(f"weight has K = {k}, act has K = {k_act}")
        return cls(m, k, n, weight, act, name, conv)

    @property
    def channels(self) -> int:
        """Input channels of a layer that a 3x3 window unit takes; 0 for any other.

        That is a 3x3 convolution of stride 1 or 2 with at most one pixel of padding.
        """
        conv = self.conv
        if conv is None or (conv.R, conv.S) != (3, 3):
            return 0
        return conv.C if conv.stride in (1, 2) and conv.padding in (0, 1) else 0

    @property
    def macs(self) -> int:
        """Multiply-accumulates of the dense product."""
        return self.M * self.K * self.N


@dataclass(frozen=True)
class Job:
    """One GEMM compiled for one array: what each input stream carries, and what comes out.

    ``inputs`` maps ``command``, ``weight`` and ``act`` to their payloads. ``ofmap_index`` has one
    row a transfer of the ``ofmap`` stream and one column a lane: the flat index into
    ``ofmap[M, N]``, or -1 for a lane that carries nothing.
    """

    inputs: dict[str, Words]
    ofmap_index: NDArray[np.int64]
    shape: tuple[int, int]

    @property
    def transfers(self) -> int:
        """Transfers of the ``ofmap`` stream."""
        return len(self.ofmap_index)

    def gather(self, ofmap: NDArray[np.int64]) -> NDArray[np.int64]:
        """``ofmap[M, N]`` from the transfers seen, ``(transfers, lanes)``; 0 where nobody wrote."""
        flat = np.zeros(self.shape[0] * self.shape[1], dtype=np.int64)
        used = self.ofmap_index >= 0
        flat[self.ofmap_index[used]] = ofmap[used]
        return flat.reshape(self.shape)


@dataclass(frozen=True)
class Counts:
    """Cycles of a run, in total and by cause.

    ``causes`` maps a status group (``array``; or ``control`` and ``pe``) to cycles by cause. A
    group of one member sums to ``cycles``; the group of P PEs sums to ``P * cycles``.
    """

    cycles: int
    causes: dict[str, dict[str, int]] = field(default_factory=dict)

    def __add__(self, other: Counts) -> Counts:
        """Counts of two runs one after the other."""
        groups = self.causes | other.causes
        return Counts(
            self.cycles + other.cycles,
            {
                group: {
                    cause: self.causes.get(group, {}).get(cause, 0)
                    + other.causes.get(group, {}).get(cause, 0)
                    for cause in names
                }
                for group, names in groups.items()
            },
        )

    def scaled(self, times: int) -> Counts:
        """Counts of ``times`` identical runs one after the other."""
        return Counts(
            self.cycles * times,
            {g: {c: n * times for c, n in names.items()} for g, names in self.causes.items()},
        )


@dataclass(frozen=True)
class Run:
    """What a clock-by-clock run, or the RTL, gives back."""

    ofmap: NDArray[np.int64]
    counts: Counts


class Family(Protocol):
    """What ``hwsim/arrays/<family>.py`` offers, as module-level names."""

    #: Status group -> cause names; the RTL's status code of a cause is its place in the tuple.
    CAUSES: dict[str, tuple[str, ...]]
    #: Compile a GEMM with both operands into stream contents.
    compile: Callable[[ArchConfig, GEMM], Job]
    #: Clock-by-clock model: ``simulate(arch, job, pauses)``.
    simulate: Callable[[ArchConfig, Job, Pauses], Run]
    #: Fast exact counts with no pauses; equal to ``simulate`` on the compiled job.
    count: Callable[[ArchConfig, GEMM], Counts]


def family(arch: ArchConfig) -> Family:
    """Family module of a design, found by its name."""
    return cast(Family, import_module(f"hwsim.arrays.{arch.array.family}"))


def is_paused(pauses: Pauses, stream: str, clock: int) -> bool:
    """Whether the pattern pauses ``stream`` at ``clock``; without a pattern nothing is paused."""
    pattern = pauses.get(stream)
    return pattern is not None and len(pattern) > 0 and bool(pattern[clock % len(pattern)])
