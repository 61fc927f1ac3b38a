"""Registers on the way through the machine: the latencies that RTL and simulator share."""

from __future__ import annotations

__all__ = [
    "KEEP_LATENCY",
    "LOAD_QUEUE",
    "OUTPUT_STAGE",
    "PATTERN_OPTIONS",
    "POST_LATENCY",
    "POST_STAGES",
    "RAW_LATENCY",
    "RAW_STAGES",
    "STALL_LIMIT",
    "STORE_AHEAD",
    "VECTOR_LATENCY",
    "VECTOR_STAGES",
    "WEIGHT_OFFER",
]

#: Cycles from the command of an array to the first offer of weights: its read from their memory.
WEIGHT_OFFER = 1

#: Registers between a beat of partial sums and the activations that the postprocess writes.
POST_STAGES = (
    "psum",  # the beat, while its word of scales comes from the memory
    "total",  # with the bias
    "products",  # of each part of the total, as wide as a multiplier block
    "product",  # their sum
    "coarse",  # shifted by a multiple of 8
    "fine",  # shifted by the rest, but for one bit: that which rounds
    "write",  # rounded, saturated, after ReLU
)
#: The same in raw mode, where totals are written whole.
RAW_STAGES = ("psum", "total", "write")
#: Cycles from the transfer of a beat to its write; in raw mode to the first of its writes.
POST_LATENCY, RAW_LATENCY = len(POST_STAGES), len(RAW_STAGES)

#: Registers between the last word of a window and the first beat that the vector unit makes of it.
VECTOR_STAGES = (
    "word",  # with the factor that it counts with
    "product",  # of word and factor
    "result",  # largest product or sum of the window
)
#: Cycles from the transfer of that word to the first offer of that beat.
VECTOR_LATENCY = len(VECTOR_STAGES)

#: Blocks that wait for the two walkers of the load engine; words between bank and gearbox of the
#: store engine: one is asked for, comes, and is taken in three cycles.
LOAD_QUEUE, STORE_AHEAD = 4, 3
#: A job that keeps its sums is over when the array is idle: a cycle behind the last write to its
#: accumulator. It gives no sum, which takes the array's output register.
KEEP_LATENCY, OUTPUT_STAGE = 1, 1

#: What a pattern array must know of a job beside its counts: first bit in ``command_1``, bits.
PATTERN_OPTIONS = {
    "stride": (16, 1),  # less 1
    "edges": (17, 4),  # whether the padding is at the top, bottom, left, right of the patch
    "direct": (21, 1),  # a beat is a window
}

#: Cycles after which an execution in which nothing moves has stalled.
STALL_LIMIT = 1 << 16
