"""The machine cycle by cycle: every register that its time depends on, as in the RTL.

It steps the engines, the memory outside and the three stages of the sequencer; what a tile executes
takes the cycles of its array, whose own model is ``hwsim.arrays``. The fast form
(:mod:`hwsim.accelerator.simulate`) is held to it by property tests, and the RTL to both.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

from hwsim.accelerator.execute import execute_cycles, ready_cycles
from hwsim.accelerator.load import LoadBlock
from hwsim.accelerator.program import CONSTANTS, Program
from hwsim.accelerator.store import StoreBlock
from hwsim.accelerator.tables import load_block, store_block
from hwsim.accelerator.tile import ArrayJob
from hwsim.config import BusConfig, MemoryConfig
from hwsim.config.machine import PAGE
from hwsim.contract.descriptors import DESCRIPTOR_BYTES, DESCRIPTOR_TARGET, TARGETS
from hwsim.contract.machine import STORE_AHEAD
from hwsim.contract.registers import COUNTERS

__all__ = ["step"]


@dataclass
class _Channel:
    """One direction of the memory: bursts in order, their beats, responses of writes."""

    memory: MemoryConfig
    interval: int
    #: Cycles from an address to its first beat.
    latency: int
    bursts: deque[tuple[int, int]] = field(default_factory=deque)
    responses: deque[int] = field(default_factory=deque)
    under_way: int = 0
    beat: int = 0
    gap_over: int = 0

    @property
    def accepts(self) -> bool:
        """An address is taken."""
        return self.under_way < self.memory.outstanding

    def due(self, now: int) -> bool:
        """A beat is offered, or taken."""
        return bool(self.bursts) and now >= self.bursts[0][1] and now >= self.gap_over

    @property
    def last(self) -> bool:
        """It is the last of its burst."""
        return bool(self.bursts) and self.beat == self.bursts[0][0] - 1

    def step(self, now: int, burst: int, taken: bool, ended: bool) -> None:
        """One cycle: a burst of so many beats, a beat, the end of a burst."""
        if taken:
            last = self.last
            self.gap_over = now + self.interval + (self.memory.overhead if last else 0)
            self.beat = 0 if last else self.beat + 1
            if last:
                self.bursts.popleft()
        if burst:
            self.bursts.append((burst, now + self.latency))
        self.under_way += bool(burst) - ended


@dataclass
class _Bursts:
    """Walker over a block's bursts."""

    bus: BusConfig
    active: bool = False
    under_way: int = 0
    address: int = 0
    row: int = 0
    row_step: int = 0
    rows: int = 0
    beats: int = 0
    left: int = 0

    @property
    def burst(self) -> int:
        """Beats of the burst that is requested; 0: none is."""
        if not self.active or self.under_way == self.bus.outstanding:
            return 0
        page = (PAGE - self.address % PAGE) // self.bus.bytes
        return min(self.left, self.bus.burst, page)

    def ends(self, burst: int) -> bool:
        """The block ends with a burst."""
        return self.rows == 1 and burst == self.left

    def step(self, taken: int, done: bool) -> None:
        """One cycle: a request of so many beats is taken, a burst has ended."""
        self.under_way += bool(taken) - done
        if not taken:
            return
        if self.ends(taken):
            self.active = False
        elif taken == self.left:
            self.row += self.row_step
            self.address, self.left, self.rows = self.row, self.beats, self.rows - 1
        else:
            self.address += taken * self.bus.bytes
            self.left -= taken

    def begin(self, address: int, row_step: int, rows: int, beats: int) -> None:
        """Take a block."""
        self.active = True
        self.address = self.row = address
        self.row_step, self.rows, self.beats, self.left = row_step, rows, beats, beats


