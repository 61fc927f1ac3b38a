"""What a clock of each family can be spent on. The RTL's status code is the place in the tuple."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwsim.config.arch import ArchConfig

__all__ = ["causes", "members"]

#: Status group -> causes, by family.
CAUSES: dict[str, dict[str, tuple[str, ...]]] = {
    "dense": {
        "array": (
            "idle",  # no command yet
            "compute",  # a column of activations entered the array
            "preload",  # ws: waiting for the fold's weights. os: for the previous fold's drain
            "weight",  # the weight stream is empty
            "act",  # the activation stream is empty
            "ofmap",  # frozen: the ofmap stream is not taken
            "drain",  # all operands are in; the last partial sums travel out
        )
    },
    "csc": {
        "control": (
            "idle",  # no command yet
            "load",  # a beat of weights or pointers is written
            "weight",  # loading, but the weight stream is empty
            "broadcast",  # a non-zero activation entered every queue
            "scan",  # the detector's window held no non-zero
            "full",  # a queue is full: the broadcast stalls
            "act",  # the activation stream is empty
            "drain",  # everything is broadcast; queues, PEs and accumulators empty
        ),
        "pe": (
            "idle",  # no layer is running
            "mac",  # an entry was read: a useful multiply-accumulate
            "padding",  # an entry was read: a padding zero
            "column",  # the PE holds no entry of this column
            "pointer",  # the pointers are being read
            "empty",  # the queue is empty
            "drain",  # the accumulator bank still waits to be drained
        ),
    },
}


def causes(arch: ArchConfig) -> dict[str, tuple[str, ...]]:
    """Causes of each status group of a design."""
    return CAUSES[arch.array.family]


def members(arch: ArchConfig) -> dict[str, int]:
    """Members of each status group: 1 for the array or its control, P for the PEs."""
    return {group: getattr(arch.array, "pes", 1) if group == "pe" else 1 for group in causes(arch)}
