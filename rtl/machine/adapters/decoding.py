"""What the adapters of the index-decoding arrays share."""

from typing import Any

from amaranth import Module, ResetInserter, Signal

from hwsim.config import DecodingConfig
from hwsim.rtl.arrays import build
from hwsim.rtl.machine.adapters.interface import Adapter, command_once, keep_sums

__all__ = ["add_array", "fill_later"]


def add_array(m: Module, component: Adapter) -> Any:
    """Add the array of an adapter, and offer it the command of a job.

    The array takes no more weights than its command says and is at rest after a job, so only
    ``abort`` resets it, with which every run begins: weights with rows that their job does not have
    leave sums in the accumulators that nothing drains. It then zeroes them for ``acc_depth``
    cycles, in which a descriptor and its blocks come; if they come sooner, the command waits. So
    does that of a job that does not begin with the sums that the one before has kept. Where its
    memories are double-buffered, the half of the job goes with the command.
    """
    array: Any = build(component.arch)
    reset = Signal(name="array_reset")
    m.submodules.array = ResetInserter(reset)(array)
    commanded = command_once(m, component, array.command)
    m.d.comb += [reset.eq(component.abort), component.rests.eq(array.command.ready)]
    config = component.arch.array_as(DecodingConfig)
    if config.double_buffered:
        m.d.comb += array.command.p.half.eq(component.job.weight_half)
    if config.carries:
        job, flags = component.job, array.command.p
        m.d.comb += [flags.carry.eq(job.carry), flags.keep.eq(job.keep)]
        keep_sums(m, component, ~commanded & array.command.ready)
        kept = Signal()
        with m.If(component.start):
            m.d.sync += kept.eq(job.keep)
        with m.If(component.abort):
            m.d.sync += kept.eq(0)
        m.d.comb += reset.eq(component.abort | (component.start & kept & ~job.carry))
    return array


def fill_later(m: Module, fill: Any) -> tuple[Signal, Signal, Signal]:
    """What the load engine wrote in the cycle before: valid, half, word.

    The path from the bus to the memories of all PEs is cut here. The job that reads the word begins
    later.
    """
    valid = Signal(name="fill_valid")
    half = Signal(name="fill_half", reset_less=True)
    word = Signal.like(fill.data, name="fill_word", reset_less=True)
    m.d.sync += [valid.eq(fill.valid), half.eq(fill.half), word.eq(fill.data)]
    return valid, half, word
