"""Descriptors: what the machine around an array does with one tile. 32 words of 32 bits each.

The table below is the only one: RTL, compiler, disassembler, C header and docs are made from it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

__all__ = [
    "ADDRESS_BITS",
    "DESCRIPTOR_BYTES",
    "DESCRIPTOR_TARGET",
    "FEED_LEVELS",
    "FIELDS",
    "INDEX_BITS",
    "KINDS",
    "LIST_LEVEL",
    "LOADS",
    "OPS",
    "POST_LEVELS",
    "TARGETS",
    "TARGET_BITS",
    "WORDS",
    "WORD_BITS",
    "Field",
    "pack",
    "places",
    "unpack",
]

#: Bits of a word, and words of a descriptor.
WORD_BITS, WORDS = 32, 32
DESCRIPTOR_BYTES = WORDS * WORD_BITS // 8
#: Blocks that a descriptor loads at most.
LOADS = 3
#: Loops of the feeder's nest and of the postprocess's, the innermost first.
FEED_LEVELS, POST_LEVELS = 6, 3
#: Loop of the feeder's nest that walks the list of beats, in a machine that gathers; those within
#: it walk the pixels of a fold.
LIST_LEVEL = 2
#: Bits of an address on chip, and of the number of a bank or half.
ADDRESS_BITS, INDEX_BITS = 16, 3

#: What is executed -> its code.
KINDS = {"none": 0, "array": 1, "vector": 2}
#: What the vector unit does with the words of a window -> its code.
OPS = {"max": 0, "sum": 1}
#: Where a block is loaded to -> its code.
TARGETS = {"act": 0, "weight": 1, "scale": 2, "list": 3}
#: Code of the sequencer itself, which loads descriptors; none of them names it.
DESCRIPTOR_TARGET = 4
TARGET_BITS = 3


class Field(NamedTuple):
    """One field of a descriptor."""

    name: str
    bits: int
    meaning: str


def _load(index: int) -> tuple[tuple[Field, ...], ...]:
    name = f"load{index}"
    return (
        (Field(f"{name}_address", 32, "first byte in memory, from the base of its region"),),
        (
            Field(f"{name}_words", 16, "words of the on-chip memory in each row"),
            Field(f"{name}_rows", 16, "rows"),
        ),
        (
            Field(f"{name}_beats", 16, "beats of the bus in each row"),
            Field(f"{name}_to_step", 16, "words from a row to the next on chip"),
        ),
        (Field(f"{name}_row_step", 32, "bytes from a row to the next in memory"),),
        (
            Field(f"{name}_to", 16, "first word on chip"),
            Field(f"{name}_target", TARGET_BITS, "act bank, or half of weights, scales or lists"),
            Field(f"{name}_index", 3, "which bank, which half"),
            Field(f"{name}_region", 2, "region of memory"),
        ),
    )


def _nest(name: str, levels: int, what: str) -> tuple[tuple[Field, ...], ...]:
    return tuple(
        (
            Field(f"{name}{level}_bound", 16, f"length of loop {level} of {what}"),
            Field(
                f"{name}{level}_step",
                16,
                "added to the address when this loop steps and those within begin again",
            ),
        )
        for level in range(levels)
    )


#: Fields of each word, from bit 0 up; a field never crosses words.
FIELDS: tuple[tuple[Field, ...], ...] = (
    (
        Field("barrier", 1, "load when all stores before are written"),
        Field("interrupt", 1, "raise the interrupt when this descriptor is stored"),
        Field("stop", 1, "last descriptor of the program"),
        Field("kind", 2, "what is executed: nothing, the array, the vector unit"),
        Field("loads", 2, "blocks to be loaded"),
        Field("stores", 1, "whether a block is stored"),
        Field("read_bank", 3, "act bank that the execution reads"),
        Field("write_bank", 3, "act bank that the execution writes"),
        Field("store_bank", 3, "act bank that is stored"),
        Field("store_region", 2, "region of memory"),
        Field("weight_half", 1, "half of the weight memory that the array consumes"),
        Field("scale_half", 1, "half of the scale memory that the postprocess reads"),
        Field("relu", 1, "negative results become 0"),
        Field("raw", 1, "sums and biases are written whole, not requantized"),
        Field("op", 2, "what the vector unit does with a window"),
        Field("carry", 1, "the array's sums begin with those that the job before has kept"),
        Field("keep", 1, "its sums stay in the array, none is written"),
        Field("check", 1, "command_0 must be the digest of the design"),
    ),
    *(word for index in range(LOADS) for word in _load(index)),
    (Field("store_address", 32, "first byte in memory, from the base of its region"),),
    (
        Field("store_words", 16, "words of the act bank in each row"),
        Field("store_rows", 16, "rows"),
    ),
    (
        Field("store_from", 16, "first word on chip"),
        Field("store_from_step", 16, "words from a row to the next on chip"),
    ),
    (Field("store_row_step", 32, "bytes from a row to the next in memory"),),
    (
        Field("feed_from", 16, "first beat of the act bank that is read"),
        Field("post_to", 16, "first beat of the act bank that is written"),
    ),
    *_nest("feed", FEED_LEVELS, "what is read"),
    *_nest("post", POST_LEVELS, "what is written; the outermost walks the scale memory"),
    (Field("command_0", 32, "command of the array or of the vector unit, low word"),),
    (Field("command_1", 32, "command of the array or of the vector unit, high word"),),
)


def places() -> dict[str, tuple[int, int]]:
    """Each field's first bit within the whole descriptor, and its bits."""
    found = {}
    for word, fields in enumerate(FIELDS):
        bit = word * WORD_BITS
        for field in fields:
            found[field.name] = (bit, field.bits)
            bit += field.bits
    return found


def pack(values: Mapping[str, int]) -> list[int]:
    """Words of a descriptor; fields that are not named are 0, negative ones two's complement.

    Raises
    ------
    ValueError
        No such field, or its value does not fit.
    """
    known = places()
    total = 0
    for name, value in values.items():
        if name not in known:
            raise ValueError(f"a descriptor has no field {name!r}")
        first, bits = known[name]
        if not -(1 << (bits - 1)) <= value < 1 << bits:
            raise ValueError(f"{name} must fit {bits} bits, not {value}")
        total |= (value & ((1 << bits) - 1)) << first
    return [(total >> (WORD_BITS * word)) & ((1 << WORD_BITS) - 1) for word in range(WORDS)]


def unpack(words: Sequence[int]) -> dict[str, int]:
    """Fields of a descriptor, unsigned."""
    total = sum(int(word) << (WORD_BITS * index) for index, word in enumerate(words))
    return {name: (total >> first) & ((1 << bits) - 1) for name, (first, bits) in places().items()}
