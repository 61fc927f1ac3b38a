"""Run jobs on an array of any family in the Amaranth simulator.

The bench knows nothing of a family but its streams: it offers each word of a :class:`Job`, keeps
to the pause patterns, holds every offer until its transfer, counts the causes of each cycle, and
checks the array's side of the stream rules. The result is a :class:`Run`, to be compared with
``==`` to those of the cycle model.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from amaranth import Cat, ClockDomain, Const, Module, Shape
from amaranth.lib import data
from amaranth.sim import Simulator

from hwsim.arrays.base import Job, Pauses, Run, is_paused
from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig
from hwsim.rtl.arrays import build

__all__ = ["INPUTS", "assert_equal", "chain", "drive", "pack", "pause_factors"]

#: Input streams of every family, in the order of their bits in the bench's handshake word.
INPUTS = ("command", "weight", "act")

#: Idle cycles after the last job in which nothing may be offered.
QUIET = 16

NO_PAUSES: Pauses = {}


def pause_factors(seed: int, length: int = 53, probability: float = 0.4) -> dict[str, Pauses]:
    """Return the four factors of a stream test: back to back, idle sources, backpressure, both."""
    rng = np.random.default_rng(seed)
    source = {stream: rng.random(length) < probability for stream in INPUTS}
    sink = {"ofmap": rng.random(length) < probability}
    return {"none": {}, "source": source, "sink": sink, "both": source | sink}


def chain(jobs: Sequence[Job]) -> Job:
    """Make one job of several: every stream carries their words one after the other.

    Nothing waits for the end of a job, so commands meet an array that is still at work. The ofmaps
    lie one after the other in a column.
    """
    inputs = {
        stream: {
            name: np.concatenate([job.inputs[stream][name] for job in jobs])
            for name in jobs[0].inputs[stream]
        }
        for stream in INPUTS
    }
    start = np.cumsum([0] + [job.shape[0] * job.shape[1] for job in jobs])
    index = [
        np.where(job.ofmap_index >= 0, job.ofmap_index + first, -1)
        for job, first in zip(jobs, start, strict=False)
    ]
    return Job(inputs, np.concatenate(index), (int(start[-1]), 1))


def assert_equal(run: Run, expected: Run) -> None:
    """Compare values, cycles and causes; the first difference is what the failure shows."""
    differs = np.argwhere(run.ofmap != expected.ofmap)
    assert len(differs) == 0, (
        f"{len(differs)} of {expected.ofmap.size} values differ, first at {differs[0].tolist()}"
    )
    assert run.counts == expected.counts


def pack(shape: object, value: object) -> int:
    """Bits of a payload.

    Raises
    ------
    ValueError
        A value does not fit its field; the simulator would wrap it without a word.
    """
    if isinstance(shape, data.StructLayout):
        return sum(pack(field.shape, value[name]) << field.offset for name, field in shape)
    if isinstance(shape, data.ArrayLayout):
        if len(value) != shape.length:
            raise ValueError(f"{len(value)} values for {shape.length} lanes")
        return sum(
            pack(field.shape, part) << field.offset
            for (_, field), part in zip(shape, value, strict=True)
        )
    scalar, number = Shape.cast(shape), int(value)
    low = -(1 << (scalar.width - 1)) if scalar.signed else 0
    if not low <= number < low + (1 << scalar.width):
        raise ValueError(f"{number} does not fit {scalar!r}")
    return number & ((1 << scalar.width) - 1)


def drive(
    arch: ArchConfig,
    jobs: Sequence[Job],
    pauses: Pauses | Sequence[Pauses] = NO_PAUSES,
    *,
    reset_at: int | None = None,
    max_cycles: int = 20_000,
    vcd: Path | None = None,
) -> list[Run]:
    """Run ``jobs`` one after the other without a reset between them.

    Each job starts at its own cycle 0, the first cycle after the previous one's last transfer in
    which the array is ready for a command.

    Parameters
    ----------
    pauses
        Patterns of every job, or a list with those of each job.
    reset_at
        Begin with ``reset_at`` cycles of the first job, then reset the array for one cycle, then
        run all jobs.
    max_cycles
        A job (or the wait for ``command.ready``) that takes longer fails the test.
    vcd
        Write a waveform there.
    """
    patterns = [pauses] * len(jobs) if isinstance(pauses, Mapping) else pauses
    bench = _Bench(arch, max_cycles)
    runs: list[Run] = []

    async def testbench(ctx):
        if reset_at is not None:
            await bench.start(ctx)
            await bench.run(ctx, jobs[0], patterns[0], stop_at=reset_at)
            await bench.reset(ctx)
        for job, pattern in zip(jobs, patterns, strict=True):
            await bench.start(ctx)
            runs.append(await bench.run(ctx, job, pattern))
        for _ in range(QUIET):
            await bench.quiet(ctx)

    sim = Simulator(bench.top)
    sim.add_clock(10e-9)
    sim.add_testbench(testbench)
    if vcd is None:
        sim.run()
    else:
        with sim.write_vcd(str(vcd)):
            sim.run()
    return runs


class _Bench:
    """An array with a clock domain of its own, and the three phases of a run."""

    def __init__(self, arch: ArchConfig, max_cycles: int) -> None:
        self.causes, self.members = arch.array.cause_names, arch.array.members
        self.strobes = arch.array.strobes
        self.max_cycles = max_cycles
        self.top = Module()
        self.top.domains.sync = self.domain = ClockDomain("sync")
        self.top.submodules.array = self.dut = build(arch)
        self.inputs = [getattr(self.dut, stream) for stream in INPUTS]
        self.ready = Cat(*(stream.ready for stream in self.inputs))

    async def start(self, ctx) -> None:
        """Wait until the array is ready for a command, offering it nothing."""
        for _ in range(self.max_cycles):
            if ctx.get(self.dut.command.ready):
                return
            await self.quiet(ctx)
        raise AssertionError(f"not ready for a command after {self.max_cycles} cycles")

    async def quiet(self, ctx) -> None:
        """Pass one cycle in which the array must offer nothing."""
        ctx.set(self.dut.ofmap.ready, 1)
        _, _, valid = await ctx.tick().sample(self.dut.ofmap.valid)
        assert not valid, "ofmap offered with no job running"

    async def reset(self, ctx) -> None:
        """Reset for one cycle, with every stream at rest."""
        for stream in self.inputs:
            ctx.set(stream.valid, 0)
        ctx.set(self.domain.rst, 1)
        await ctx.tick()
        ctx.set(self.domain.rst, 0)

    async def run(self, ctx, job: Job, pauses: Pauses, stop_at: int | None = None) -> Run:
        """Run one job to its last transfer, or for ``stop_at`` cycles."""
        sources = [_Source(name, getattr(self.dut, name), job, pauses) for name in INPUTS]
        sink = _Sink(self.dut.ofmap, pauses)
        out, status, events = self.dut.ofmap, [], []
        strobes = self.dut.events.as_value() if self.strobes else Const(0)
        sampled = (
            self.ready,
            out.valid,
            out.payload.as_value(),
            self.dut.status.as_value(),
            strobes,
        )
        while len(sink.payloads) < job.transfers and len(status) != stop_at:
            cycle = len(status)
            if cycle == self.max_cycles:
                raise AssertionError(
                    f"no end after {cycle} cycles: {len(sink.payloads)} of {job.transfers} ofmap"
                    f" transfers, words left {[source.left for source in sources]}"
                )
            for source in sources:
                source.offer(ctx, cycle)
            sink.offer(ctx, cycle)
            _, _, ready, valid, payload, code, event = await ctx.tick().sample(*sampled)
            for i, source in enumerate(sources):
                source.clocked(ready >> i & 1)
            sink.clocked(valid, payload, cycle)
            status.append(code)
            events.append(event)
        for source in sources:
            source.rest(ctx)
        if stop_at is not None:
            return Run(np.zeros(job.shape, dtype=np.int64), Counts(len(status)))
        assert not any(source.left for source in sources), "words left in the sources at the end"
        counts = self._count(status)
        counted = Counts(counts.cycles, counts.causes, job.beats() | self._events(events))
        return Run(job.gather(self._unpack(sink.payloads, job)), counted)

    def _unpack(self, payloads: list[int], job: Job) -> np.ndarray:
        """Partial sums of each transfer, ``(transfers, lanes)``."""
        layout = self.dut.ofmap.payload.shape()
        rows = [list(layout.from_bits(payload).psum) for payload in payloads]
        return np.array(rows, dtype=np.int64).reshape(job.ofmap_index.shape)

    def _events(self, events: list[int]) -> dict[str, int]:
        """How often each event happened."""
        if not self.strobes:
            return {}
        layout = self.dut.events.shape()
        masks = {
            name: ((1 << field.width) - 1) << field.offset
            for name, field in ((name, layout[name]) for name, _ in layout)
        }
        return {
            name: self.strobes[name].each * sum((code & mask).bit_count() for code in events)
            for name, mask in masks.items()
        }

    def _count(self, status: list[int]) -> Counts:
        """Cycles by cause of each status group; a code outside the list raises IndexError."""
        layout = self.dut.status.shape()
        counts = {group: dict.fromkeys(names, 0) for group, names in self.causes.items()}
        for code in status:
            current = layout.from_bits(code)
            for group, names in self.causes.items():
                for member in range(self.members[group]):
                    counts[group][names[current[group][member]]] += 1
        return Counts(len(status), counts)


class _Source:
    """The words of one stream, and the offer it holds."""

    def __init__(self, name: str, stream, job: Job, pauses: Pauses) -> None:
        self.name, self.stream, self.pauses = name, stream, pauses
        layout = stream.payload.shape()
        words = job.inputs[name]
        assert list(words) == [field for field, _ in layout], f"fields of {name}"
        columns = {field: values.tolist() for field, values in words.items()}
        self.words = [
            pack(layout, dict(zip(columns, row, strict=True)))
            for row in zip(*columns.values(), strict=True)
        ]
        self.taken, self.offered = 0, False

    @property
    def left(self) -> int:
        """Words not taken yet."""
        return len(self.words) - self.taken

    def offer(self, ctx, cycle: int) -> None:
        """Offer the next word, unless an idle source is paused."""
        paused = is_paused(self.pauses, self.name, cycle)
        self.offered = self.left > 0 and (self.offered or not paused)
        ctx.set(self.stream.valid, self.offered)
        if self.offered:
            ctx.set(self.stream.payload.as_value(), self.words[self.taken])

    def clocked(self, ready: int) -> None:
        """Note the handshake of the cycle that passed."""
        if self.offered and ready:
            self.taken += 1
            self.offered = False

    def rest(self, ctx) -> None:
        """Offer nothing."""
        ctx.set(self.stream.valid, 0)


class _Sink:
    """The transfers taken from a stream, checked against its rules."""

    def __init__(self, stream, pauses: Pauses) -> None:
        self.stream, self.pauses = stream, pauses
        self.payloads: list[int] = []
        self.ready, self.held = False, None

    def offer(self, ctx, cycle: int) -> None:
        """Be ready, unless paused."""
        self.ready = not is_paused(self.pauses, "ofmap", cycle)
        ctx.set(self.stream.ready, self.ready)

    def clocked(self, valid: int, payload: int, cycle: int) -> None:
        """Note the handshake of the cycle that passed."""
        if self.held is not None:
            assert valid, f"ofmap.valid dropped before the transfer, cycle {cycle}"
            assert payload == self.held, f"ofmap changed before the transfer, cycle {cycle}"
        self.held = payload if valid and not self.ready else None
        if valid and self.ready:
            self.payloads.append(payload)
