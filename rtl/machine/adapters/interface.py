"""What every adapter offers to the execution of jobs."""

from typing import Any, cast

from amaranth import Module, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig, wing
from hwsim.config.shape import MachineShape
from hwsim.rtl.blocks.ports import memory_write
from hwsim.rtl.machine.descriptor import execute_layout

__all__ = ["Adapter", "adapter", "command_once", "connect", "keep_sums"]


class Adapter(wiring.Component):
    """An array, its command from a descriptor, and what turns words into its beats and sums back.

    Parameters
    ----------
    arch : ArchConfig
        A design with a machine.

    Members
    -------
    start : ``In(1)``
        Begin ``job``, which holds still until it ends.
    abort : ``In(1)``
        Forget the job.
    job : ``In(execute_layout())``
    act, weight : ``In(stream.Signature(...))``
        Beats of the feeder, words of weights.
    fill : ``In``
        In place of ``weight`` where the array's own memories have halves: words of the load engine,
        ``valid``, ``half``, ``addr``, ``data``. None may come for the half of the job.
    word : ``In``
        All of the word that the beat of ``act`` is of.
    sums : ``Out(stream.Signature(...))``
        Beats of the postprocess.
    takes : ``Out(1)``
        The array takes a beat of activations.
    rests : ``Out(1)``
        The array waits for a command, or ``start`` makes it do so.
    kept : ``Out(1)``
        A job that keeps its sums has ended.
    """

    start: Signal
    abort: Signal
    job: data.View
    act: stream.Interface
    weight: stream.Interface
    fill: Any
    word: Signal
    sums: stream.Interface
    takes: Signal
    rests: Signal
    kept: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        self.shape = shape = MachineShape.of(arch)
        if shape.has_weights:
            weights = {"weight": In(stream.Signature(shape.weight_word))}
        else:
            weights = {"fill": In(memory_write(shape.weight_address, shape.weight_word, half=1))}
        super().__init__(
            {
                "start": In(1),
                "abort": In(1),
                "job": In(execute_layout()),
                "act": In(stream.Signature(shape.act_lanes * shape.act_width)),
                **weights,
                "word": In(shape.act_bits),
                "sums": Out(stream.Signature(shape.ofmap_lanes * shape.psum_width)),
                "takes": Out(1),
                "rests": Out(1),
                "kept": Out(1),
            }
        )


def adapter(arch: ArchConfig) -> Adapter:
    """Adapter of a design's family."""
    return cast(Adapter, wing(arch.array.ADAPTER).Adapter(arch))


def command_once(m: Module, component: Adapter, command: Any) -> Signal:
    """Offer the command of a job from the cycle after ``start`` until it is taken; the offer."""
    commanded = Signal()
    with m.If(command.ready):
        m.d.sync += commanded.eq(0)
    with m.If(component.start):
        m.d.sync += commanded.eq(1)
    with m.If(component.abort):
        m.d.sync += commanded.eq(0)
    m.d.comb += command.valid.eq(commanded)
    return commanded


def keep_sums(m: Module, component: Adapter, idle: Value) -> None:
    """Drive ``kept``: sums that stay lie in their place when the array is idle again."""
    keeping = Signal()
    m.d.comb += component.kept.eq(keeping & idle)
    with m.If(component.kept | component.abort):
        m.d.sync += keeping.eq(0)
    with m.If(component.start):
        m.d.sync += keeping.eq(component.job.keep)


def connect(m: Module, source: Any, sink: Any) -> None:
    """Connect streams; the bits of the sink are the lowest of the source."""
    m.d.comb += Value.cast(sink.payload).eq(Value.cast(source.payload))
    m.d.comb += [sink.valid.eq(source.valid), source.ready.eq(sink.ready)]