@dataclass
class _Load:
    """Load engine: two queues, the walker over bursts, the receiver of beats."""

    bus: BusConfig
    bits: dict[int, int]
    bursts: _Bursts
    requests: deque[LoadBlock] = field(default_factory=deque)
    received: deque[LoadBlock] = field(default_factory=deque)
    block: LoadBlock | None = None
    rows: int = 0
    left: int = 0
    level: int = 0
    write: bool = False

    @property
    def busy(self) -> bool:
        return bool(self.received) or self.block is not None or self.write

    def step(self, now: int, memory: _Channel, offered: LoadBlock | None) -> bool:
        """One cycle; returns whether a beat is taken."""
        burst = self.bursts.burst if memory.accepts else 0
        is_free = not self.bursts.active or (burst > 0 and self.bursts.ends(burst))
        width = self.bits[self.block.target] if self.block else 0
        whole = self.block is not None and self.level >= width
        taken = self.block is not None and not whole and memory.due(now)
        total = self.level + (self.bus.data_width if taken else 0)
        word = self.block is not None and total >= width
        ends_block = word and self.left == 1 and self.rows == 1
        done = taken and memory.last

        memory.step(now, burst, taken, done)
        self.bursts.step(burst, done)
        if is_free and self.requests:
            block = self.requests.popleft()
            self.bursts.begin(block.address, block.row_step, block.rows, block.beats)
        self.write, self.level = word, total
        if word:
            assert self.block is not None
            self.level = total - width
            self.left -= 1
            if self.left == 0:
                self.level, self.left, self.rows = 0, self.block.words, self.rows - 1
        if self.block is None or ends_block:
            self.block = self.received.popleft() if self.received else None
            if self.block:
                self.rows, self.left = self.block.rows, self.block.words
        if offered:
            self.requests.append(offered)
            self.received.append(offered)
        return taken


