"""Sequencer: three stages over the tiles of a program: load, execute, store."""

from collections.abc import Mapping
from math import gcd
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hwsim.config import BusConfig
from hwsim.contract.descriptors import (
    ADDRESS_BITS,
    DESCRIPTOR_BYTES,
    DESCRIPTOR_TARGET,
    KINDS,
    LOADS,
    OPS,
    TARGETS,
    WORD_BITS,
    WORDS,
)
from hwsim.contract.registers import ERRORS, REGIONS
from hwsim.rtl.blocks.ports import memory_write
from hwsim.rtl.bus.load import block_layout as load_block
from hwsim.rtl.bus.store import block_layout as store_block
from hwsim.rtl.machine.command import pixels
from hwsim.rtl.machine.descriptor import (
    copy,
    descriptor_layout,
    execute_layout,
    load_fields,
    store_layout,
)

__all__ = ["Sequencer", "error_code", "stages_layout"]

_STAGES = ("load", "execute", "store")
#: Fields by which the next descriptor is checked.
_PORTS = ("kind", "write_bank", "weight_half", "scale_half", "stores", "store_bank")


def error_code(name: str) -> int:
    """Code of an error."""
    return [error for error, _ in ERRORS].index(name)


def stages_layout() -> data.StructLayout:
    """What each stage does in a cycle."""
    names = ("loads", "load_waits", "executes", "starves", "execute_waits", "stores")
    return data.StructLayout(dict.fromkeys(names, 1))


