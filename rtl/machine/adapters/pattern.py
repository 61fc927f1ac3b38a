"""Adapter of the pattern array."""

from typing import Any

from amaranth import Cat, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data

from hwsim.config import PatternConfig
from hwsim.contract.machine import PATTERN_OPTIONS
from hwsim.rtl.arrays import build
from hwsim.rtl.arrays.pattern.layout import cause
from hwsim.rtl.machine.adapters import interface
from hwsim.rtl.machine.adapters.interface import connect, keep_sums
from hwsim.rtl.machine.command import pixels

__all__ = ["Adapter"]


class Adapter(interface.Adapter):
    """A pattern array in a machine.

    The first words of weights are the entries of the library, each a command; the command of the
    job follows in the cycle after the last of them, and then the weights. Lane r of a beat is the
    channel of row r; of a matrix product row r takes lane r of all four beats of the words that the
    list names.

    ``command_0``: folds of a group, groups. ``command_1``: pixels, and ``PATTERN_OPTIONS``. The
    two innermost loops of the feeder's nest are width and height of the patch.

    Parameters and members are those of :class:`~hwsim.rtl.machine.adapters.interface.Adapter`.
    """

    def elaborate(self, platform):
        m = Module()
        array: Any = build(self.arch)
        m.submodules.array = ResetInserter(self.abort | self.start)(array)
        writes, runs = Signal(), Signal()
        self._library(m, array, writes, runs)
        self._command(m, array.command.payload, self.job)
        # unconditional, as all of the payload: a constant in a signal of which another part is
        # assigned under a condition becomes a process that waits for nothing
        m.d.comb += array.command.p.run.eq(runs)
        with m.If(runs):
            m.d.comb += array.command.valid.eq(1)
        with m.Elif(writes):
            m.d.comb += array.command.valid.eq(self.weight.valid)
            m.d.comb += self.weight.ready.eq(array.command.ready)
        with m.Else():
            connect(m, self.weight, array.weight)
        self._act(m, array)
        connect(m, array.ofmap, self.sums)
        m.d.comb += self.takes.eq(array.act.valid & array.act.ready)
        # ``start`` resets it
        m.d.comb += self.rests.eq(1)
        if self.arch.array.machine_carries:
            idle = array.status.array[0] == cause("idle")
            keep_sums(m, self, ~writes & ~runs & idle)
        return m

    def _library(self, m: Module, array: Any, writes: Signal, runs: Signal) -> None:
        """Count the entries: ``writes`` while they come, ``runs`` until the job's command goes."""
        last = self.arch.array_as(PatternConfig).patterns - 1
        entry = Signal.like(array.command.p.entry, name="entry")
        taken = Signal()
        m.d.comb += taken.eq(array.command.valid & array.command.ready)
        m.d.comb += array.command.p.entry.eq(entry)
        m.d.comb += array.command.p.taps.as_value().eq(self.weight.payload)
        with m.If(writes & taken):
            m.d.sync += entry.eq(entry + 1)
            with m.If(entry == last):
                m.d.sync += [writes.eq(0), runs.eq(1)]
        with m.Elif(runs & taken):
            m.d.sync += runs.eq(0)
        with m.If(self.start):
            m.d.sync += [writes.eq(1), runs.eq(0), entry.eq(0)]
        with m.If(self.abort):
            m.d.sync += [writes.eq(0), runs.eq(0)]

    def _command(self, m: Module, command: data.View, job: data.View) -> None:
        """Counts of the job; products are made while the library is written."""
        k_folds, m_folds = job.command_0[:16], job.command_0[16:]
        width, height = job.feed0_bound, job.feed1_bound
        folds, area = Signal(32, reset_less=True), Signal(32, reset_less=True)
        reads = Signal.like(command.reads, name="reads", reset_less=True)
        windows = Signal.like(command.windows, name="windows", reset_less=True)
        m.d.sync += [folds.eq(k_folds * m_folds), area.eq(width * height)]
        # the counts of a job that fits its memories are far below 16 bits
        beats = Mux(self._direct, pixels(job), area[:16])
        m.d.sync += [reads.eq(folds[:16] * beats), windows.eq(folds[:16] * pixels(job))]
        m.d.comb += [
            command.k_folds.eq(k_folds),
            command.m_folds.eq(m_folds),
            command.k_edge.eq(self.arch.array_as(PatternConfig).rows),
            command.pixels.eq(pixels(job)),
            command.reads.eq(reads),
            command.windows.eq(windows),
            command.height.eq(height),
            command.width.eq(width),
        ]
        if self.arch.array.machine_carries:
            m.d.comb += [command.carry.eq(job.carry), command.keep.eq(job.keep)]
        for name, (first, bits) in PATTERN_OPTIONS.items():
            option = job.command_1[first : first + bits]
            m.d.comb += Value.cast(command[name]).eq(option)

    @property
    def _direct(self) -> Value:
        """Whether a beat is a window."""
        return Value.cast(self.job.command_1[PATTERN_OPTIONS["direct"][0]])

    def _act(self, m: Module, array: Any) -> None:
        """Lane 0 of each row from the beat, or four lanes of each row from the word."""
        shape, lanes = self.shape, []
        for row in range(shape.act_lanes):
            four = [
                self.word.word_select(beat * shape.act_lanes + row, shape.act_width)
                for beat in range(shape.feed_beats)
            ]
            pixel = self.act.payload.word_select(row, shape.act_width)
            lanes += [Mux(self._direct, four[0], pixel), *four[1:]]
        m.d.comb += array.act.payload.as_value().eq(Cat(lanes))
        m.d.comb += [array.act.valid.eq(self.act.valid), self.act.ready.eq(array.act.ready)]
