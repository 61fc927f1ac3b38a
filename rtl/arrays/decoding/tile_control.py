"""Sequence of commands of the index-decoding arrays: load a tile's weights, then run it."""

from amaranth import Const, Module, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

__all__ = ["TileControl"]


class TileControl(wiring.Component):
    """Take a command, let its weights in, start the run, wait for its end.

    * Latency: one cycle from a command to the first beat of weights; the run begins in the cycle
      after the last beat, or where there is none two cycles after the command, and the next command
      is taken in the cycle after ``done`` at the earliest.
    * Throughput: one beat of weights per cycle.
    * Stalls: after a reset ``command.ready`` stays low for ``acc_depth`` cycles, in which the
      accumulators are zeroed.

    Parameters
    ----------
    layout : :class:`amaranth.lib.data.StructLayout`
        Of a command; its field ``weight_beats`` says how many beats to let in. Without it, weights
        do not wait for commands, and what concerns them is not for use.
    acc_depth : int
        Rows of the accumulators.

    Members
    -------
    command : ``In(stream.Signature(layout))``
        One M tile.
    current : ``Out(layout)``
        The command being run.
    weight_valid, weight_ready : ``In(1)``, ``Out(1)``
        Handshake of the weight stream.
    start : ``Out(1)``
        The run begins in the next cycle.
    run : ``Out(1)``
        The tile runs.
    done : ``In(1)``
        The run ends in this cycle.
    clear, clear_row : ``Out``
        Zero this row of all accumulators.
    """

    command: stream.Interface
    current: data.View
    weight_valid: Signal
    weight_ready: Signal
    start: Signal
    run: Signal
    done: Signal
    clear: Signal
    clear_row: Signal

    def __init__(self, layout: data.StructLayout, *, acc_depth: int) -> None:
        if acc_depth < 1:
            raise ValueError(f"acc_depth must be at least 1, not {acc_depth}")
        self.layout, self.acc_depth = layout, acc_depth
        super().__init__(
            {
                "command": In(stream.Signature(layout)),
                "current": Out(layout),
                "weight_valid": In(1),
                "weight_ready": Out(1),
                "start": Out(1),
                "run": Out(1),
                "done": In(1),
                "clear": Out(1),
                "clear_row": Out(range(self.acc_depth)),
            }
        )

    def elaborate(self, platform):
        m = Module()
        current = data.View(
            self.layout, Signal(self.layout.size, name="command_q", reset_less=True)
        )
        streams = "weight_beats" in self.layout.members
        beats = self.command.p.weight_beats if streams else Const(0)
        weight_left = Signal.like(beats, name="weight_left") if streams else beats
        m.d.comb += self.current.eq(current)
        with m.FSM():
            with m.State("Clear"):
                m.d.comb += self.clear.eq(1)
                m.d.sync += self.clear_row.eq(self.clear_row + 1)
                with m.If(self.clear_row == self.acc_depth - 1):
                    m.d.sync += self.clear_row.eq(0)
                    m.next = "Idle"
            with m.State("Idle"):
                m.d.comb += self.command.ready.eq(1)
                with m.If(self.command.valid):
                    m.d.sync += current.eq(self.command.payload)
                    if streams:
                        m.d.sync += weight_left.eq(beats)
                    m.next = "Load"
            with m.State("Load"):
                m.d.comb += self.weight_ready.eq(weight_left != 0)
                if streams:
                    with m.If(self.weight_valid & self.weight_ready):
                        m.d.sync += weight_left.eq(weight_left - 1)
                with m.If(self.weight_valid & (weight_left == 1) | (weight_left == 0)):
                    m.d.comb += self.start.eq(1)
                    m.next = "Run"
            with m.State("Run"):
                m.d.comb += self.run.eq(1)
                with m.If(self.done):
                    m.next = "Idle"
        return m
