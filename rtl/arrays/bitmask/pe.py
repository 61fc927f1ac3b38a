"""Bitmask PE: inner join of masks, and a multiply-accumulate for every pair."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.config import BitmaskConfig
from hwsim.formats.base import index_width
from hwsim.rtl.arrays.bitmask.inner_join import InnerJoin, count_ones
from hwsim.rtl.arrays.bitmask.layout import PESizes, push_layout
from hwsim.rtl.arrays.bitmask.masks import MaskWalk
from hwsim.rtl.arrays.decoding.accumulator import Accumulator
from hwsim.rtl.arrays.decoding.drain_layout import drain_layout, lane_psums
from hwsim.rtl.arrays.decoding.group_count import GroupCount
from hwsim.rtl.arrays.status import status_code, status_codes
from hwsim.rtl.blocks.delay import delayed
from hwsim.rtl.blocks.multiplier import act_shape, code_shape, product

__all__ = ["PE"]


def _route_layout(sizes: PESizes) -> data.StructLayout:
    """Where the values of a step's pairs lie, and where the products are added up."""
    return data.StructLayout(
        {
            "start": unsigned(index_width(sizes.entry_depth)),
            "slot": unsigned(index_width(sizes.buffer_depth)),
            "row": unsigned(index_width(sizes.banks.depth)),
            "bank": unsigned(index_width(sizes.banks.count)),
        }
    )


