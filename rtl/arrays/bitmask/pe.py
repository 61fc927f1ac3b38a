"""Bitmask PE: inner join of masks, and a multiply-accumulate for every pair."""

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import BitmaskConfig
from hwsim.formats.base import index_width
from hwsim.formats.bitmask import PIECE
from hwsim.rtl.arrays.bitmask.bits import select
from hwsim.rtl.arrays.bitmask.inner_join import InnerJoin
from hwsim.rtl.arrays.bitmask.layout import PESizes, acts_layout, masks_layout
from hwsim.rtl.arrays.bitmask.masks import MaskWalk
from hwsim.rtl.arrays.decoding.accumulator import Accumulator
from hwsim.rtl.arrays.decoding.base_row import BaseRow
from hwsim.rtl.arrays.decoding.drain_layout import drain_layout, lane_psums
from hwsim.rtl.arrays.decoding.group_count import GroupCount
from hwsim.rtl.arrays.status import status_code, status_codes
from hwsim.rtl.blocks.deep_memory import DeepMemory
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

    The pipeline, one cycle per stage: **offer** of a mask of weights with that of the chunk
    (:class:`MaskWalk`), **pick** of a byte and **join** (:class:`InnerJoin`), **fetch** of both
    values, **capture** of the weight (the accumulator is fetched), **multiply** and **add**.
    Everything after the join never stalls. A step of n pairs costs max(1, n) cycles of the join
    stage.

    * Latency: three cycles from the push that completes a chunk to its first pair in the join
      stage, four more to the sum being stored.
    * Throughput: one pair per cycle.
    * Stalls: ``room`` is low while the PE needs all chunks of the buffer; a pixel waits for its
      bank.

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
        Write a piece of a mask (``kind`` 0) or a value (1); only while no layer runs, or into the
        half that is not read.
    half : ``In(1)``
        For memories with halves: the one that is read, while a layer runs.
    rows, masks, room
        As of :class:`MaskWalk`.
    push_en : ``In(1)``
        The next chunk is completed in the buffer.
    act_masks, acts : ``In(masks_layout)``, ``In(acts_layout)``
        The buffer of the cluster.
    run : ``In(1)``
        A layer is running.
    more : ``In(1)``
        Activations are still to come.
    stays : ``In(1)``
        For sizes that carry: as of :class:`~hwsim.rtl.arrays.decoding.base_row.BaseRow`.
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
    half: Signal
    rows: Signal
    masks: Signal
    run: Signal
    more: Signal
    push_en: Signal
    act_masks: data.View
    acts: data.View
    room: Signal
    stays: Signal
    drain: data.View
    drained: Signal
    finished: Signal
    finished_two: Signal
    psum: data.View
    cause: Signal
    events: data.View

    def __init__(self, sizes: PESizes, load: data.StructLayout, events: data.StructLayout) -> None:
        self.sizes, banks, depth = sizes, sizes.banks, sizes.buffer_depth
        super().__init__(
            {
                "load_en": In(1),
                "load": In(load),
                "rows": In(range(banks.depth + 1)),
                "masks": In(range(sizes.mask_depth + 1)),
                "run": In(1),
                "more": In(1),
                "push_en": In(1),
                "act_masks": In(masks_layout(sizes.chunk, depth)),
                "acts": In(acts_layout(sizes.chunk, depth, sizes.numbers.act_width)),
                "room": Out(1),
                "drain": In(drain_layout(banks)),
                "drained": In(1),
                "finished": Out(1),
                "finished_two": Out(1),
                "psum": Out(lane_psums(banks, sizes.numbers.psum_width)),
                "cause": Out(status_code(BitmaskConfig.CAUSES, "pe", "idle").shape()),
                "events": Out(events),
            }
            | ({"stays": In(1)} if sizes.carries else {})
            | ({"half": In(1)} if sizes.halves == 2 else {})
        )

    def elaborate(self, platform):
        m = Module()
        sizes = self.sizes
        walk = m.submodules.walk = MaskWalk(
            chunk=sizes.chunk,
            mask_depth=sizes.mask_depth,
            buffer_depth=sizes.buffer_depth,
            filters=sizes.banks.depth,
            halves=sizes.halves,
        )
        if sizes.halves == 2:
            m.d.comb += [walk.write_half.eq(self.load.half), walk.half.eq(self.half)]
        join = m.submodules.join = InnerJoin(sizes.chunk)
        m.d.comb += [
            walk.write_en.eq(self.load_en & (self.load.kind == 0)),
            walk.write_addr.eq(self.load.addr),
            walk.write_data.eq(self.load.data),
            walk.rows.eq(self.rows),
            walk.masks.eq(self.masks),
            walk.run.eq(self.run),
            walk.push_en.eq(self.push_en),
            walk.acts.eq(self.act_masks),
            self.room.eq(walk.room),
        ]
        ends_pixel, route = self._join(m, walk, join)
        strobes = self._multiply(m, join, route)
        strobes |= {
            "mask_writes": walk.write_en,
            "mask_reads": walk.fetches,
            "joins": walk.step.valid & walk.step.ready,
        }
        m.d.comb += [self.events[name].eq(strobe) for name, strobe in strobes.items()]

        # Pixels added up and not drained. One counts from the cycle after its last write.
        always = Const(1)
        finishes = delayed(m, ends_pixel, 4, enable=always, name="finishes", reset_less=False)
        finished = m.submodules.finished = GroupCount(sizes.banks.count)
        m.d.comb += [
            finished.enters.eq(finishes),
            finished.drained.eq(self.drained),
            self.finished.eq(finished.one),
            self.finished_two.eq(finished.two),
        ]
        return m

    def _join(self, m: Module, walk: MaskWalk, join: InnerJoin):
        """Bring masks into the join; give the last cycle of a pixel, and the route of its pairs."""
        step, sizes = walk.step, self.sizes
        layout = _route_layout(sizes)
        route = data.View(layout, Signal(layout.size, name="route"))
        bank = Signal.like(route.bank, name="bank")
        # pixels joined and not drained: each holds a bank
        ahead = m.submodules.ahead = GroupCount(sizes.banks.count)
        is_free = Signal()
        loads = Signal()
        # the byte that enters the join stage is the last one of its chunk, of its pixel
        ends_chunk = Signal()
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
            ends_chunk.eq(loads & step.p.ends_chunk),
            ends_pixel.eq(loads & step.p.ends_pixel),
        ]
        ends_chunk_q = Signal()
        ends_pixel_q = Signal()
        m.d.sync += bank.eq(Mux(self.run, bank + ends_pixel, 0))
        row = step.p.row
        if sizes.carries:
            base_row = m.submodules.base_row = BaseRow(sizes.banks)
            m.d.comb += [
                base_row.run.eq(self.run),
                base_row.stays.eq(self.stays),
                base_row.rows.eq(self.rows),
                base_row.ends_group.eq(ends_pixel),
                base_row.bank.eq(bank),
            ]
            row = step.p.row + base_row.base
        with m.If(join.enters):
            m.d.sync += [
                route.slot.eq(step.p.slot),
                route.row.eq(row),
                route.bank.eq(bank),
                ends_chunk_q.eq(ends_chunk),
                ends_pixel_q.eq(ends_pixel),
            ]
            # the values of a step follow those of the one before
            with m.If(join.is_first):
                m.d.sync += route.start.eq(Mux(ends_pixel_q, 0, route.start + join.total))
        m.d.comb += [
            walk.release.eq(join.ends & ends_chunk_q),
            self.cause.eq(self._cause(walk, join, is_free)),
        ]
        return join.ends & ends_pixel_q, route

    def _cause(self, walk: MaskWalk, join: InnerJoin, is_free: Signal) -> Value:
        code = status_codes(BitmaskConfig.CAUSES, "pe")
        nothing = Mux(self.more, code["buffer"], code["done"])
        fetching = Mux(walk.step.valid | walk.available, code["fetch"], nothing)
        waiting = Mux(walk.step.valid & ~is_free, code["drain"], fetching)
        joining = Mux(join.has_pair, code["mac"], code["empty"])
        return Mux(self.run, Mux(join.busy, joining, waiting), code["idle"])

    def _multiply(self, m: Module, join: InnerJoin, route: data.View) -> dict[str, Value]:
        """Fetch, multiply and add the pairs; give the strobes of the memories."""
        sizes, numbers, always = self.sizes, self.sizes.numbers, Const(1)
        values = m.submodules.values = DeepMemory(
            code_shape(numbers), sizes.entry_depth, halves=sizes.halves
        )
        fetch = Signal()
        value_addr = Signal.like(route.start, name="value_addr", reset_less=True)
        write_addr, read_addr = self.load.addr, value_addr
        if sizes.halves == 2:
            low = self.load.addr[: len(value_addr)]
            write_addr, read_addr = Cat(low, self.load.half), Cat(value_addr, self.half)
        slot = Signal.like(route.slot, name="slot", reset_less=True)
        position = Signal.like(join.pair.position, name="position", reset_less=True)
        m.d.sync += [
            fetch.eq(join.has_pair),
            value_addr.eq(route.start + join.pair.rank),
            slot.eq(route.slot),
            position.eq(join.pair.position),
        ]
        m.d.comb += [
            values.write_en.eq(self.load_en & (self.load.kind == 1)),
            values.write_addr.eq(write_addr),
            values.write_data.eq(self.load.data),
            values.read_en.eq(fetch),
            values.read_addr.eq(read_addr),
        ]
        act = Signal(act_shape(numbers), reset_less=True)
        m.d.sync += act.eq(self._act(m, slot, position).as_signed())
        act_q = delayed(m, act, 1, enable=always, name="act")

        accumulator = m.submodules.accumulator = Accumulator(
            sizes.banks, product_width=numbers.product_width, psum_width=numbers.psum_width
        )
        target = delayed(m, Cat(route.row, route.bank), 2, enable=always, name="target")
        m.d.sync += accumulator.product[0].eq(product(act_q, values.word, numbers))
        m.d.comb += [
            accumulator.add.eq(delayed(m, fetch, 1, enable=always, name="pair", reset_less=False)),
            Cat(accumulator.row, accumulator.bank).eq(target),
            accumulator.drain.eq(self.drain),
            self.psum.eq(accumulator.psum),
        ]
        return {
            "value_writes": values.write_en,
            "value_reads": values.read_en,
            "macs": accumulator.add,
            "psum_reads": accumulator.reads,
            "psum_writes": accumulator.writes,
        }

    def _act(self, m: Module, slot: Signal, position: Signal) -> Value:
        """Select an activation of the buffer: a byte of positions, then one of them."""
        size = self.sizes.chunk // PIECE
        low = Signal(PIECE, name="position_line")
        high = Signal(size * self.sizes.buffer_depth, name="byte_line")
        bytes_of_slot = size.bit_length() - 1
        m.d.comb += [
            low.eq(1 << position[:3]),
            high.eq(1 << Cat(position[3:][:bytes_of_slot], slot)),
        ]
        words = [
            Cat(self.acts[slot][first : first + PIECE])
            for slot in range(self.sizes.buffer_depth)
            for first in range(0, self.sizes.chunk, PIECE)
        ]
        word = Signal(PIECE * self.sizes.numbers.act_width, name="acts_of_byte")
        m.d.comb += word.eq(select(high, words))
        width = self.sizes.numbers.act_width
        return select(low, [word.word_select(i, width) for i in range(PIECE)])
