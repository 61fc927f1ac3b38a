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
    "pattern": {
        "array": (
            "idle",  # no command yet
            "library",  # an entry of the pattern library is written
            "compute",  # a window of each row entered the array
            "preload",  # waiting for the fold's weights
            "weight",  # the weight stream is empty
            "window",  # a pixel entered the window unit and completed no window
            "act",  # the activation stream is empty
            "ofmap",  # frozen: the ofmap stream is not taken
            "drain",  # all windows are in; the last partial sums travel out
        )
    },
    "csc": {
        "control": (
            "idle",  # no command yet
            "load",  # a beat of weights or pointers is written
            "weight",  # loading, but the weight stream is empty
            "broadcast",  # a non-zero activation entered every queue
            "scan",  # the detector's word held no non-zero
            "full",  # a queue is full: the broadcast stalls
            "act",  # the detector has no word: the activation stream is empty
            "drain",  # everything is broadcast; queues, PEs and accumulators empty
        ),
        # Of the issue stage, a clock late: the entry that it fetched is known one clock later.
        "pe": (
            "idle",  # no layer is running
            "mac",  # an entry was fetched: a useful multiply-accumulate
            "padding",  # an entry was fetched: a padding zero
            "column",  # the PE holds no entry of this column
            "pointer",  # a column's pointers were fetched with nothing before it to hide that
            "empty",  # the queue is empty, and tokens are still to come
            "drain",  # the group's accumulator bank still waits to be drained
            "done",  # every column is through; the array drains
        ),
    },
    "bitmask": {
        "control": (
            "idle",  # no command yet
            "load",  # a beat of masks or values is written
            "weight",  # loading, but the weight stream is empty
            "broadcast",  # a beat of activations entered every PE's buffer
            "full",  # a buffer is full: the broadcast stalls
            "act",  # no beat is at hand: the activation stream is empty
            "drain",  # everything is broadcast; buffers, PEs and accumulators empty
        ),
        # Of the join stage.
        "pe": (
            "idle",  # no layer is running
            "mac",  # a pair was found: a useful multiply-accumulate
            "empty",  # the two masks have no position in common
            "fetch",  # masks are fetched with nothing before them to hide that
            "buffer",  # no chunk is in the buffer, and chunks are still to come
            "drain",  # the pixel's accumulator bank still waits to be drained
            "done",  # every chunk is through; the array drains
        ),
    },
}

#: Dense is ``nm`` with one multiplier and nothing to select.
CAUSES["nm"] = CAUSES["dense"]


def causes(arch: ArchConfig) -> dict[str, tuple[str, ...]]:
    """Causes of each status group of a design."""
    return CAUSES[arch.array.family]


def members(arch: ArchConfig) -> dict[str, int]:
    """Members of each status group: 1 for the array or its control, P for the PEs."""
    return {group: getattr(arch.array, "pes", 1) if group == "pe" else 1 for group in causes(arch)}