@dataclass
class _Store:
    """Store engine: walkers over bursts and words, the queue between, the gearbox."""

    bus: BusConfig
    width: int
    bursts: _Bursts
    lengths: deque[int] = field(default_factory=deque)
    position: int = 0
    #: Words of the block that are still to be read, row by row, and read ones: whether each ends a
    #: row.
    unread: deque[bool] = field(default_factory=deque)
    words: deque[bool] = field(default_factory=deque)
    comes: list[bool] = field(default_factory=list)
    ahead: int = 0
    #: Of the gearbox: words in the beat, or beats left of the word; whether a beat is offered.
    held: int = 0
    full: bool = False

    @property
    def busy(self) -> bool:
        return self.bursts.active or self.bursts.under_way > 0

    def step(self, now: int, memory: _Channel, offered: StoreBlock | None) -> bool:
        """One cycle; returns whether a beat is written."""
        burst = self.bursts.burst if memory.accepts else 0
        opens = bool(self.lengths) and memory.due(now)
        wide = self.width >= self.bus.data_width
        beat = (self.held > 0 if wide else self.full) and opens
        last = beat and self.position == self.lengths[0] - 1
        answered = bool(memory.responses) and now >= memory.responses[0]
        room = (self.held == 0 or (self.held == 1 and opens)) if wide else not self.full or opens
        enters = room and bool(self.words)
        reads = bool(self.unread) and self.ahead != STORE_AHEAD

        if answered:
            memory.responses.popleft()
        memory.step(now, burst, beat, answered)
        if last:
            memory.responses.append(now + memory.memory.latency)
            self.lengths.popleft()
        self.position = 0 if last else self.position + beat
        if burst:
            self.lengths.append(burst)
        self.bursts.step(burst, answered)
        self._pack(beat, self.words.popleft() if enters else None, wide)
        self.words.extend(self.comes)
        self.comes = [self.unread.popleft()] if reads else []
        self.ahead += reads - enters
        if offered:
            beats = -(-offered.words * self.width // self.bus.data_width)
            self.bursts.begin(offered.address, offered.row_step, offered.rows, beats)
            row = [False] * (offered.words - 1) + [True]
            self.unread = deque(row * offered.rows)
        return beat

    def _pack(self, beat: bool, word: bool | None, wide: bool) -> None:
        """Gearbox: a beat leaves, a word enters, which ends its row or does not."""
        if wide:
            ratio = self.width // self.bus.data_width
            self.held = ratio if word is not None else self.held - beat
            return
        ratio = self.bus.data_width // self.width
        if word is not None:
            self.full = word or self.held == ratio - 1
            self.held = 0 if word else (self.held + 1) % ratio
        elif beat:
            self.full = False


def step(program: Program, memory: MemoryConfig) -> dict[str, int]:
    """Run a program cycle by cycle, and count as the machine's counters do.

    The program lies at address 0. Takes a few microseconds per cycle.
    """
    arch, bus = program.arch, program.arch.bus
    bits = {TARGETS[name]: width for name, width in program.shape.widths.items()}
    bits[DESCRIPTOR_TARGET] = bus.data_width
    interval = memory.interval(bus)
    reads, writes = _Channel(memory, interval, memory.latency), _Channel(memory, interval, 1)
    load = _Load(bus, bits, _Bursts(bus))
    store = _Store(bus, program.shape.act_bits, _Bursts(bus))
    tiles = program.tiles
    loads = [[load_block(program, each) for each in tile.loads] for tile in tiles]
    stores = [store_block(program, tile.store) if tile.store else None for tile in tiles]
    takes = [execute_cycles(arch, tile) for tile in tiles]
    ready = ready_cycles(arch, tiles)
    counts = dict.fromkeys((name for name, _ in COUNTERS), 0)

    # a tile in each stage, the state of the first, when the second has finished
    tile: list[int] = [0, -1, -1]
    state, block, executed_at, under_way, stored = "fetch", 0, 0, False, False
    now = 0
    while True:
        executes, holds = tile[1] >= 0, tile[2] >= 0
        executed = executes and now >= executed_at
        loaded = state == "loaded"
        leaves = (holds and stored, executed and (not holds or stored))
        store_leaves, execute_leaves = leaves
        load_leaves = loaded and (not executes or execute_leaves)
        idle = state == "idle"
        counts["cycles"] += 1
        counts["load_busy"] += not idle and not loaded
        counts["load_waits"] += loaded and not load_leaves
        counts["execute_busy"] += executes and not executed
        counts["execute_waits_load"] += not executes and not idle
        counts["execute_waits_store"] += executed and not execute_leaves
        counts["store_busy"] += holds and not stored

        first, offered = tile[0], None
        if state == "fetch":
            offered, state = _descriptor(program, first), "fetching"
        elif state == "fetching":
            state = "fetching" if load.busy else "check"
        elif state == "check":
            state = "barrier"
        elif state == "barrier":
            if not tiles[first].barrier or not (executes or holds):
                state, block = ("offer" if loads[first] else "loaded"), 0
        elif state == "offer":
            offered, block = loads[first][block], block + 1
            state = "offer" if block < len(loads[first]) else "loading"
        elif state == "loading":
            state = "loading" if load.busy else "loaded"
        elif load_leaves:
            state = "fetch" if first + 1 < len(tiles) else "idle"

        stores_now = stores[tile[2]] if holds and not stored and not under_way else None
        ends = under_way and not store.busy
        starts = stores_now is not None
        if ends or (holds and not stored and not under_way and not starts):
            stored = True
        under_way = (under_way or starts) and not ends

        counts["read_beats"] += load.step(now, reads, offered)
        counts["write_beats"] += store.step(now, writes, stores_now)
        if store_leaves:
            if tile[2] == len(tiles) - 1:
                break
            tile[2], stored = -1, False
        if execute_leaves:
            tile[2], tile[1], stored = tile[1], -1, False
        if load_leaves:
            tile[1], tile[0] = first, first + 1
            executed_at = max(now + 1, ready[first]) + takes[first]
        now += 1
    counts["array_beats"] = sum(t.job.act_beats for t in tiles if isinstance(t.job, ArrayJob))
    return counts


def _descriptor(program: Program, index: int) -> LoadBlock:
    beats = DESCRIPTOR_BYTES // program.arch.bus.bytes
    at = program.bases()[CONSTANTS] + index * DESCRIPTOR_BYTES
    return LoadBlock(at, 0, 1, beats, beats, 0, 0, DESCRIPTOR_TARGET, 0)
