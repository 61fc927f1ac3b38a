"""The machine: an array with memories, a sequencer, and its two ports to the system around it."""

from typing import Any

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.config import ArchConfig
from hwsim.config.shape import MachineShape
from hwsim.contract.descriptors import DESCRIPTOR_TARGET, TARGETS
from hwsim.contract.registers import VERSION
from hwsim.rtl.bus.axi import lite_port, read_port, write_port
from hwsim.rtl.bus.load import Load
from hwsim.rtl.bus.store import Store
from hwsim.rtl.machine.banks import ActBanks
from hwsim.rtl.machine.counters import Counters
from hwsim.rtl.machine.execute import Execute
from hwsim.rtl.machine.halves import Halves
from hwsim.rtl.machine.registers import ADDRESS_WIDTH, Registers
from hwsim.rtl.machine.sequencer import Sequencer

__all__ = ["Machine"]


class Machine(wiring.Component):
    """Run programs of descriptors from memory; the host sets one pointer and starts.

    Parameters
    ----------
    arch : ArchConfig
        A design with a machine.

    Members
    -------
    host : ``In``
        AXI4-Lite, 32 bits: :mod:`hwsim.contract.registers`.
    read, write : ``Out``
        AXI4 masters.
    irq : ``Out(1)``
    """

    host: Any
    read: Any
    write: Any
    irq: Signal

    def __init__(self, arch: ArchConfig) -> None:
        self.arch = arch
        self.shape = MachineShape.of(arch)
        super().__init__(
            {
                "host": In(lite_port(ADDRESS_WIDTH)),
                "read": Out(read_port(arch.bus.addr_width, arch.bus.data_width)),
                "write": Out(write_port(arch.bus.addr_width, arch.bus.data_width)),
                "irq": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        arch, shape, bus = self.arch, self.shape, self.arch.bus
        memory = arch.memory
        assert memory is not None
        digest = int(arch.digest[:8], 16)

        m.submodules.registers = registers = Registers(digest, VERSION)
        m.submodules.sequencer = sequencer = Sequencer(
            bus=bus,
            banks=memory.act_banks,
            widths=shape.widths,
            most_pixels=arch.array.machine_pixels,
            carries=arch.array.machine_carries,
            rows=arch.array.machine_rows,
            digest=digest,
        )
        m.submodules.load = load = Load(bus=bus, widths=shape.widths, depths=shape.depths)
        m.submodules.store = store = Store(bus=bus, width=shape.act_bits)
        m.submodules.banks = banks = ActBanks(
            banks=memory.act_banks,
            depth=memory.act_depth,
            word_lanes=shape.word_lanes,
            post_lanes=shape.ofmap_lanes,
            act_width=shape.act_width,
            slices=shape.slices,
        )
        if shape.has_weights:
            m.submodules.weights = weights = Halves(
                width=shape.weight_word, depth=memory.weight_depth
            )
        m.submodules.scales = scales = Halves(width=shape.scale_word, depth=memory.scale_depth)
        m.submodules.execute = execute = Execute(arch)
        m.submodules.counters = counters = Counters()

        # host
        for channel in ("aw", "w", "b", "ar", "r"):
            wiring.connect(
                m, wiring.flipped(getattr(self.host, channel)), getattr(registers, channel)
            )
        m.d.comb += [
            self.irq.eq(registers.irq),
            sequencer.start.eq(registers.start),
            sequencer.stop.eq(registers.stop),
            sequencer.program.eq(registers.program),
            sequencer.length.eq(registers.length),
            registers.busy.eq(sequencer.busy),
            registers.done.eq(sequencer.done),
            registers.failed.eq(sequencer.failed),
            registers.error_code.eq(sequencer.code),
            registers.error_index.eq(sequencer.index),
            registers.descriptor_interrupt.eq(sequencer.interrupt),
            registers.counters.eq(counters.values),
        ]
        for region, base in enumerate(registers.regions):
            m.d.comb += sequencer.regions[region].eq(base)

        # memory
        wiring.connect(m, wiring.flipped(self.read), load.axi)
        wiring.connect(m, wiring.flipped(self.write), store.axi)
        wiring.connect(m, sequencer.load, load.block)
        wiring.connect(m, sequencer.store, store.block)
        m.d.comb += [
            sequencer.load_busy.eq(load.busy),
            sequencer.load_error.eq(load.error),
            sequencer.load_beyond.eq(load.beyond),
            sequencer.store_busy.eq(store.busy),
            sequencer.store_error.eq(store.error),
            sequencer.executed.eq(execute.done),
            sequencer.stalled.eq(execute.stalled),
            execute.start.eq(sequencer.execute),
            execute.abort.eq(sequencer.abort),
            load.cancel.eq(sequencer.abort),
            store.cancel.eq(sequencer.abort),
            execute.job.eq(sequencer.job),
        ]

        # on chip
        filled = load.write
        targets = {name: TARGETS[name] for name in shape.widths} | {"descriptor": DESCRIPTOR_TARGET}
        at = {name: Signal(name=f"fills_{name}") for name in targets}
        for name, target in targets.items():
            m.d.comb += at[name].eq(filled.valid & (filled.target == target))
        m.d.comb += [
            sequencer.fetched.valid.eq(at["descriptor"]),
            sequencer.fetched.addr.eq(filled.addr),
            sequencer.fetched.data.eq(filled.data),
            banks.fill.valid.eq(at["act"]),
            banks.fill.index.eq(filled.index),
            banks.fill.addr.eq(filled.addr),
            banks.fill.data.eq(filled.data),
        ]
        wiring.connect(m, execute.write, banks.write)
        wiring.connect(m, execute.feed, banks.feed)
        wiring.connect(m, store.read, banks.drain)
        users = [(scales, "scale", execute.scale, sequencer.job.scale_half)]
        if shape.has_weights:
            users.insert(0, (weights, "weight", execute.weight, sequencer.job.weight_half))
        else:
            m.d.comb += [
                execute.fill.valid.eq(at["weight"]),
                execute.fill.half.eq(filled.index),
                execute.fill.addr.eq(filled.addr),
                execute.fill.data.eq(filled.data),
            ]
        if shape.gathers:
            m.submodules.lists = lists = Halves(width=shape.list_word, depth=shape.list_depth)
            users.append((lists, "list", execute.list, sequencer.job.weight_half))
        for halves, name, port, half in users:
            m.d.comb += [
                halves.fill.valid.eq(at[name]),
                halves.fill.half.eq(filled.index),
                halves.fill.addr.eq(filled.addr),
                halves.fill.data.eq(filled.data),
                halves.read.en.eq(port.en),
                halves.read.half.eq(half),
                halves.read.addr.eq(port.addr),
                port.data.eq(halves.read.data),
            ]

        stages, strobes = sequencer.stages, counters.strobes
        m.d.comb += [
            counters.clear.eq(registers.start & ~sequencer.busy),
            strobes.cycles.eq(sequencer.busy),
            strobes.load_busy.eq(stages.loads),
            strobes.load_waits.eq(stages.load_waits),
            strobes.execute_busy.eq(stages.executes),
            strobes.execute_waits_load.eq(stages.starves),
            strobes.execute_waits_store.eq(stages.execute_waits),
            strobes.store_busy.eq(stages.stores),
            strobes.array_beats.eq(execute.takes),
            strobes.read_beats.eq(load.beat),
            strobes.write_beats.eq(store.beat),
        ]

        return m
