"""Registers of the machine, as the host reaches them over AXI4-Lite."""

from typing import Any

from amaranth import Cat, Const, Module, Signal, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out

from hwsim.contract.registers import COUNTERS, ERRORS, MAGIC, REGIONS, REGISTERS
from hwsim.rtl.bus.axi import OKAY, RESP_BITS, SLVERR, lite_port

__all__ = ["ADDRESS_WIDTH", "Registers"]

#: Bits of an address: a page of memory.
ADDRESS_WIDTH = 12
_INDICES = {register.name: index for index, register in enumerate(REGISTERS)}
#: Registers that keep fewer bits than all; the others read 0.
_WIDTHS = {"interrupt_enable": 3}


class Registers(wiring.Component):
    """AXI4-Lite slave over the table of :mod:`hwsim.contract.registers`.

    The address and the data of a write may come in any order; only bytes whose strobe is 1 are
    written. Unknown addresses, and writes to registers that are only read, are answered SLVERR and
    do nothing. The two lowest bits of an address and ``prot`` are ignored.

    A start while the machine is busy, and a stop while it is not, are ignored. The host leaves
    program and regions alone while the machine is busy.

    A counter is read low half first: that read keeps the high half, of which the next read of any
    high half is. An interrupt stays pending until it is cleared; one that comes in the cycle of the
    clear stays, too.

    * Throughput: one write and one read per two cycles.
    * Latency: a write acts in the cycle after the later of its two transfers, and is answered in
      the cycle after that; ``r`` is two cycles behind ``ar``.
    * Stalls: one answer per channel waits for ``ready``; one more access waits for that answer.

    Parameters
    ----------
    digest : int
        First 32 bits of the digest of the design.
    version : int
        Of registers and descriptors.

    Members
    -------
    aw, w, b, ar, r : ``In(lite_port(ADDRESS_WIDTH))``
        Its five channels.
    start, stop : ``Out(1)``
        The host's command, for one cycle.
    program : ``Out(64)``
    length : ``Out(32)``
        Address of the first descriptor, and their number.
    regions : ``Out(ArrayLayout(64, REGIONS))``
        Bases of the regions of memory.
    busy : ``In(1)``
        A run is under way, from the cycle after ``start``.
    done, failed, descriptor_interrupt : ``In(1)``
        For one cycle: the run has ended; it fails, for the reason ``error_code`` at the descriptor
        ``error_index``; a descriptor asks for an interrupt.
    error_code, error_index : ``In``
    counters : ``In(ArrayLayout(64, len(COUNTERS)))``
    irq : ``Out(1)``
        An interrupt is pending.
    """

    aw: Any
    w: Any
    b: Any
    ar: Any
    r: Any
    start: Signal
    stop: Signal
    program: Signal
    length: Signal
    regions: data.View
    busy: Signal
    done: Signal
    failed: Signal
    error_code: Signal
    error_index: Signal
    descriptor_interrupt: Signal
    counters: data.View
    irq: Signal

    def __init__(self, digest: int, version: int) -> None:
        self.digest, self.version = digest, version
        channels = lite_port(ADDRESS_WIDTH).flip().members
        super().__init__(
            dict(channels.items())
            | {
                "start": Out(1),
                "stop": Out(1),
                "program": Out(64),
                "length": Out(32),
                "regions": Out(data.ArrayLayout(64, REGIONS)),
                "busy": In(1),
                "done": In(1),
                "failed": In(1),
                "error_code": In(range(len(ERRORS))),
                "error_index": In(32),
                "descriptor_interrupt": In(1),
                "counters": In(data.ArrayLayout(64, len(COUNTERS))),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        written, word, strobes = self._writes(m)
        kept = self._kept(m, written, word, strobes)
        m.d.comb += self.program.eq(Cat(kept["program_low"], kept["program_high"]))
        m.d.comb += self.length.eq(kept["program_length"])
        for index in range(REGIONS):
            halves = kept[f"region{index}_low"], kept[f"region{index}_high"]
            m.d.comb += self.regions[index].eq(Cat(*halves))

        # commands
        commands, clears = written["control"] & strobes[0], written["interrupt_clear"] & strobes[0]
        m.d.comb += self.start.eq(commands & word[0] & ~self.busy)
        m.d.comb += self.stop.eq(commands & word[1] & self.busy)

        # state of the run
        done, error = Signal(name="is_done"), Signal(name="is_error")
        code = Signal.like(self.error_code, name="code")
        place = Signal.like(self.error_index, name="code_index")
        with m.If(self.start):
            m.d.sync += [done.eq(0), error.eq(0), code.eq(0), place.eq(0)]
        with m.If(self.done):
            m.d.sync += done.eq(1)
        with m.If(self.failed):
            m.d.sync += [error.eq(1), code.eq(self.error_code), place.eq(self.error_index)]
        pending = Signal()
        events = Cat(self.descriptor_interrupt, self.done, self.failed)
        with m.If(clears & word[0]):
            m.d.sync += pending.eq(0)
        with m.If((events & kept["interrupt_enable"]).any()):
            m.d.sync += pending.eq(1)
        m.d.comb += self.irq.eq(pending)

        high = Signal(32, name="counter_high", reset_less=True)
        values: dict[str, Value] = {
            "id": Const(MAGIC, 32),
            "version": Const(self.version, 32),
            "digest": Const(self.digest, 32),
            "status": Cat(self.busy, done, error, pending),
            "error": code,
            "error_index": place,
        }
        latches = {}
        for count, (name, _) in zip(self.counters, COUNTERS):
            values |= {f"{name}_low": count[:32], f"{name}_high": high}
            latches[f"{name}_low"] = high.eq(count[32:])
        self._reads(m, values | kept, latches)

        return m

    def _writes(self, m: Module):
        """Take writes: which register is written in this cycle, the word, and its strobes."""
        has_address, has_word = Signal(), Signal()
        index = Signal(ADDRESS_WIDTH - 2, name="write_index", reset_less=True)
        word = Signal(32, name="write_word", reset_less=True)
        strobes = Signal(4, name="write_strobes", reset_less=True)
        valid, resp = Signal(name="b_valid"), Signal(RESP_BITS, name="b_resp", reset_less=True)
        acts = Signal(name="writes")
        m.d.comb += [self.aw.ready.eq(~has_address), self.w.ready.eq(~has_word)]
        m.d.comb += [self.b.valid.eq(valid), self.b.resp.eq(resp)]
        m.d.comb += acts.eq(has_address & has_word & (~valid | self.b.ready))

        with m.If(self.b.ready):
            m.d.sync += valid.eq(0)
        with m.If(acts):
            m.d.sync += [has_address.eq(0), has_word.eq(0), valid.eq(1), resp.eq(SLVERR)]
        with m.If(self.aw.valid & ~has_address):
            m.d.sync += [has_address.eq(1), index.eq(self.aw.addr[2:])]
        with m.If(self.w.valid & ~has_word):
            m.d.sync += [has_word.eq(1), word.eq(self.w.data), strobes.eq(self.w.strb)]

        written = {}
        for register in REGISTERS:
            if "w" in register.access:
                hit = written[register.name] = Signal(name=f"writes_{register.name}")
                m.d.comb += hit.eq(acts & (index == _INDICES[register.name]))
                with m.If(hit):
                    m.d.sync += resp.eq(OKAY)
        return written, word, strobes

    def _kept(self, m: Module, written: dict, word: Value, strobes: Value) -> dict[str, Value]:
        """Registers that the host writes and reads, by name."""
        kept: dict[str, Value] = {}
        for name in (register.name for register in REGISTERS if register.access == "rw"):
            value = kept[name] = Signal(_WIDTHS.get(name, 32), name=name)
            for byte, first in enumerate(range(0, len(value), 8)):
                with m.If(written[name] & strobes[byte]):
                    m.d.sync += value[first : first + 8].eq(word[first : first + 8])
        return kept

    def _reads(self, m: Module, values: dict[str, Value], latches: dict) -> None:
        """Answer reads with values; what is latched is latched in the cycle of its read."""
        has_address = Signal(name="reads")
        index = Signal(ADDRESS_WIDTH - 2, name="read_index", reset_less=True)
        valid, resp = Signal(name="r_valid"), Signal(RESP_BITS, name="r_resp", reset_less=True)
        word = Signal(32, name="r_word", reset_less=True)
        m.d.comb += self.ar.ready.eq(~has_address)
        m.d.comb += [self.r.valid.eq(valid), self.r.resp.eq(resp), self.r.data.eq(word)]

        with m.If(self.r.ready):
            m.d.sync += valid.eq(0)
        with m.If(has_address & (~valid | self.r.ready)):
            m.d.sync += [has_address.eq(0), valid.eq(1), word.eq(0), resp.eq(OKAY)]
            with m.Switch(index):
                for register in REGISTERS:
                    with m.Case(_INDICES[register.name]):
                        m.d.sync += word.eq(values.get(register.name, Const(0, 32)))
                        m.d.sync += latches.get(register.name, [])
                with m.Default():
                    m.d.sync += resp.eq(SLVERR)
        with m.If(self.ar.valid & ~has_address):
            m.d.sync += [has_address.eq(1), index.eq(self.ar.addr[2:])]
