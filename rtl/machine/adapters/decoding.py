"""What the adapters of the index-decoding arrays share."""

from typing import Any

from amaranth import Module, ResetInserter, Signal

from hwsim.config import DecodingConfig
from hwsim.rtl.arrays import build
from hwsim.rtl.machine.adapters.interface import Adapter, command_once, keep_sums

__all__ = ["add_array"]


def add_array(m: Module, component: Adapter) -> Any:
    """Add the array of an adapter, and offer it the command of a job.

    The array takes no more weights than its command says and is at rest after a job, so only
    ``abort`` resets it, with which every run begins: weights with rows that their job does not have
    leave sums in the accumulators that nothing drains. It then zeroes them for ``acc_depth``
    cycles, in which a descriptor and its blocks come; if they come sooner, the command waits. So
    does that of a job that does not begin with the sums that the one before has kept.
    """
    array: Any = build(component.arch)
    reset = Signal(name="array_reset")
    m.submodules.array = ResetInserter(reset)(array)
    commanded = command_once(m, component, array.command)
    m.d.comb += [reset.eq(component.abort), component.rests.eq(array.command.ready)]
    if component.arch.array_as(DecodingConfig).carries:
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
