"""What the index-decoding families share: PEs with weight memories, loaded and drained by beats."""

from __future__ import annotations

from typing import Annotated, ClassVar

from pydantic import Field

from hwsim.config.arrays.base import ArrayConfig

__all__ = ["DecodingConfig"]


class DecodingConfig(ArrayConfig):
    """PEs that find their operands by decoding stored indices."""

    SPARSITY: ClassVar[str] = "nonstructured"
    decodes_indices: ClassVar[bool] = True

    pes: Annotated[int, Field(ge=1, le=256)]
    #: Non-zero weights that the weight memory of a PE holds, padding included.
    entry_depth: Annotated[int, Field(ge=1, le=1048576)]
    #: Local filters of a PE: rows of its accumulator, in each of its banks.
    acc_depth: Annotated[int, Field(ge=1, le=65536)]

    @property
    def members(self) -> dict[str, int]:
        """One control, and the PEs."""
        return {group: self.pes if group == "pe" else 1 for group in self.CAUSES}

    def beyond_memory(self, limit: int) -> tuple[int, int]:
        """M that exceeds the accumulators by one local filter, N of one group."""
        m, _, n = self.extents
        rows = m * self.acc_depth + 1
        return (rows if rows <= limit else m), n
