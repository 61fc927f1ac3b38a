"""Banked activation scratchpad that gathers: every row reads its own bank at its own address."""

from amaranth import Cat, Module, Mux, Signal
from amaranth.lib import data, stream, wiring
from amaranth.lib.memory import Memory
from amaranth.lib.wiring import In, Out

from hwsim.rtl.arrays.dense.layout import load_layout
from hwsim.rtl.blocks.fold_counter import FoldCounter

__all__ = ["Gather"]


class Gather(wiring.Component):
    """Load tiles of activations into banks, and play each through the gather list.

    Bank r holds the activations of every K index k with ``k mod rows = r``, in two halves: while
    one tile is played the next one is loaded. In K fold f of a tile, row r gets the activation of
    K index ``entry[f][r] * rows + r`` of every pixel; the list is the same for all tiles and M
    folds of a job, and comes with the first beat of each block of the first tile: word f with
    block f.

    * Throughput: one beat per cycle in and out.
    * Latency: the first word of a tile is offered two cycles after the tile's last beat was taken.
    * Stalls: ``load`` is not taken while both halves are full; nothing is offered of a tile that is
      not loaded whole.

    Parameters
    ----------
    command : StructLayout
        Payload of the command: ``k_folds``, ``m_folds``, ``n_tiles``, ``n_edge`` and ``k_blocks``
        at least.
    act : StructLayout
        Payload of the activation stream; its ``act`` is an array with one word of each bank.
    depth : int
        Depth of a bank, in K indices, and of the gather list: a power of two.
    pixels : int
        Pixels of a full tile: a power of two.

    Members
    -------
    command : ``In(stream.Signature(command))``
        One job; taken when the last word of the job before has been read.
    load : ``In(stream.Signature(load_layout(act, depth)))``
        n tile, block of K, pixel.
    act : ``Out(stream.Signature(act))``
        n tile, M fold, K fold, pixel: what the array takes.
    issue, lists : ``Out(1)``
        A word of the list and, through it, one of every bank is read; a word of the list is
        written.

    Raises
    ------
    ValueError
        A size is not a power of two: the parts of an address would overlap.
    """

    command: stream.Interface
    load: stream.Interface
    act: stream.Interface
    issue: Signal
    lists: Signal

    def __init__(
        self,
        *,
        command: data.StructLayout,
        act: data.StructLayout,
        depth: int,
        pixels: int,
    ) -> None:
        for name, value in (("depth", depth), ("pixels", pixels)):
            if value < 1 or value & (value - 1):
                raise ValueError(f"{name} must be a power of two, not {value}")
        self.depth, self.pixels = depth, pixels
        super().__init__(
            {
                "command": In(stream.Signature(command)),
                "load": In(stream.Signature(load_layout(act, depth))),
                "act": Out(stream.Signature(act)),
                "issue": Out(1),
                "lists": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()
        pixels, blocks = self.pixels, self.depth
        layout = self.command.payload.shape()
        job = data.View(layout, Signal(layout.size, name="job", reset_less=True))
        command, start = self.command.payload, Signal()
        m.d.comb += start.eq(self.command.ready & self.command.valid)
        loading = Signal()
        playing = Signal()
        full = Signal(2)

        # loading
        load_half = Signal()
        load_pixel = Signal(range(pixels))
        load_block = Signal(range(blocks))
        beat = Signal()
        block_end = Signal()
        tile_loaded = Signal()
        m.submodules.load_fold = load_fold = FoldCounter(2, len(job.k_folds))
        m.d.comb += load_fold.bounds[0].eq(command.k_blocks)
        m.d.comb += load_fold.bounds[1].eq(command.n_tiles)
        m.d.comb += load_fold.start.eq(start)
        m.d.comb += load_fold.step.eq(block_end)
        load_pixels = Mux(load_fold.last[1], job.n_edge, pixels)
        m.d.comb += self.load.ready.eq(loading & ~full.bit_select(load_half, 1))
        m.d.comb += beat.eq(self.load.ready & self.load.valid)
        m.d.comb += block_end.eq(beat & (load_pixel + 1 == load_pixels))
        m.d.comb += tile_loaded.eq(block_end & load_fold.last[0])
        with m.If(beat):
            m.d.sync += load_pixel.eq(load_pixel + 1)
        with m.If(block_end):
            m.d.sync += [load_pixel.eq(0), load_block.eq(load_block + 1)]
        with m.If(tile_loaded):
            m.d.sync += [load_block.eq(0), load_half.eq(~load_half), loading.eq(~load_fold.done)]

        # playing
        half = Signal()
        pixel = Signal(range(pixels))
        place = Signal(range(blocks))
        offered = Signal()
        fold_end = Signal()
        tile_played = Signal()
        issue = self.issue
        m.submodules.fold = fold = FoldCounter(3, len(job.k_folds))
        m.d.comb += Cat(fold.bounds).eq(Cat(command.k_folds, command.m_folds, command.n_tiles))
        m.d.comb += fold.start.eq(start)
        m.d.comb += fold.step.eq(fold_end)
        last_pixel = pixel + 1 == Mux(fold.last[2], job.n_edge, pixels)
        ready = ~offered | self.act.ready
        m.d.comb += issue.eq(playing & full.bit_select(half, 1) & ready)
        m.d.comb += fold_end.eq(issue & last_pixel)
        m.d.comb += tile_played.eq(fold_end & fold.last[0] & fold.last[1])
        m.d.comb += self.act.valid.eq(offered)
        m.d.sync += offered.eq(issue | (offered & ~self.act.ready))
        with m.If(issue):
            m.d.sync += pixel.eq(pixel + 1)
        with m.If(fold_end):
            m.d.sync += [pixel.eq(0), place.eq(Mux(fold.last[0], 0, place + 1))]
        with m.If(tile_played):
            m.d.sync += [half.eq(~half), playing.eq(~fold.done)]
        # a tile is loaded into one half and played from the other
        m.d.sync += full.eq((full | (tile_loaded << load_half)) & ~(tile_played << half))

        m.d.comb += self.command.ready.eq(~loading & ~playing)
        with m.If(start):
            m.d.sync += [job.eq(command), loading.eq(1), playing.eq(1)]

        entries = self.load.payload.shape()["entry"].shape
        memory: Memory = Memory(shape=entries, depth=blocks, init=[])
        m.submodules.entries = memory
        write, read = memory.write_port(), memory.read_port(domain="comb")
        m.d.comb += write.en.eq(beat & (load_pixel == 0) & load_fold.first[1])
        m.d.comb += self.lists.eq(write.en)
        m.d.comb += [write.addr.eq(load_block), write.data.eq(self.load.p.entry)]
        m.d.comb += read.addr.eq(place)

        for row in range(len(self.act.p.act)):
            bank: Memory = Memory(
                shape=self.act.p.act[row].shape(), depth=2 * blocks * pixels, init=[]
            )
            m.submodules[f"bank_{row}"] = bank
            put, get = bank.write_port(), bank.read_port()
            m.d.comb += put.en.eq(beat)
            m.d.comb += put.addr.eq(Cat(load_pixel, load_block, load_half))
            m.d.comb += put.data.eq(self.load.p.act[row])
            m.d.comb += get.en.eq(issue)
            m.d.comb += get.addr.eq(Cat(pixel, read.data[row][: len(load_block)], half))
            m.d.comb += self.act.p.act[row].eq(get.data)

        return m
