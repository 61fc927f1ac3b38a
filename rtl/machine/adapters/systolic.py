"""Adapter of the systolic arrays."""

from typing import Any

from amaranth import Cat, Module, ResetInserter
from amaranth.lib import data

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays import build
from hwsim.rtl.arrays.systolic.layout import cause
from hwsim.rtl.machine.adapters import interface
from hwsim.rtl.machine.adapters.interface import command_once, connect, keep_sums
from hwsim.rtl.machine.command import pixels
from hwsim.rtl.machine.transpose import Transposer

__all__ = ["Adapter", "drive_command"]


class Adapter(interface.Adapter):
    """A systolic array in a machine.

    Weights are offered without end, and an array may take more than a job needs: each job finds it
    as after a reset.

    Where the array's columns hold pixels, a transposer before it makes beats of one k of the words
    of a fold's pixels, and one behind it makes beats of one pixel of its sums, a filter per beat.
    Each adds as many cycles as the job has pixels: a fold's beats take longer than its words, and
    its sums leave before those of the next fold come, so neither starves nor stalls the array after
    that.

    Parameters and members are those of :class:`~hwsim.rtl.machine.adapters.interface.Adapter`.
    """

    def elaborate(self, platform):
        m = Module()
        array: Any = build(self.arch)
        m.submodules.array = ResetInserter(self.abort | self.start)(array)
        commanded = command_once(m, self, array.command)
        drive_command(m, self.arch, array.command.payload, self.job)
        connect(m, self.weight, array.weight)
        if self.arch.array_as(SystolicConfig).transposes:
            self._transpose(m, array)
        else:
            connect(m, self.act, array.act)
            connect(m, array.ofmap, self.sums)
        m.d.comb += self.takes.eq(array.act.valid & array.act.ready)
        m.d.comb += self.rests.eq(1)
        if self.arch.array.machine_carries:
            # in PEs they will be before any product of the next job
            keep_sums(m, self, ~commanded & (array.status.array[0] == cause("idle")))
        return m

    def _transpose(self, m: Module, array: Any) -> None:
        """Connect an array whose columns hold pixels; its sums come from the bottom row up."""
        shape, systolic = self.shape, self.arch.array_as(SystolicConfig)
        count = pixels(self.job)
        # what a job has left behind is dropped, as the feeder does
        reset = ResetInserter(self.start | self.abort)
        element = shape.act_lanes * shape.act_width // systolic.cols
        before = Transposer(words=systolic.cols, lanes=systolic.cols, width=element)
        behind = Transposer(words=systolic.rows, lanes=systolic.cols, width=shape.psum_width)
        m.submodules.act_transposer = reset(before)
        m.submodules.psum_transposer = reset(behind)
        m.d.comb += [before.taken.eq(count), before.given.eq(systolic.cols)]
        m.d.comb += [behind.taken.eq(systolic.rows), behind.given.eq(count)]
        connect(m, self.act, before.word)
        connect(m, before.beat, array.act)
        connect(m, array.ofmap, behind.word)
        m.d.comb += [self.sums.valid.eq(behind.beat.valid), behind.beat.ready.eq(self.sums.ready)]
        m.d.comb += self.sums.payload.eq(Cat(*reversed(list(behind.beat.payload))))


def drive_command(m: Module, arch: ArchConfig, command: data.View, job: data.View) -> None:
    """Drive the command of a systolic array: pixels of one fold or tile, K in whole words.

    ``command_0``: words of activations that each pixel reads, M folds. ``command_1``: pixels. The
    array's configuration says what the fields of its command are of these.
    """
    words, m_folds = job.command_0[:16], job.command_0[16:]
    counts: dict[str, Any] = {
        "carry": job.carry, "keep": job.keep,
        "words": words, "m_folds": m_folds, "pixels": pixels(job), "folds": words * m_folds,
    }  # fmt: skip
    fields = arch.array_as(SystolicConfig).machine_command
    for name, (count, times) in fields.items():
        m.d.comb += command[name].eq(counts[count] * times if count else times)