class Sequencer(wiring.Component):
    """Fetch descriptors, and pass each through three stages that hold one each.

    A stage hands its descriptor on when it has finished and the next one is empty, or hands its own
    on in the same cycle. A descriptor is checked when it has been fetched: values that the machine
    does not know, and ports that two stages would use at once, end the run.

    * Throughput: bounded by the slowest stage of each tile.
    * Latency: a descriptor without blocks to be loaded is handed on three cycles after it has been
      fetched, and loads begin then; one without execution or store stays for one cycle in each.
    * An error, or ``stop``, ends the run when the transfers under way on the bus have ended.

    Parameters
    ----------
    bus : BusConfig
        Port to memory.
    banks : int
        Act banks.
    widths : Mapping[str, int]
        Bits of a word of each target that the machine has.
    most_pixels : int
        Pixels of a job of the array at most.
    carries : bool
        Whether the array keeps the sums of a job for the next one.
    rows : tuple of int
        Folds of filters and pixels that take a row of its accumulators, and the rows.
    digest : int
        First 32 bits of the digest of the design.

    Members
    -------
    start, stop : ``In(1)``
        Begin at ``program``; end at once.
    program, length, regions : ``In``
        Address and number of descriptors; bases of the regions.
    load, store : ``Out``
        Blocks for the engines.
    load_busy, load_error, load_beyond, store_busy, store_error : ``In(1)``
        Of the engines.
    fetched : ``In``
        A beat of the descriptor: ``valid``, ``addr``, ``data``.
    execute : ``Out(1)``
        Begin what ``job`` says, in the first cycle of its stage.
    job : ``Out(execute_layout())``
    executed, stalled : ``In(1)``
        It ends in this cycle; it never will.
    abort : ``Out(1)``
        Drop what is executed, and what is left of loads and stores: when a run ends early, and when
        one begins, for what the array holds is not its own.
    busy : ``Out(1)``
        A program runs.
    done, failed, interrupt : ``Out(1)``
        It ends; it ends with ``code`` at descriptor ``index``; a descriptor that asks for it does.
    stages : ``Out``
        What the stages do in this cycle, for the counters.
    """

    start: Signal
    stop: Signal
    program: Signal
    length: Signal
    regions: data.View
    load: stream.Interface
    load_busy: Signal
    load_error: Signal
    load_beyond: Signal
    fetched: Any
    store: stream.Interface
    store_busy: Signal
    store_error: Signal
    execute: Signal
    job: data.View
    executed: Signal
    stalled: Signal
    abort: Signal
    busy: Signal
    done: Signal
    failed: Signal
    interrupt: Signal
    code: Signal
    index: Signal
    stages: data.View

    def __init__(
        self,
        *,
        bus: BusConfig,
        banks: int,
        widths: Mapping[str, int],
        most_pixels: int,
        carries: bool,
        rows: tuple[int, int, int] = (1, 1, 1),
        digest: int,
    ) -> None:
        self.bus, self.banks, self.digest = bus, banks, digest
        self.most_pixels, self.carries, self.rows = most_pixels, carries, rows
        self.widths = {TARGETS[name]: width for name, width in widths.items()}
        address = unsigned(bus.addr_width)
        super().__init__(
            {
                "start": In(1),
                "stop": In(1),
                "program": In(address),
                "length": In(32),
                "regions": In(data.ArrayLayout(address, REGIONS)),
                "load": Out(stream.Signature(load_block(bus))),
                "load_busy": In(1),
                "load_error": In(1),
                "load_beyond": In(1),
                "fetched": In(memory_write(ADDRESS_BITS, bus.data_width)),
                "store": Out(stream.Signature(store_block(bus))),
                "store_busy": In(1),
                "store_error": In(1),
                "execute": Out(1),
                "job": Out(execute_layout()),
                "executed": In(1),
                "stalled": In(1),
                "abort": Out(1),
                "busy": Out(1),
                "done": Out(1),
                "failed": Out(1),
                "interrupt": Out(1),
                "code": Out(range(len(ERRORS))),
                "index": Out(32),
                "stages": Out(stages_layout()),
            }
        )

    def elaborate(self, platform):
        m = Module()

        aborting = Signal()
        loaded, executes, executed, stores, stored = (
            Signal(name=name) for name in ("loaded", "executes", "executed", "stores", "stored")
        )
        load_leaves, execute_leaves, store_leaves = (
            Signal(name=f"{name}_leaves") for name in ("load", "execute", "store")
        )
        m.d.comb += [
            store_leaves.eq(stored & ~aborting),
            execute_leaves.eq(executed & (~stores | store_leaves) & ~aborting),
            load_leaves.eq(loaded & (~executes | execute_leaves) & ~aborting),
        ]
        index = [Signal(32, name=f"{stage}_index", reset_less=True) for stage in _STAGES]
        last = [Signal(name=f"{stage}_last", reset_less=True) for stage in _STAGES]
        for stage, leaves in enumerate((load_leaves, execute_leaves)):
            with m.If(leaves):
                m.d.sync += [index[stage + 1].eq(index[stage]), last[stage + 1].eq(last[stage])]

        # faults, the latest first: what the store says of an earlier descriptor counts more
        fault = Signal.like(self.code, name="fault")
        fault_index = Signal(32)
        m.d.comb += fault_index.eq(index[0])
        with m.If(self.stop):
            m.d.comb += fault.eq(error_code("stopped"))
        empty = Signal()
        m.d.comb += empty.eq(~executes & ~stores)
        loading, load_idle = self._load(
            m,
            index=index[0],
            last=last[0],
            loaded=loaded,
            leaves=load_leaves,
            empty=empty,
            fault=fault,
            aborting=aborting,
        )
        with m.If(self.start & ~self.busy):
            m.d.sync += self.busy.eq(1)

        with m.If(self.stalled):
            m.d.comb += [fault.eq(error_code("stalled")), fault_index.eq(index[1])]
        executing = _register("executing", execute_layout())
        fresh = Signal()
        begins = self.start & ~self.busy
        m.d.comb += [self.job.eq(executing), self.abort.eq(aborting | begins)]
        m.d.comb += self.execute.eq(fresh & (executing.kind != KINDS["none"]) & ~aborting)
        with m.If(self.executed | (fresh & (executing.kind == KINDS["none"]))):
            m.d.sync += executed.eq(1)
        m.d.sync += fresh.eq(0)
        with m.If(execute_leaves):
            m.d.sync += [executes.eq(0), executed.eq(0)]
        with m.If(load_leaves):
            m.d.sync += [executes.eq(1), fresh.eq(1)]
            copy(m, "sync", executing, loading)

        storing = _register("storing", store_layout())
        under_way = Signal()
        m.d.comb += [
            self.store.p.address.eq(self.regions[storing.store_region] + storing.store_address),
            self.store.p.row_step.eq(storing.store_row_step),
            self.store.p.rows.eq(storing.store_rows),
            self.store.p.words.eq(storing.store_words),
            self.store.p.from_.eq(storing.store_from),
            self.store.p.from_step.eq(storing.store_from_step),
            self.store.p.index.eq(storing.store_bank),
        ]
        ends = Signal(name="store_ends")
        m.d.comb += ends.eq(under_way & ~self.store_busy)
        with m.If(ends & self.store_error):
            m.d.comb += [fault.eq(error_code("write")), fault_index.eq(index[2])]
        with m.If(ends):
            m.d.sync += [under_way.eq(0), stored.eq(1)]
        with m.Elif(~under_way & stores & ~stored & ~aborting):
            m.d.comb += self.store.valid.eq(storing.stores)
            m.d.sync += [under_way.eq(storing.stores), stored.eq(~storing.stores)]
        with m.If(store_leaves):
            m.d.sync += [stores.eq(0), stored.eq(0)]
            m.d.comb += self.interrupt.eq(storing.interrupt)
            with m.If(last[2]):
                m.d.comb += self.done.eq(1)
                m.d.sync += self.busy.eq(0)
        with m.If(execute_leaves):
            m.d.sync += stores.eq(1)
            copy(m, "sync", storing, executing)

        with m.If(self.busy & ~aborting & fault.any()):
            m.d.sync += [aborting.eq(1), self.code.eq(fault), self.index.eq(fault_index)]
        with m.If(aborting & load_idle & ~under_way):
            m.d.comb += self.failed.eq(1)
            m.d.sync += [aborting.eq(0), self.busy.eq(0)]
            m.d.sync += Cat(executes, executed, fresh, stores, stored).eq(0)

        stages = self.stages
        m.d.comb += [
            stages.loads.eq(~load_idle & ~loaded),
            stages.load_waits.eq(loaded & ~load_leaves),
            stages.executes.eq(executes & ~executed),
            stages.starves.eq(self.busy & ~executes & ~load_idle),
            stages.execute_waits.eq(executed & ~execute_leaves),
            stages.stores.eq(stores & ~stored),
        ]

        return m

    def _load(
        self,
        m: Module,
        *,
        index: Signal,
        last: Signal,
        loaded: Signal,
        leaves: Signal,
        empty: Signal,
        fault: Signal,
        aborting: Signal,
    ) -> tuple[data.View, Signal]:
        """First stage; gives its descriptor, and whether it has none."""
        loading = _register("loading", descriptor_layout())
        width = self.bus.data_width
        lines = WORDS * WORD_BITS // width
        for line in range(lines):
            with m.If(self.fetched.valid & (self.fetched.addr == line)):
                m.d.sync += loading.as_value().word_select(line, width).eq(self.fetched.data)

        before = _register("before", data.StructLayout({n: loading[n].shape() for n in _PORTS}))
        known = Signal()  # there is a descriptor before
        address = Signal(self.bus.addr_width, name="load_address", reset_less=True)
        block = Signal(range(LOADS + 1))
        idle = Signal(name="load_idle")
        read = error_code("read")

        with m.FSM(name="load_stage"):
            with m.State("Idle"):
                m.d.comb += idle.eq(1)
                with m.If(self.start & ~self.busy):
                    m.d.sync += [known.eq(0), index.eq(0), address.eq(self.program)]
                    m.next = "Fetch"
            with m.State("Fetch"):
                m.d.comb += self.load.valid.eq(1)
                m.d.comb += self.load.p.address.eq(address)
                m.d.comb += [self.load.p.rows.eq(1), self.load.p.target.eq(DESCRIPTOR_TARGET)]
                m.d.comb += [self.load.p.beats.eq(lines), self.load.p.words.eq(lines)]
                m.d.sync += address.eq(address + DESCRIPTOR_BYTES)
                m.next = "Fetching"
            with m.State("Fetching"), m.If(~self.load_busy):
                m.next = "Check"
                with m.If(self.load_error):
                    m.d.comb += fault.eq(read)
            with m.State("Check"):
                m.d.sync += block.eq(0)
                m.d.sync += last.eq(loading.stop | (index + 1 == self.length))
                with m.If(known & ~loading.barrier & _conflict(loading, before)):
                    m.d.comb += fault.eq(error_code("conflict"))
                with m.If(loading.check & (loading.command_0 != self.digest)):
                    m.d.comb += fault.eq(error_code("design"))
                keeps_last = loading.keep & (loading.stop | (index + 1 == self.length))
                with m.If(self._bad(loading) | keeps_last | self._nowhere()):
                    m.d.comb += fault.eq(error_code("descriptor"))
                m.next = "Barrier"
            with m.State("Barrier"):
                with m.If(aborting):
                    m.next = "Idle"
                with m.Elif(~loading.barrier | empty):
                    m.d.sync += loaded.eq(loading.loads == 0)
                    m.next = "Offer"
                    with m.If(loading.loads == 0):
                        m.next = "Loaded"
            with m.State("Offer"):
                self._offer(m, loading, block)
                m.d.comb += self.load.valid.eq(~self._uneven() & ~aborting)
                with m.If(self._uneven()):
                    m.d.comb += fault.eq(error_code("descriptor"))
                m.d.sync += block.eq(block + 1)
                with m.If(block + 1 == loading.loads):
                    m.next = "Loading"
            with m.State("Loading"), m.If(~self.load_busy):
                m.d.sync += loaded.eq(1)
                m.next = "Loaded"
                with m.If(self.load_beyond):
                    m.d.comb += fault.eq(error_code("descriptor"))
                with m.If(self.load_error):
                    m.d.comb += fault.eq(read)
            with m.State("Loaded"):
                with m.If(leaves):
                    m.d.sync += [loaded.eq(0), known.eq(1), index.eq(index + 1)]
                    copy(m, "sync", before, loading)
                    m.next = "Fetch"
                    with m.If(last):
                        m.next = "Idle"
                with m.Elif(aborting):
                    m.d.sync += loaded.eq(0)
                    m.next = "Idle"
        return loading, idle

    def _offer(self, m: Module, loading: data.View, block: Signal) -> None:
        """One of the blocks of a descriptor."""
        for each in range(LOADS):
            with m.If(block == each):
                for name in load_fields(each):
                    value = loading[f"load{each}_{name}"]
                    if name == "address":
                        base = self.regions[loading[f"load{each}_region"]]
                        m.d.comb += self.load.p.address.eq(base + value)
                    elif name != "region":
                        m.d.comb += self.load.p[name].eq(value)

    def _uneven(self) -> Value:
        """The block that is offered is empty, or its beats are not those that hold its words.

        Or they are no beats of the memory.
        """
        block, low = self.load.p, exact_log2(self.bus.bytes)
        uneven: Value = (block.rows == 0) | (block.words == 0) | (block.beats == 0)
        uneven |= Cat(block.address[:low], block.row_step[:low]).any()
        for code, width in self.widths.items():
            unit = gcd(width, self.bus.data_width)
            needed = block.words * (width // unit)
            beat = self.bus.data_width // unit
            given = block.beats * beat
            missing = (given < needed) | (given >= needed + beat)
            uneven |= (block.target == code) & missing
        return uneven

    def _bad(self, d: data.View) -> Value:
        """A field has a value that the machine does not know."""
        works = d.kind != KINDS["none"]
        bad = d.kind > max(KINDS.values())
        stays = (d.kind == KINDS["array"]) & self._has_rows(d) & Const(self.carries, 1)
        bad |= (d.carry | d.keep) & ~stays
        bad |= (d.kind == KINDS["vector"]) & (d.op > max(OPS.values()))
        count = pixels(d)
        bad |= (d.kind == KINDS["array"]) & ((count == 0) | (count > self.most_pixels))
        bad |= works & ((d.read_bank >= self.banks) | (d.write_bank >= self.banks))
        bad |= d.stores & (d.store_bank >= self.banks)
        low = exact_log2(self.bus.bytes)
        bad |= d.stores & ((d.store_rows == 0) | (d.store_words == 0))
        bad |= d.stores & Cat(d.store_address[:low], d.store_row_step[:low]).any()
        for block in range(LOADS):
            target, index = d[f"load{block}_target"], d[f"load{block}_index"]
            is_act = target == TARGETS["act"]
            unknown = ~target.matches(*self.widths) | (index >= Mux(is_act, self.banks, 2))
            bad |= (d.loads > block) & unknown
        return Value.cast(bad)

    def _nowhere(self) -> Value:
        """The program has no descriptor, or it or a region does not begin with a beat."""
        low = exact_log2(self.bus.bytes)
        bases = [self.program, *(self.regions[region] for region in range(REGIONS))]
        return Value.cast((self.length == 0) | Cat(base[:low] for base in bases).any())

    def _has_rows(self, d: data.View) -> Value:
        """The accumulators hold the sums of a job of the array, in rows of their own."""
        folds, count, rows = self.rows
        if rows == 1:
            return Value.cast(d.command_0[16:] == 1)
        size = rows.bit_length()
        used = ((d.command_0[16:] + folds - 1) >> exact_log2(folds))[: 16 + 1]
        rounds = ((pixels(d) + count - 1) >> exact_log2(count))[: 16 + 1]
        fits = (used <= rows) & (rounds <= rows) & (used[:size] * rounds[:size] <= rows)
        return Value.cast(fits)


def _register(name: str, layout: data.StructLayout) -> data.View:
    return data.View(layout, Signal(layout.size, name=name, reset_less=True))


def _conflict(d: data.View, before: data.View) -> Value:
    """Two neighbours would use one port: to be loaded and executed, or executed and stored."""
    worked = before.kind != KINDS["none"]
    computed = before.kind == KINDS["array"]
    users = {"act": worked, "weight": computed, "scale": worked, "list": computed}
    places = {
        "act": before.write_bank, "weight": before.weight_half, "scale": before.scale_half,
        "list": before.weight_half,
    }  # fmt: skip
    clash: Value = (d.kind != KINDS["none"]) & before.stores & (d.read_bank == before.store_bank)
    for block in range(LOADS):
        for name, code in TARGETS.items():
            is_there = d[f"load{block}_index"] == places[name]
            is_target = (d.loads > block) & (d[f"load{block}_target"] == code)
            clash |= is_target & users[name] & is_there
    return Value.cast(clash)
