"""Registers of the machine, as the host sees them on AXI4-Lite; counters of 64 bits take two.

The tables below are the only ones: RTL, C header, SVD and docs are made from them.
"""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["COUNTERS", "ERRORS", "MAGIC", "REGIONS", "REGISTERS", "VERSION", "Register", "offsets"]

#: Version of registers and descriptors.
VERSION = 2
#: Value of ``id``: "hwsm" in ASCII.
MAGIC = 0x6877736D
#: Regions of memory that addresses of a descriptor count from.
REGIONS = 4

#: Error codes -> what went wrong.
ERRORS = (
    ("none", "no error"),
    ("descriptor", "a field has a value that the machine does not know"),
    ("design", "the program is for another design"),
    ("conflict", "two engines would use one port of a memory at once"),
    ("stalled", "nothing moved in an execution for 65536 cycles, or it gave more than was said"),
    ("read", "the memory answered a read with an error"),
    ("write", "the memory answered a write with an error"),
    ("stopped", "the host stopped the run"),
)


class Register(NamedTuple):
    """One register of 32 bits."""

    name: str
    #: ``r``: the host reads. ``rw``: it writes, too. ``w``: a write acts, a read gives 0.
    access: str
    meaning: str
    #: Names and meanings of single bits, from bit 0 up.
    bits: tuple[tuple[str, str], ...] = ()

    @property
    def text(self) -> str:
        """Meaning, with that of every bit."""
        bits = "; ".join(f"bit {bit}: {what}" for bit, (_, what) in enumerate(self.bits))
        return f"{self.meaning}: {bits}" if bits else self.meaning


#: Counters of 64 bits -> what they count, since the last start.
COUNTERS: tuple[tuple[str, str], ...] = (
    ("cycles", "cycles from start to the end of the run"),
    ("load_busy", "cycles in which descriptors are fetched or blocks loaded"),
    ("load_waits", "cycles in which a loaded tile waits for the execution of the one before"),
    ("execute_busy", "cycles in which the array or the vector unit runs"),
    ("execute_waits_load", "cycles in which nothing is executed: the next tile is not loaded"),
    ("execute_waits_store", "cycles in which an executed tile waits for the store before"),
    ("store_busy", "cycles in which a block is stored"),
    ("array_beats", "beats of activations that the array took"),
    ("read_beats", "beats read from memory"),
    ("write_beats", "beats written to memory"),
)

#: In the order of their addresses, 4 bytes each.
REGISTERS: tuple[Register, ...] = (
    Register("id", "r", "0x6877736D"),
    Register("version", "r", "version of registers and descriptors"),
    Register("digest", "r", "first 32 bits of the digest of the design"),
    Register(
        "control", "w", "commands", (("start", "begin the program"), ("stop", "end it at once"))
    ),
    Register(
        "status",
        "r",
        "state",
        (
            ("busy", "a program runs"),
            ("done", "the last run ended well"),
            ("error", "it did not"),
            ("interrupt", "an interrupt is pending"),
        ),
    ),
    Register("error", "r", "error code of the last run"),
    Register("error_index", "r", "index of the descriptor at which it occurred"),
    Register(
        "interrupt_enable",
        "rw",
        "which interrupts come",
        (
            ("descriptor", "that which a descriptor asks for"),
            ("done", "that of the end of a run"),
            ("error", "that of an error"),
        ),
    ),
    Register("interrupt_clear", "w", "interrupts", (("pending", "none is pending any more"),)),
    Register("program_low", "rw", "address of the first descriptor, whole beats: bits 0 to 31"),
    Register("program_high", "rw", "address of the first descriptor, bits 32 to 63"),
    Register("program_length", "rw", "number of descriptors, at least 1"),
    *(
        Register(
            f"region{index}_{half}",
            "rw",
            f"base of region {index}, whole beats: bits {bits}",
        )
        for index in range(REGIONS)
        for half, bits in (("low", "0 to 31"), ("high", "32 to 63"))
    ),
    *(
        Register(f"{name}_{half}", "r", f"{meaning}: bits {bits}")
        for name, meaning in COUNTERS
        for half, bits in (("low", "0 to 31"), ("high", "32 to 63, kept when the others were read"))
    ),
)


def offsets() -> dict[str, int]:
    """Address of each register, in bytes."""
    return {register.name: 4 * index for index, register in enumerate(REGISTERS)}
