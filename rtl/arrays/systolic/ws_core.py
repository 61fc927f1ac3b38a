"""What follows the control of a weight-stationary array: mesh and accumulator."""

from typing import Protocol

from amaranth import Module, Signal
from amaranth.lib import data, wiring

from hwsim.config import ArchConfig, SystolicConfig
from hwsim.rtl.arrays.interface import ArrayComponent
from hwsim.rtl.arrays.systolic.accumulator import Accumulator
from hwsim.rtl.arrays.systolic.cell import cell_of
from hwsim.rtl.arrays.systolic.layout import acc_depth
from hwsim.rtl.arrays.systolic.ws_mesh import WSMesh

__all__ = ["CorePorts", "WSCore"]


class CorePorts(Protocol):
    """What a control has for the core behind it; the members are described in the controls."""

    enable: Signal
    draining: Signal
    swap: Signal
    load: data.View
    weight_row: data.View
    tag: data.View
    cause: Signal


class WSCore:
    """Mesh and accumulator of an array, with its ofmap, its status and their events.

    Parameters
    ----------
    m
        Module of the array.
    array
        The array; ``ofmap``, ``status`` and the events that all such arrays have are driven.
    arch
        Its design.
    control
        Its control.

    Attributes
    ----------
    enable : Signal
        Everything up to the accumulator may move.
    """

    def __init__(
        self, m: Module, array: ArrayComponent, arch: ArchConfig, control: CorePorts
    ) -> None:
        config, psum_width = arch.array_as(SystolicConfig), arch.numbers.psum_width
        rows, cols = config.rows, config.cols
        self.control = control
        self.mesh = WSMesh(
            rows=rows,
            cols=cols,
            cell=cell_of(arch),
            psum_width=psum_width,
            mac_latency=config.mac_latency,
        )
        self.accumulator = accumulator = Accumulator(
            cols=cols,
            psum_width=psum_width,
            depth=acc_depth(arch),
            delay=rows + cols + config.mac_latency - 1,
            reuse=config.reuse,
        )
        self.enable = accumulator.enable
        m.submodules.mesh, m.submodules.accumulator = self.mesh, accumulator

        wiring.connect(m, wiring.flipped(array.ofmap), accumulator.ofmap)
        m.d.comb += array.status.array[0].eq(control.cause)
        m.d.comb += array.events.macs.eq(control.tag.valid)
        m.d.comb += array.events.weight_loads.eq(control.load.valid)
        m.d.comb += array.events.psum_reads.eq(accumulator.reads)
        m.d.comb += array.events.psum_writes.eq(accumulator.writes)

    def connect(self, m: Module, act: data.View) -> None:
        """Connect control, mesh and accumulator; ``act`` is the beat that comes with ``tag``."""
        control, mesh, accumulator = self.control, self.mesh, self.accumulator
        m.d.comb += control.enable.eq(accumulator.enable)
        m.d.comb += control.draining.eq(accumulator.busy)
        m.d.comb += mesh.enable.eq(accumulator.enable)
        m.d.comb += mesh.act.eq(act)
        m.d.comb += mesh.swap.eq(control.swap)
        m.d.comb += mesh.load.eq(control.load)
        m.d.comb += mesh.weight.eq(control.weight_row)
        m.d.comb += accumulator.tag.eq(control.tag)
        m.d.comb += accumulator.psum.eq(mesh.psum)
