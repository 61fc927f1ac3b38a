"""Memories of the machine around an array, those of its queues included."""

from __future__ import annotations

from hwsim.config.arch import ArchConfig
from hwsim.config.shape import MachineShape
from hwsim.contract.descriptors import INDEX_BITS, TARGET_BITS
from hwsim.contract.machine import LOAD_QUEUE, STORE_AHEAD
from hwsim.contract.memories import Memory

__all__ = ["machine_memories"]

#: Bits of a block that the load engine queues beside its address: for bursts, for words.
_REQUEST, _RECEIVED = 32 + 16 + 16, 4 * 16 + TARGET_BITS + INDEX_BITS
#: Bits of a burst's length.
_LENGTH = 8


def machine_memories(arch: ArchConfig) -> tuple[Memory, ...]:
    """Memories of a design's machine, but for those of its array; none of an array alone."""
    memory, bus = arch.memory, arch.bus
    if memory is None:
        return ()
    shape = MachineShape.of(arch)
    found = [
        Memory(
            "act_banks", memory.act_depth, shape.act_bits // shape.slices,
            memory.act_banks * shape.slices,
        ),
        Memory("scales", memory.scale_depth, shape.scale_word, 2),
        Memory("load_requests", LOAD_QUEUE, bus.addr_width + _REQUEST, combinational=True),
        Memory("load_received", LOAD_QUEUE, _RECEIVED, combinational=True),
        Memory("store_lengths", bus.outstanding, _LENGTH, combinational=True),
        Memory("store_words", STORE_AHEAD, shape.act_bits + 1, combinational=True),
    ]  # fmt: skip
    if shape.has_weights:
        found.append(Memory("weights", memory.weight_depth, shape.weight_word, 2))
    if shape.gathers:
        found.append(Memory("lists", shape.list_depth, shape.list_word, 2))
    return tuple(found)
