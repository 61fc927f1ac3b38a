"""Execution of one tile: from the act banks through array or vector unit back into them."""

from typing import Any

from amaranth import Const, Module, Mux, ResetInserter, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig
from hwsim.config.shape import MachineShape
from hwsim.contract.descriptors import ADDRESS_BITS, INDEX_BITS, KINDS
from hwsim.contract.machine import STALL_LIMIT
from hwsim.rtl.blocks.ports import memory_read, memory_write
from hwsim.rtl.machine.adapters.interface import adapter, connect
from hwsim.rtl.machine.descriptor import execute_layout
from hwsim.rtl.machine.feeder import Feeder
from hwsim.rtl.machine.gather import GatherFeeder
from hwsim.rtl.machine.postprocess import Postprocess
from hwsim.rtl.machine.vector import Vector
from hwsim.rtl.machine.weights import WeightReader

__all__ = ["Execute"]


class Execute(wiring.Component):
    """Run a job of the array or of the vector unit; its results go through the postprocess.

    Activations and weights are offered two cycles after ``start``, the array's command one cycle
    after: so no stream ever starves, and the array takes its own count of cycles. What fits it to
    the words of the machine is the adapter of its family (:mod:`hwsim.rtl.machine.adapters`).

    Parameters
    ----------
    arch : ArchConfig
        A design with a machine.

    Members
    -------
    start : ``In(1)``
        Begin ``job``, which holds still until ``done``.
    abort : ``In(1)``
        Forget the job.
    job : ``In(execute_layout())``
    feed, weight, scale : ``Out``
        Read ports of act banks, weights and scales.
    fill : ``In``
        In place of ``weight`` where the array has their memories: as that of
        :class:`~hwsim.rtl.machine.adapters.interface.Adapter`.
    list : ``Out``
        Read port of the lists, where lanes of the act banks have addresses of their own.
    write : ``Out``
        Results: ``valid``, ``index``, ``addr``, ``data``.
    done : ``Out(1)``
        The last result is written in this cycle.
    stalled : ``Out(1)``
        Nothing has moved for ``STALL_LIMIT`` cycles, the array offers what no job takes, or array
        or vector unit has more, or wants more, when all results are written: the descriptor
        contradicts itself.
    takes : ``Out(1)``
        The array takes a beat of activations.
    """

    start: Signal
    abort: Signal
    job: data.View
    feed: Any
    weight: Any
    fill: Any
    scale: Any
    list: Any
    write: Any
    done: Signal
    stalled: Signal
    takes: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        self.shape = shape = MachineShape.of(arch)
        assert arch.memory is not None
        self.scale_depth = arch.memory.scale_depth
        scale_address = max(1, (self.scale_depth - 1).bit_length())
        beat = shape.ofmap_lanes * shape.act_width
        if shape.has_weights:
            more = {"weight": Out(memory_read(shape.weight_address, shape.weight_word))}
        else:
            more = {"fill": In(memory_write(shape.weight_address, shape.weight_word, half=1))}
        if shape.gathers:
            address = max(1, (shape.list_depth - 1).bit_length())
            more["list"] = Out(memory_read(address, shape.list_word))
        super().__init__(
            {
                "start": In(1),
                "abort": In(1),
                "job": In(execute_layout()),
                "feed": Out(
                    memory_read(shape.slices * ADDRESS_BITS, shape.act_bits, index=INDEX_BITS)
                ),
                "scale": Out(memory_read(scale_address, shape.scale_word)),
                "write": Out(memory_write(ADDRESS_BITS, beat, index=INDEX_BITS)),
                "done": Out(1),
                "stalled": Out(1),
                "takes": Out(1),
            }
            | more
        )

    def elaborate(self, platform):
        m = Module()
        shape, job = self.shape, self.job
        reset = ResetInserter(self.abort)

        is_array, is_vector = Signal(), Signal()
        m.d.comb += is_array.eq(job.kind == KINDS["array"])
        m.d.comb += is_vector.eq(job.kind == KINDS["vector"])

        # into the array or the vector unit
        feeder = self._feeder(m)
        m.submodules.feeder = reset(feeder)
        m.d.comb += [feeder.start.eq(self.start), feeder.whole.eq(is_vector)]
        m.d.comb += feeder.base.eq(job.feed_from)
        for level in range(len(feeder.bounds)):
            m.d.comb += feeder.bounds[level].eq(job[f"feed{level}_bound"])
            m.d.comb += feeder.steps[level].eq(job[f"feed{level}_step"])
        m.d.comb += [self.feed.en.eq(feeder.read.en), self.feed.addr.eq(feeder.read.addr)]
        m.d.comb += [self.feed.index.eq(job.read_bank), feeder.read.data.eq(self.feed.data)]

        weight_moves: Value = Const(0)
        if shape.has_weights:
            weights = WeightReader(width=shape.weight_word, address=shape.weight_address)
            m.submodules.weights = reset(weights)
            m.d.comb += [weights.start.eq(self.start & is_array), weights.stop.eq(self.done)]
            m.d.comb += [self.weight.en.eq(weights.read.en), self.weight.addr.eq(weights.read.addr)]
            m.d.comb += weights.read.data.eq(self.weight.data)
            weight_moves = weights.word.valid & weights.word.ready

        core = adapter(self.arch)
        m.submodules.core = core
        m.d.comb += [core.start.eq(self.start & is_array), core.abort.eq(self.abort)]
        m.d.comb += core.job.eq(job)
        if shape.has_weights:
            connect(m, weights.word, core.weight)
        else:
            wiring.connect(m, wiring.flipped(self.fill), core.fill)
        m.d.comb += core.act.valid.eq(feeder.beat.valid & is_array)
        m.d.comb += [core.act.payload.eq(feeder.beat.payload), core.word.eq(feeder.word)]
        m.d.comb += self.takes.eq(core.takes)

        vector = Vector(
            word_lanes=shape.word_lanes,
            lanes=shape.ofmap_lanes,
            act_width=shape.act_width,
            psum_width=shape.psum_width,
        )
        m.submodules.vector = reset(vector)
        m.d.comb += vector.start.eq(self.start & is_vector)
        m.d.comb += vector.job.op.eq(job.op)
        m.d.comb += vector.job.window.eq(job.command_0[:16])
        m.d.comb += vector.job.multipliers[0].eq(job.command_1[:16])
        m.d.comb += vector.job.multipliers[1].eq(job.command_1[16:])
        m.d.comb += vector.word.valid.eq(feeder.beat.valid & is_vector)
        m.d.comb += vector.word.payload.as_value().eq(feeder.word)
        with m.If(is_vector):
            m.d.comb += feeder.beat.ready.eq(vector.word.ready)
        with m.Else():
            m.d.comb += feeder.beat.ready.eq(core.act.ready)

        # out of them
        post = Postprocess(
            lanes=shape.ofmap_lanes,
            psum_width=shape.psum_width,
            act_width=shape.act_width,
            scale_depth=self.scale_depth,
            scale_level=self.arch.array.FILTER_LOOP,
        )
        m.submodules.postprocess = reset(post)
        keeps = is_array & job.keep
        m.d.comb += [post.start.eq(self.start & ~keeps), post.job.to.eq(job.post_to)]
        m.d.comb += [post.job.relu.eq(job.relu), post.job.raw.eq(job.raw)]
        m.d.comb += post.job.one_scale.eq(is_vector)
        for level in range(len(post.job.bounds)):
            m.d.comb += post.job.bounds[level].eq(job[f"post{level}_bound"])
            m.d.comb += post.job.steps[level].eq(job[f"post{level}_step"])
        with m.If(is_vector):
            m.d.comb += post.psum.valid.eq(vector.psum.valid)
            m.d.comb += post.psum.payload.eq(vector.psum.payload)
            m.d.comb += vector.psum.ready.eq(post.psum.ready)
        with m.Else():
            connect(m, core.sums, post.psum)
        m.d.comb += [self.scale.en.eq(post.scale.en), self.scale.addr.eq(post.scale.addr)]
        m.d.comb += post.scale.data.as_value().eq(self.scale.data)
        m.d.comb += [
            self.write.valid.eq(post.write.valid),
            self.write.index.eq(job.write_bank),
            self.write.addr.eq(post.write.addr),
            self.write.data.eq(post.write.data),
            self.done.eq(post.done | core.kept),
        ]

        # a job whose loops do not agree would wait for ever
        idle = Signal(range(STALL_LIMIT), name="idle_cycles", reset_less=True)
        moves, spurious = Signal(), Signal(name="spurious")
        m.d.comb += moves.eq(
            (feeder.beat.valid & feeder.beat.ready) | weight_moves | self.write.valid
        )
        m.d.comb += spurious.eq(core.sums.valid & (is_vector | ~post.takes))
        m.d.sync += idle.eq(idle + 1)
        with m.If(self.start | moves):
            m.d.sync += idle.eq(0)
        waits, unfinished = Signal(name="waits"), Signal(name="unfinished")
        with m.If(self.done | self.abort):
            m.d.sync += waits.eq(0)
        with m.If(self.start):
            m.d.sync += waits.eq(1)
        stuck = waits & (idle == STALL_LIMIT - 1)
        vector_rests = vector.rests & ~feeder.beat.valid
        m.d.comb += unfinished.eq(self.done & Mux(is_vector, ~vector_rests, ~core.rests))
        m.d.comb += self.stalled.eq(spurious | stuck | unfinished)

        return m

    def _feeder(self, m: Module) -> Any:
        """Feeder of words, or of lanes of different words."""
        shape = self.shape
        if not shape.gathers:
            return Feeder(word_bits=shape.act_bits, beat_bits=shape.act_lanes * shape.act_width)
        feeder = GatherFeeder(
            lanes=shape.act_lanes,
            beats=shape.feed_beats,
            width=shape.act_width,
            entry=shape.list_entry,
            depth=shape.list_depth,
        )
        m.d.comb += [self.list.en.eq(feeder.list.en), self.list.addr.eq(feeder.list.addr)]
        m.d.comb += feeder.list.data.eq(self.list.data)
        return feeder
