"""Programs: tiles, and the image of memory that holds their descriptors and constants."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hwsim.accelerator.tile import Load, Tile
from hwsim.config import ArchConfig
from hwsim.config.shape import MachineShape
from hwsim.contract.descriptors import DESCRIPTOR_BYTES, pack

__all__ = ["CONSTANTS", "INPUTS", "MAPS", "OUTPUTS", "Constants", "Program"]

#: Regions of memory: descriptors and constants, input of the network, its output, feature maps
#: between its layers.
CONSTANTS, INPUTS, OUTPUTS, MAPS = 0, 1, 2, 3
#: Bytes of a page.
PAGE = 4096


class Constants:
    """Blocks of words that programs load, each once, on a boundary of the bus.

    Parameters
    ----------
    arch
        The design.
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.align = arch.bus.bytes
        self.blocks: list[NDArray[np.uint8]] = []
        self.size = 0
        #: Whether all blocks are there, and not only room for them.
        self.has_contents = True
        self._known: dict[bytes, int] = {}

    def add(self, words: NDArray[np.uint8]) -> tuple[int, int]:
        """Address of a block of words ``(words, bytes)``, and its beats."""
        flat = words.reshape(-1)
        padded = np.zeros(-(-len(flat) // self.align) * self.align, np.uint8)
        padded[: len(flat)] = flat
        key = padded.tobytes()
        if key not in self._known:
            self._known[key] = self.size
            self.blocks.append(padded)
            self.size += len(padded)
        return self._known[key], len(padded) // self.align

    def room(self, target: str, words: int, width: int) -> Load:
        """Load of a block of words of ``width`` bytes without contents, to half 0."""
        address, beats = self.size, -(-words * width // self.align)
        self.size += beats * self.align
        self.has_contents = False
        return Load(target, 0, CONSTANTS, address, words, beats)

    def load(self, target: str, index: int, words: NDArray[np.uint8]) -> Load:
        """Load a block to the begin of a half."""
        address, beats = self.add(words)
        return Load(target, index, CONSTANTS, address, len(words), beats)


@dataclass(eq=False)
class Program:
    """What a machine runs: one descriptor per tile.

    Addresses of constants count from the end of the descriptors until :meth:`image` places them.
    """

    arch: ArchConfig
    tiles: list[Tile]
    constants: Constants
    #: Bytes of the input, of the output and of the maps of the whole program.
    input_bytes: int = 0
    output_bytes: int = 0
    map_bytes: int = 0

    @property
    def shape(self) -> MachineShape:
        """Words of the machine."""
        return MachineShape.of(self.arch)

    @property
    def constants_at(self) -> int:
        """Bytes of the descriptors, which lie before the constants."""
        return len(self.tiles) * DESCRIPTOR_BYTES

    def bases(self) -> tuple[int, int, int, int]:
        """Where the regions lie: one behind the other, each on a page."""
        inputs = _page(self.constants_at + self.constants.size)
        outputs = inputs + _page(self.input_bytes)
        return 0, inputs, outputs, outputs + _page(self.output_bytes)

    def sizes(self) -> tuple[int, int, int, int]:
        """Bytes of the regions."""
        constants = self.constants_at + self.constants.size
        return constants, self.input_bytes, self.output_bytes, self.map_bytes

    def address(self, region: int, offset: int) -> int:
        """Address of a byte of a region; constants lie behind the descriptors."""
        return self.bases()[region] + offset + (self.constants_at if region == CONSTANTS else 0)

    @property
    def size(self) -> int:
        """Bytes of memory that all regions take."""
        if self.map_bytes:
            return self.bases()[MAPS] + self.map_bytes
        return self.bases()[OUTPUTS] + self.output_bytes

    def descriptors(self) -> NDArray[np.uint32]:
        """Words of all descriptors ``(tiles, 32)``."""
        rows = []
        for index, tile in enumerate(self.tiles):
            fields = tile.fields() | {"stop": int(index == len(self.tiles) - 1)}
            for block, load in enumerate(tile.loads):
                if load.region == CONSTANTS:
                    fields[f"load{block}_address"] += self.constants_at
            rows.append(pack(fields))
        return np.array(rows, dtype=np.uint32)

    def image(self) -> NDArray[np.uint8]:
        """Region of the constants: descriptors, then blocks."""
        if not self.constants.has_contents:
            raise ValueError("a program that was compiled without weights has no image")
        heads = self.descriptors().astype("<u4").view(np.uint8).reshape(-1)
        return np.concatenate([heads, *self.constants.blocks])


def _page(size: int) -> int:
    return -(-size // PAGE) * PAGE