class PE(wiring.Component):
    """Join the masks of every local filter with those of the buffered chunks; add up by filter.

    The pipeline, one cycle per stage: **fetch** of both masks (:class:`MaskWalk`), **and**,
    **join** and **rank** (:class:`InnerJoin`), **fetch** of both values, **select** of the
    activation in its word, **multiply** (the accumulator is fetched) and **add**. Everything after
    the join never stalls. A step of n pairs costs max(1, n) cycles of the join stage.

    * Latency: three cycles from the push that completes a chunk to its first pair in the join
      stage, five more to the sum being stored.
    * Throughput: one pair per cycle.
    * Stalls: ``room`` is low while the buffer is full; a pixel waits for its bank.

    Parameters
    ----------
    sizes : :class:`~hwsim.rtl.arrays.bitmask.layout.PESizes`
        Sizes of the PE.
    load : :class:`amaranth.lib.data.StructLayout`
        What the PE sees of a weight beat
        (:func:`~hwsim.rtl.arrays.decoding.tiles.load_layout`).
    events : :class:`amaranth.lib.data.StructLayout`
        Strobes of the PE (:func:`~hwsim.rtl.arrays.decoding.tiles.pe_events`).

    Members
    -------
    load_en, load : ``In(1)``, ``In(load)``
        Write a piece of a mask (``kind`` 0) or a value (1); only while no layer runs.
    rows, chunks, room
        As of :class:`MaskWalk`.
    push_en, push : ``In(1)``, ``In(push_layout(sizes))``
        A beat of activations.
    run : ``In(1)``
        A layer is running.
    more : ``In(1)``
        Activations are still to come.
    drain : ``In(drain_layout(banks))``
        Fetch and zero of the accumulators.
    drained : ``In(1)``
        A pixel's last partial sums are taken in this cycle.
    finished, finished_two : ``Out(1)``
        At least one, or two, pixels are added up and not drained.
    psum : ``Out(lane_psums(banks, psum_width))``
        Partial sum that the drain looks at.
    cause : ``Out``
        Cause of this cycle, of the join stage.
    events : ``Out(events)``
        Events of this cycle.
    """

    load_en: Signal
    load: data.View
    rows: Signal
    chunks: Signal
    run: Signal
    more: Signal
    push_en: Signal
    push: data.View
    room: Signal
    drain: data.View
    drained: Signal
    finished: Signal
    finished_two: Signal
    psum: data.View
    cause: Signal
    events: data.View

    def __init__(self, sizes: PESizes, load: data.StructLayout, events: data.StructLayout) -> None:
        self.sizes, banks = sizes, sizes.banks
        super().__init__(
            {
                "load_en": In(1),
                "load": In(load),
                "rows": In(range(banks.depth + 1)),
                "chunks": In(range(sizes.mask_depth + 1)),
                "run": In(1),
                "more": In(1),
                "push_en": In(1),
                "push": In(push_layout(sizes)),
                "room": Out(1),
                "drain": In(drain_layout(banks)),
                "drained": In(1),
                "finished": Out(1),
                "finished_two": Out(1),
                "psum": Out(lane_psums(banks, sizes.numbers.psum_width)),
                "cause": Out(status_code(BitmaskConfig.CAUSES, "pe", "idle").shape()),
                "events": Out(events),
            }
        )

    def elaborate(self, platform):
        m = Module()
        sizes = self.sizes
        walk = m.submodules.walk = MaskWalk(
            chunk=sizes.chunk,
            mask_depth=sizes.mask_depth,
            buffer_depth=sizes.buffer_depth,
            filters=sizes.banks.depth,
        )
        join = m.submodules.join = InnerJoin(sizes.chunk)
        m.d.comb += [
            walk.write_en.eq(self.load_en & (self.load.kind == 0)),
            walk.write_addr.eq(self.load.addr),
            walk.write_data.eq(self.load.data),
            walk.rows.eq(self.rows),
            walk.chunks.eq(self.chunks),
            walk.push_en.eq(self.push_en & self.push.last),
            walk.push_slot.eq(self.push.slot),
            walk.push_mask.eq(self.push.mask),
            self.room.eq(walk.room),
        ]
        ends_chunk, ends_pixel, route = self._join(m, walk, join)
        strobes = self._multiply(m, join, route)
        strobes |= {
            "mask_writes": walk.write_en,
            "mask_reads": walk.fetches,
            "buffer_mask_writes": walk.push_en,
            "buffer_mask_reads": walk.fetches,
            "joins": walk.step.valid & walk.step.ready,
        }
        m.d.comb += [self.events[name].eq(strobe) for name, strobe in strobes.items()]

        # The values of a chunk are fetched two cycles after its last pair leaves the join.
        always = Const(1)
        m.d.comb += walk.release.eq(
            delayed(m, ends_chunk, 2, enable=always, name="release", reset_less=False)
        )
        # Pixels added up and not drained. One counts from the cycle after its last write.
        finishes = delayed(m, ends_pixel, 5, enable=always, name="finishes", reset_less=False)
        finished = m.submodules.finished = GroupCount(sizes.banks.count)
        m.d.comb += [
            finished.enters.eq(finishes),
            finished.drained.eq(self.drained),
            self.finished.eq(finished.one),
            self.finished_two.eq(finished.two),
        ]
        return m

    def _join(self, m: Module, walk: MaskWalk, join: InnerJoin):
        """Bring masks into the join stage; give its last cycles, and the route of its pairs."""
        step = walk.step
        layout = _route_layout(self.sizes)
        route = data.View(layout, Signal(layout.size, name="route", reset_less=True))
        start = Signal.like(route.start)  # of the values of the step to come
        bank = Signal.like(route.bank)
        # pixels joined and not drained: each holds a bank
        ahead = m.submodules.ahead = GroupCount(self.sizes.banks.count)
        is_free = Signal()
        loads = Signal()
        ends_pixel = Signal()
        m.d.comb += [
            ahead.enters.eq(ends_pixel),
            ahead.drained.eq(self.drained),
            is_free.eq(~ahead.full),
            join.masks.valid.eq(step.valid & is_free),
            join.masks.p.weight.eq(step.p.weight),
            join.masks.p.act.eq(step.p.act),
            step.ready.eq(join.masks.ready & is_free),
            loads.eq(step.valid & step.ready),
            ends_pixel.eq(loads & step.p.ends_pixel),
        ]
        ends_chunk_q = Signal(reset_less=True)
        ends_pixel_q = Signal(reset_less=True)
        m.d.sync += bank.eq(Mux(self.run, bank + ends_pixel, 0))
        with m.If(loads):
            m.d.sync += [
                route.start.eq(start),
                route.slot.eq(step.p.slot),
                route.row.eq(step.p.row),
                route.bank.eq(bank),
                ends_chunk_q.eq(step.p.ends_chunk),
                ends_pixel_q.eq(step.p.ends_pixel),
                start.eq(Mux(ends_pixel, 0, start + count_ones(step.p.weight))),
            ]
        m.d.comb += self.cause.eq(self._cause(walk, join, is_free))
        return join.ends & ends_chunk_q, join.ends & ends_pixel_q, route

    def _cause(self, walk: MaskWalk, join: InnerJoin, is_free: Signal) -> Value:
        code = status_codes(BitmaskConfig.CAUSES, "pe")
        nothing = Mux(self.more, code["buffer"], code["done"])
        fetching = Mux(walk.step.valid | walk.available, code["fetch"], nothing)
        waiting = Mux(walk.step.valid & ~is_free, code["drain"], fetching)
        joining = Mux(join.has_pair, code["mac"], code["empty"])
        return Mux(self.run, Mux(join.busy, joining, waiting), code["idle"])

    def _multiply(self, m: Module, join: InnerJoin, route: data.View) -> dict[str, Value]:
        """Fetch, select, multiply and add the pairs; give the strobes of the memories."""
        sizes, numbers = self.sizes, self.sizes.numbers
        always, shift = Const(1), sizes.window.bit_length() - 1
        word = data.ArrayLayout(act_shape(numbers), sizes.window)

        values: Memory = Memory(shape=code_shape(numbers), depth=sizes.entry_depth, init=[])
        m.submodules.values = values
        acts: Memory = Memory(shape=word, depth=sizes.buffer_depth * sizes.words, init=[])
        m.submodules.acts = acts
        value_write, value_read = values.write_port(), values.read_port()
        act_write, act_read = acts.write_port(), acts.read_port()
        m.d.comb += [
            value_write.en.eq(self.load_en & (self.load.kind == 1)),
            value_write.addr.eq(self.load.addr),
            value_write.data.eq(self.load.data),
            act_write.en.eq(self.push_en),
            act_write.addr.eq(self._word_addr(self.push.slot, self.push.word)),
            act_write.data.eq(self.push.act),
        ]

        # rank: the pair's addresses in both memories
        rank = delayed(m, route, 1, enable=always, name="route")
        fetch = Signal()
        lane = Signal(max(shift, 1), reset_less=True)
        value_addr = Signal.like(value_read.addr, reset_less=True)
        act_addr = Signal.like(act_read.addr, reset_less=True)
        m.d.sync += [
            fetch.eq(join.pair.valid),
            value_addr.eq(rank.start + join.pair.p.weight),
            act_addr.eq(self._word_addr(rank.slot, join.pair.p.act >> shift)),
            lane.eq(join.pair.p.act[:shift]),
        ]
        # fetch, then select
        m.d.comb += [
            value_read.en.eq(fetch),
            value_read.addr.eq(value_addr),
            act_read.en.eq(fetch),
            act_read.addr.eq(act_addr),
        ]
        lane_q = delayed(m, lane, 1, enable=always, name="lane")
        code = Signal(code_shape(numbers), reset_less=True)
        act = Signal(act_shape(numbers), reset_less=True)
        m.d.sync += [code.eq(value_read.data), act.eq(act_read.data[lane_q])]

        accumulator = m.submodules.accumulator = Accumulator(
            sizes.banks, product_width=numbers.product_width, psum_width=numbers.psum_width
        )
        target = delayed(m, Cat(rank.row, rank.bank), 3, enable=always, name="target")
        m.d.sync += accumulator.product[0].eq(product(act, code, numbers))
        m.d.comb += [
            accumulator.add.eq(delayed(m, fetch, 2, enable=always, name="pair", reset_less=False)),
            Cat(accumulator.row, accumulator.bank).eq(target),
            accumulator.drain.eq(self.drain),
            self.psum.eq(accumulator.psum),
        ]
        return {
            "value_writes": value_write.en,
            "value_reads": value_read.en,
            "buffer_writes": act_write.en,
            "buffer_reads": act_read.en,
            "macs": accumulator.add,
            "psum_reads": accumulator.reads,
            "psum_writes": accumulator.writes,
        }

    def _word_addr(self, slot: Value, word: Value) -> Value:
        """Address of a word of a slot of the buffer."""
        width = (self.sizes.words - 1).bit_length()
        return Cat(word[:width], slot) if width else slot
