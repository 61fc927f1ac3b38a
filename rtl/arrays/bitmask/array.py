"""Index-decoding array (SparTen): every PE joins the masks of its filters and of a pixel."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import wiring

from hwsim.config import ArchConfig, BitmaskConfig
from hwsim.rtl.arrays.bitmask.broadcast import Broadcast
from hwsim.rtl.arrays.bitmask.buffer import Buffer
from hwsim.rtl.arrays.bitmask.layout import (
    PESizes,
    act_layout,
    command_layout,
    load_layout,
    weight_layout,
)
from hwsim.rtl.arrays.bitmask.pe import PE
from hwsim.rtl.arrays.decoding.drain import Drain
from hwsim.rtl.arrays.decoding.drain_layout import ofmap_layout
from hwsim.rtl.arrays.decoding.tile_control import TileControl
from hwsim.rtl.arrays.decoding.tiles import connect_load, connect_tiles, pe_events
from hwsim.rtl.arrays.interface import ArrayComponent, border
from hwsim.rtl.arrays.status import status_codes

__all__ = ["Array"]


class Array(ArrayComponent):
    """Multiply a sparse matrix, resident in the PEs, by sparse activations, chunk by chunk.

    Each command loads one M tile, the same into every cluster, and runs all groups of ``clusters``
    pixels through it, one pixel per cluster. A chunk enters the buffers of all clusters in the same
    cycles; a PE joins its mask with that of each of its local filters, and adds up a pixel in one
    bank of its accumulators while the banks of pixels before are drained.

    * Latency: from a command, one cycle, the weight beats, two cycles to the first broadcast, three
      from the broadcast that completes a chunk to its first pair; from a group's last pair six
      cycles to its first ``ofmap.valid``.
    * Throughput: a group takes the largest of its beats (those of the mask and non-zeros / window
      per chunk), its busiest PE's sum of max(1, pairs) over chunks and local filters, and its drain
      (local filters times slices of PEs), if the buffers are deep enough to even out the chunks.
      See ``docs/timing/bitmask.md``.
    * Stalls: by cause in ``status``. After a reset ``command.ready`` stays low for ``acc_depth``
      cycles, in which the accumulators are zeroed.

    Parameters
    ----------
    arch : :class:`~hwsim.config.ArchConfig`
        A design of the family bitmask.

    Members
    -------
    command : ``In(stream.Signature(command_layout(arch)))``
        One M tile.
    weight : ``In(stream.Signature(weight_layout(arch)))``
        The tile's masks and values, in any order.
    act : ``In(stream.Signature(act_layout(arch)))``
        Beats of activations: all chunks of a group, then the next group. Mask bits beyond K, and
        of clusters beyond the last pixel, must be clear.
    ofmap : ``Out(stream.Signature(ofmap_layout(arch)))``
        For each group, for each local filter: the partial sums of all PEs, cluster by cluster,
        ``drain_pes`` per beat; of the last one only the first ``edge`` beats.
    status : ``Out``
        Causes of the current cycle: ``control`` (one) and ``pe`` (P).
    events : ``Out``
        Strobes of the events of the current cycle.
    """

    def __init__(self, arch: ArchConfig) -> None:
        self.arch, self.array = arch, arch.array_as(BitmaskConfig)
        super().__init__(
            border(
                arch,
                command=command_layout(arch),
                weight=weight_layout(arch),
                act=act_layout(arch),
                ofmap=ofmap_layout(arch),
            )
        )

    def elaborate(self, platform):
        m = Module()
        control = m.submodules.control = TileControl(
            command_layout(self.arch), acc_depth=self.array.acc_depth
        )
        sizes, load, events = PESizes.of(self.arch), load_layout(self.arch), pe_events(self.array)
        array, numbers = self.array, self.arch.numbers
        broadcast = m.submodules.broadcast = Broadcast(
            buffer_depth=array.buffer_depth,
            mask_beats=array.mask_beats(numbers),
            value_beats=array.chunk // array.window,
            chunks=array.mask_depth,
            act=act_layout(self.arch),
        )
        buffers = [
            Buffer(
                chunk=array.chunk,
                window=array.window,
                buffer_depth=array.buffer_depth,
                act_width=numbers.act_width,
            )
            for _ in range(array.clusters)
        ]
        drain = m.submodules.drain = Drain(array.banks, array.drain_slices, carries=array.carries)
        pes = [PE(sizes, load, events) for _ in range(self.array.pes)]

        connect_tiles(m, self, control, drain, pes)
        wiring.connect(m, wiring.flipped(self.act), broadcast.act)
        current = control.current
        m.d.comb += [
            broadcast.start.eq(control.start),
            broadcast.chunks.eq(current.chunks),
            broadcast.groups.eq(current.groups),
            # A beat enters every buffer in the same cycle, when none of them is full.
            broadcast.beat.ready.eq(Cat(pe.room for pe in pes).all()),
            drain.beats.eq(1),
            drain.tail.eq(1),
            drain.edge.eq(current.edge),
            self.status.control[0].eq(self._cause(control, broadcast)),
        ]
        beat, pushed = broadcast.beat, Signal()
        m.d.comb += pushed.eq(beat.valid & beat.ready)
        for cluster, buffer in enumerate(buffers):
            m.submodules[f"buffer_{cluster}"] = buffer
            m.d.comb += [
                buffer.push_en.eq(pushed),
                buffer.place.eq(broadcast.place),
                buffer.word.eq(beat.p.data[cluster]),
            ]
        for p, pe in enumerate(pes):
            m.d.comb += [pe.more.eq(broadcast.busy), pe.push_en.eq(pushed & beat.p.last)]
            self._connect(m, p, pe, control, buffers[p // array.cluster_pes])
        return m

    def _connect(self, m: Module, p: int, pe: PE, control: TileControl, buffer: Buffer) -> None:
        """Bring weights and activations to one PE."""
        bank, lane = divmod(p % self.array.cluster_pes, self.array.load_pes)
        connect_load(m, self.weight, pe, bank=bank, lane=lane)
        m.d.comb += [
            pe.rows.eq(control.current.rows),
            pe.masks.eq(control.current.masks),
            pe.run.eq(control.run),
            pe.act_masks.eq(buffer.masks),
            pe.acts.eq(buffer.acts),
        ]

    def _cause(self, control: TileControl, broadcast: Broadcast):
        """Cause of this cycle: what becomes of the beat of weights, or of activations."""
        code = status_codes(BitmaskConfig.CAUSES, "control")
        loading = Mux(self.weight.valid, code["load"], code["weight"])
        offered = Mux(broadcast.beat.ready, code["broadcast"], code["full"])
        nothing = Mux(broadcast.busy, code["act"], code["drain"])
        running = Mux(broadcast.beat.valid, offered, nothing)
        return Mux(control.run, running, Mux(control.weight_ready, loading, code["idle"]))
