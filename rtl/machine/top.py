"""The machine with the ports that a system integrator expects: flat AXI names."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import Out

from hwsim.config import ArchConfig
from hwsim.rtl.bus.axi import lite_port, read_port, write_port
from hwsim.rtl.machine.machine import Machine
from hwsim.rtl.machine.registers import ADDRESS_WIDTH

__all__ = ["MachineTop", "connect_flat", "flat"]


class MachineTop(wiring.Component):
    """A machine whose ports are called as those of AXI: ``s_axi_awaddr``, ``m_axi_rdata`` ...

    Parameters
    ----------
    arch : ArchConfig
        A design with a machine.

    Members
    -------
    s_axi_* : AXI4-Lite slave of 32 bits
        Registers.
    m_axi_* : AXI4 master
        Memory.
    irq : ``Out(1)``
    """

    irq: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        bus = arch.bus
        self.host = flat(lite_port(ADDRESS_WIDTH).flip(), "s_axi")
        self.memory = flat(read_port(bus.addr_width, bus.data_width), "m_axi")
        self.memory |= flat(write_port(bus.addr_width, bus.data_width), "m_axi")
        super().__init__(self.host | self.memory | {"irq": Out(1)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.machine = machine = Machine(self.arch)
        connect_flat(m, self, machine.host, "s_axi")
        connect_flat(m, self, machine.read, "m_axi")
        connect_flat(m, self, machine.write, "m_axi")
        m.d.comb += self.irq.eq(machine.irq)
        return m


def flat(signature: Any, prefix: str) -> dict[str, wiring.Member]:
    """Members of all channels of a port, each with the name that AXI gives it."""
    members = {}
    for channel, port in signature.members.items():
        for name, member in port.signature.members.items():
            members[f"{prefix}_{channel}{name}"] = member.flow(member.shape)
    return members


def connect_flat(m: Module, outside: Any, inside: Any, prefix: str) -> None:
    """Connect flat ports with a port inside, whose directions are those of the component."""
    for channel, port in inside.signature.members.items():
        for name, member in port.signature.members.items():
            one: Signal = getattr(outside, f"{prefix}_{channel}{name}")
            other = getattr(getattr(inside, channel), name)
            m.d.comb += one.eq(other) if member.flow == Out else other.eq(one)
