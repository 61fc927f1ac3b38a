"""Load engine: strided blocks from the memory outside into the memories on chip."""

from collections.abc import Mapping
from typing import Any

from amaranth import Const, Module, ResetInserter, Signal, Value
from amaranth.lib import data, stream, wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hwsim.config import BusConfig
from hwsim.contract.descriptors import (
    ADDRESS_BITS,
    DESCRIPTOR_TARGET,
    INDEX_BITS,
    TARGET_BITS,
    TARGETS,
)
from hwsim.contract.machine import LOAD_QUEUE
from hwsim.rtl.blocks.ports import memory_write
from hwsim.rtl.bus.axi import OKAY, read_port
from hwsim.rtl.bus.bursts import Bursts
from hwsim.rtl.bus.gearbox import Unpack

__all__ = ["Load", "block_layout"]


def block_layout(bus: BusConfig) -> data.StructLayout:
    """Block that the engine loads: rows in memory, and where their words go."""
    return data.StructLayout(
        {
            "address": bus.addr_width,
            "row_step": 32,
            "rows": 16,
            "beats": 16,
            "words": 16,
            "to": 16,
            "to_step": 16,
            "target": TARGET_BITS,
            "index": 3,
        }
    )


class Load(wiring.Component):
    """Load blocks one after the other.

    One walker requests bursts and runs ahead; the other takes the beats, cuts them into words, and
    addresses these. A row begins on a beat, and has just the beats that hold its words.

    * Throughput: one burst requested per cycle, one beat taken and one word written per cycle.
    * Latency: the first burst is requested two cycles after its block's transfer (queue, walker);
      a word is written one cycle after the beat that ends it (the register ``write``).
    * Stalls: a beat waits while words of the one before are written; never, where words are at
      least as wide as a beat. ``hwsim.accelerator.load`` gives the exact time.

    Parameters
    ----------
    bus : BusConfig
    widths, depths : Mapping[str, int]
        Bits of a word of each target that the machine has, and its words, a power of two; a
        descriptor's words are beats.

    Members
    -------
    block : ``In(stream.Signature(block_layout(bus)))``
        Addresses and steps in memory are bytes, multiples of a beat; ``beats`` and ``words`` count
        per row: ``beats == ceil(words * width / data_width)``. Nothing may be 0. The engine takes
        four blocks that follow each other in whatever state the memory is.
    cancel : ``In(1)``
        Drop all blocks; hold it until the engine is no longer ``busy``, when the bursts under way
        have ended. No block may be offered meanwhile.
    axi : ``Out(read_port)``
    write : ``Out(memory_write(...))``
        ``target`` and ``index`` of the memory, which never waits; the word in the low bits of
        ``data``.
    busy : ``Out(1)``
        A block is queued or under way; 0 from the first cycle on in which every word is written,
        or cancelled.
    error : ``Out(1)``
        A beat came with an error since the engine was last idle; stays until the next block.
    beyond : ``Out(1)``
        As ``error``: a word was written to an address that its memory does not have.
    beat : ``Out(1)``
        A beat is taken.
    """

    block: stream.Interface
    cancel: Signal
    axi: Any
    write: Any
    busy: Signal
    error: Signal
    beyond: Signal
    beat: Signal

    def __init__(
        self, *, bus: BusConfig, widths: Mapping[str, int], depths: Mapping[str, int]
    ) -> None:
        self.bus = bus
        self.depths = {TARGETS[name]: depth for name, depth in depths.items()}
        #: Bits of a word -> codes of the targets that have such words.
        self.targets: dict[int, list[int]] = {}
        for name, width in widths.items():
            self.targets.setdefault(width, []).append(TARGETS[name])
        self.targets.setdefault(bus.data_width, []).append(DESCRIPTOR_TARGET)
        super().__init__(
            {
                "block": In(stream.Signature(block_layout(bus))),
                "cancel": In(1),
                "axi": Out(read_port(bus.addr_width, bus.data_width)),
                "write": Out(
                    memory_write(
                        ADDRESS_BITS, max(self.targets), target=TARGET_BITS, index=INDEX_BITS
                    )
                ),
                "busy": Out(1),
                "error": Out(1),
                "beyond": Out(1),
                "beat": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        m.submodules.bursts = bursts = Bursts(self.bus)
        requests = self._queue(m, "requests", bursts.block.p.shape())
        received = self._queue(m, "received", _receive_layout())
        m.d.comb += self.block.ready.eq(requests.w_rdy & received.w_rdy)
        m.d.comb += [requests.w_en.eq(self.block.valid & self.block.ready)]
        m.d.comb += [received.w_en.eq(self.block.valid & self.block.ready)]

        ar, r = self.axi.ar, self.axi.r
        m.d.comb += [
            bursts.block.payload.eq(requests.r_data),
            bursts.block.valid.eq(requests.r_rdy),
            requests.r_en.eq(bursts.block.ready),
            ar.valid.eq(bursts.burst.valid),
            ar.addr.eq(bursts.burst.p.addr),
            ar.len.eq(bursts.burst.p.len),
            bursts.burst.ready.eq(ar.ready),
            self.beat.eq(r.valid & r.ready),
            bursts.done.eq(self.beat & r.last),
            bursts.cancel.eq(self.cancel),
        ]
        write = self.write
        begins = self.block.valid & ~self.busy
        beyond: Value = Const(0)
        for target, depth in self.depths.items():
            beyond |= (write.target == target) & write.addr[exact_log2(depth) :].any()
        for sticky, found in (
            (self.error, self.beat & (r.resp != OKAY)),
            (self.beyond, write.valid & beyond),
        ):
            with m.If(found):
                m.d.sync += sticky.eq(1)
            with m.Elif(begins):
                m.d.sync += sticky.eq(0)

        active = self._receive(m, received)
        m.d.comb += self.busy.eq(
            received.r_rdy | active | self.write.valid | (self.cancel & bursts.busy)
        )
        return m

    def _queue(self, m: Module, name: str, layout: data.StructLayout) -> SyncFIFO:
        """Queue of the fields of a block that one walker needs."""
        queue = SyncFIFO(width=layout.size, depth=LOAD_QUEUE)
        m.submodules[name] = ResetInserter(self.cancel)(queue)
        fields = data.View(layout, queue.w_data)
        m.d.comb += [fields[field].eq(self.block.p[field]) for field in layout.members]
        return queue

    def _receive(self, m: Module, queue: SyncFIFO) -> Signal:
        """Take beats, write words; returns whether there is a block."""
        fresh = data.View(_receive_layout(), queue.r_data)
        walk = data.View(fresh.shape(), Signal(fresh.shape().size, name="walk", reset_less=True))
        active = Signal()
        addr = Signal(16, reset_less=True)
        left = Signal(16, reset_less=True)
        next_row = Signal(16)
        word = Signal()
        ends_row = Signal()
        ends_block = Signal()
        m.d.comb += [
            next_row.eq(walk.to + walk.to_step),
            ends_row.eq(left == 1),
            ends_block.eq(word & ends_row & (walk.rows == 1)),
            queue.r_en.eq(~active | ends_block),
        ]

        m.d.sync += self.write.valid.eq(word & ~self.cancel)
        m.d.sync += [self.write.target.eq(walk.target), self.write.index.eq(walk.index)]
        m.d.sync += self.write.addr.eq(addr)
        for width, codes in self.targets.items():
            unpack = Unpack(self.bus.data_width, width)
            m.submodules[f"unpack_{width}"] = ResetInserter(self.cancel)(unpack)
            chosen = Signal(name=f"chosen_{width}")
            m.d.comb += [
                chosen.eq(active & walk.target.matches(*codes)),
                unpack.i.valid.eq(self.axi.r.valid & chosen),
                unpack.i.payload.eq(self.axi.r.data),
                unpack.o.ready.eq(1),
                unpack.restart.eq(ends_row),
            ]
            with m.If(chosen):
                m.d.comb += [self.axi.r.ready.eq(unpack.i.ready), word.eq(unpack.o.valid)]
                m.d.sync += self.write.data.eq(unpack.o.payload)

        with m.If(word & ends_row):
            m.d.sync += [walk.to.eq(next_row), walk.rows.eq(walk.rows - 1)]
            m.d.sync += [addr.eq(next_row), left.eq(walk.words)]
        with m.Elif(word):
            m.d.sync += [addr.eq(addr + 1), left.eq(left - 1)]
        with m.If(queue.r_en):
            m.d.sync += active.eq(queue.r_rdy)
            m.d.sync += [walk.eq(fresh), addr.eq(fresh.to), left.eq(fresh.words)]
        with m.If(self.cancel):
            m.d.comb += self.axi.r.ready.eq(1)
            m.d.sync += active.eq(0)
        return active


def _receive_layout() -> data.StructLayout:
    return data.StructLayout(
        {"rows": 16, "words": 16, "to": 16, "to_step": 16, "target": TARGET_BITS, "index": 3}
    )
