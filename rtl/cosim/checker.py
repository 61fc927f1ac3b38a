"""Checker of AXI's rules on all ports of a machine: as RTL, so that it watches every run."""

from typing import Any

from amaranth import Cat, Const, Module, Signal
from amaranth.lib import wiring
from amaranth.lib.fifo import SyncFIFO
from amaranth.lib.wiring import In, Out
from amaranth.utils import exact_log2

from hwsim.config import BusConfig
from hwsim.config.machine import PAGE
from hwsim.rtl.bus.axi import LEN_BITS, lite_port, read_port, write_port
from hwsim.rtl.machine.registers import ADDRESS_WIDTH

__all__ = ["RULES", "Checker"]

#: Rules, in the order of the bits of ``broken``.
RULES = (
    "an offer of ar, aw, w, r or b stays as it is until it is taken",
    "no burst crosses a page",
    "the last beat of a write is that of its length",
    "the last beat of a read is that of its length",
    "a response comes after its write's last beat",
    "an answer to the host comes after its address, and its word",
)
#: Bursts that may be under way.
_DEPTH = 32


class Checker(wiring.Component):
    """Watch both masters of a machine, and its host's port; a broken rule stays so until reset.

    Members
    -------
    read : ``In(read_port)``
    write : ``In(write_port)``
    host : ``In(lite_port)``
        All signals are inputs here: they are copied from the ports that are watched.
    broken : ``Out(len(RULES))``
    """

    broken: Signal
    write_w_last: Signal
    write_b_valid: Signal

    def __init__(self, bus: BusConfig) -> None:
        self.bus = bus
        ports = {
            "read": read_port(bus.addr_width, bus.data_width),
            "write": write_port(bus.addr_width, bus.data_width),
            "host": lite_port(ADDRESS_WIDTH),
        }
        self.channels = {
            f"{port}_{channel}": member.signature
            for port, signature in ports.items()
            for channel, member in signature.members.items()
        }
        members: dict[str, Any] = {
            f"{name}_{field}": In(member.shape)
            for name, signature in self.channels.items()
            for field, member in signature.members.items()
        }
        super().__init__(members | {"broken": Out(len(RULES))})

    def watch(self, m: Module, **ports: Any) -> None:
        """Copy the signals of the ports ``read``, ``write`` and ``host``."""
        for name, signature in self.channels.items():
            port, channel = name.split("_")
            for field in signature.members:
                m.d.comb += getattr(self, f"{name}_{field}").eq(
                    getattr(getattr(ports[port], channel), field)
                )

    def elaborate(self, platform):
        m = Module()

        moved = []
        for name, signature in self.channels.items():
            fields = [f for f in signature.members if f not in ("valid", "ready")]
            payload = Cat(*(getattr(self, f"{name}_{field}") for field in fields))
            valid, ready = getattr(self, f"{name}_valid"), getattr(self, f"{name}_ready")
            offered = Signal(name=f"{name}_offered")
            before = Signal(len(payload), name=f"{name}_before")
            m.d.sync += [offered.eq(valid & ~ready), before.eq(payload)]
            moved.append(offered & (~valid | (before != payload)))
        self._break(m, 0, Cat(*moved).any())

        crosses = []
        for name in ("read_ar", "write_aw"):
            length = Cat(Const(0, exact_log2(self.bus.bytes)), getattr(self, f"{name}_len"))
            last = getattr(self, f"{name}_addr")[: exact_log2(PAGE)] + length
            crosses.append(getattr(self, f"{name}_valid") & (last >= PAGE))
        self._break(m, 1, Cat(*crosses).any())

        self._beats(m, "write", "aw", "w", 2)
        self._beats(m, "read", "ar", "r", 3)
        last = self._taken("write_w") & self.write_w_last
        self._break(m, 4, self.write_b_valid & self._none_owed(m, "write_b", last))
        for name, request in (("host_b", "host_aw"), ("host_b", "host_w"), ("host_r", "host_ar")):
            early = self._none_owed(m, name, self._taken(request))
            self._break(m, 5, getattr(self, f"{name}_valid") & early)

        return m

    def _taken(self, name: str) -> Any:
        """Whether a channel transfers."""
        return getattr(self, f"{name}_valid") & getattr(self, f"{name}_ready")

    def _none_owed(self, m: Module, name: str, request: Any) -> Any:
        """Whether all ``request`` of the cycles before have been answered on a channel."""
        owed = Signal(range(_DEPTH + 1))
        m.d.sync += owed.eq(owed + request - self._taken(name))
        return owed == 0

    def _beats(self, m: Module, port: str, request: str, data: str, rule: int) -> None:
        """``last`` of a channel's beats against the lengths that were requested, in their order."""
        m.submodules[f"{port}_lengths"] = queue = SyncFIFO(width=LEN_BITS, depth=_DEPTH)
        taken, beat = self._taken(f"{port}_{request}"), self._taken(f"{port}_{data}")
        last = getattr(self, f"{port}_{data}_last")
        count = Signal(LEN_BITS, name=f"{port}_count")
        m.d.comb += [queue.w_en.eq(taken), queue.w_data.eq(getattr(self, f"{port}_{request}_len"))]
        m.d.comb += queue.r_en.eq(beat & last)
        with m.If(beat):
            m.d.sync += count.eq(count + 1)
            with m.If(last):
                m.d.sync += count.eq(0)
        self._break(m, rule, beat & (~queue.r_rdy | (last != (count == queue.r_data))))

    def _break(self, m: Module, rule: int, broken: Any) -> None:
        with m.If(broken):
            m.d.sync += self.broken[rule].eq(1)
