"""Smallest family there can be: one MAC, one operand pair per cycle. All of it is in this file.

It shows what a family of the user's needs: a configuration with its facts, a format, a cycle model
and fast form, and RTL. :func:`registered` makes it known; nothing else is touched. The key
``fault`` builds an array with a known defect, which the instruments must find.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar, Literal

import numpy as np
from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, wiring

from hwsim.arrays.base import Job, Run, is_paused
from hwsim.arrays.counts import Counts
from hwsim.config import FAMILIES, ArchConfig, ArrayConfig, register
from hwsim.contract.causes import Cause, CauseTable, cause_code, cause_names
from hwsim.contract.events import Strobe
from hwsim.formats.base import Bits
from hwsim.rtl.arrays.interface import border

_CAUSES: CauseTable = {
    "array": (
        Cause("idle", "no command yet"),
        Cause("compute", "a pair of operands is multiplied"),
        Cause("weight", "the weight stream is empty"),
        Cause("act", "the activation stream is empty"),
        Cause("ofmap", "the ofmap stream is not taken"),
        Cause("drain", "the last partial sum is offered"),
    )
}


class SerialConfig(ArrayConfig):
    """One multiplier, one accumulator, one output register."""

    FORMAT: ClassVar[str] = __name__
    MODEL: ClassVar[str] = __name__
    RTL: ClassVar[str] = __name__
    CAUSES: ClassVar[CauseTable] = _CAUSES
    EVENTS: ClassVar[dict[str, str]] = {"macs": "multiplications"}
    SPARSITY: ClassVar[str] = "dense"
    stores_zeros: ClassVar[bool] = True

    family: Literal["serial"]
    #: Defect of the RTL.
    fault: str = ""

    @property
    def multipliers(self) -> int:
        """One."""
        return 1

    @property
    def extents(self) -> tuple[int, int, int]:
        """One partial sum of a few products."""
        return 1, 8, 1

    def beyond_memory(self, limit: int) -> tuple[int, int]:
        """No memory limits M or N."""
        return 1, 4

    @property
    def strobes(self) -> dict[str, Strobe]:
        """One multiplication."""
        return {"macs": Strobe()}


@contextmanager
def registered() -> Iterator[None]:
    """Know the family for as long as the context lasts."""
    register(SerialConfig)
    try:
        yield
    finally:
        del FAMILIES["serial"]
        ArchConfig.model_rebuild(force=True)


def design(fault: str = "") -> ArchConfig:
    """Design of the family, which must be registered."""
    array = {"family": "serial"} | ({"fault": fault} if fault else {})
    return ArchConfig.model_validate({"name": "serial", "array": array})


def measure(arch, weight, shape, channels=0, name="serial format"):
    """Every weight, zeros too."""
    return Bits(values=shape[0] * shape[1] * arch.numbers.weight_width)


def nonzeros(arch, shape, channels=0):
    """All weights of a matrix without a zero."""
    return shape[0] * shape[1]


class Array(wiring.Component):
    """``k`` operand pairs to each of ``outputs`` partial sums; one output register."""

    def __init__(self, arch):
        self.arch, self.fault = arch, arch.array.fault
        numbers = arch.numbers
        super().__init__(
            border(
                arch,
                command=data.StructLayout({"k": 16, "outputs": 16}),
                weight=data.StructLayout(
                    {"weight": data.ArrayLayout(signed(numbers.weight_width), 1)}
                ),
                act=data.StructLayout({"act": data.ArrayLayout(signed(numbers.act_width), 1)}),
                ofmap=data.StructLayout({"psum": data.ArrayLayout(signed(numbers.psum_width), 1)}),
            )
        )

    def elaborate(self, platform):
        m = Module()
        k, depth, outputs = Signal(16), Signal(16), Signal(16)
        acc = Signal(signed(self.arch.numbers.psum_width))
        total = Signal.like(acc)
        pair = self.weight.valid & self.act.valid
        last = k + 1 == depth
        blocked = last & self.ofmap.valid & ~self.ofmap.ready
        running, busy = Signal(), Signal()
        cause = self.status.array[0]
        m.d.comb += total.eq(acc + self.weight.p.weight[0] * self.act.p.act[0])
        m.d.comb += [running.eq(outputs != 0), busy.eq(running | self.ofmap.valid)]
        m.d.comb += self.command.ready.eq(~busy)
        with m.If(~busy):
            m.d.comb += cause.eq(cause_code(_CAUSES, "array", "idle"))
        with m.Elif(~running):
            m.d.comb += cause.eq(cause_code(_CAUSES, "array", "drain"))
        with m.Elif(~self.weight.valid):
            m.d.comb += cause.eq(cause_code(_CAUSES, "array", "weight"))
        with m.Elif(~self.act.valid):
            m.d.comb += cause.eq(cause_code(_CAUSES, "array", "act"))
        with m.Elif(blocked):
            m.d.comb += cause.eq(cause_code(_CAUSES, "array", "ofmap"))
        with m.Else():
            m.d.comb += cause.eq(cause_code(_CAUSES, "array", "compute"))
        with m.If(self.ofmap.ready):
            m.d.sync += self.ofmap.valid.eq(0)
        with m.If(self.command.valid & self.command.ready):
            m.d.sync += [
                depth.eq(self.command.p.k),
                outputs.eq(self.command.p.outputs),
                k.eq(0),
                acc.eq(0),
            ]
        with m.If(running & pair & ~blocked):
            m.d.comb += [self.weight.ready.eq(1), self.act.ready.eq(1)]
            m.d.sync += [k.eq(Mux(last, 0, k + 1)), acc.eq(Mux(last, 0, total))]
            with m.If(last):
                m.d.sync += [
                    self.ofmap.valid.eq(1),
                    self.ofmap.payload.psum[0].eq(total),
                    outputs.eq(outputs - 1),
                ]
        stored = running & pair & ~blocked & last
        m.d.comb += self.events.macs.eq(running & pair & ~blocked)
        if self.fault == "value":  # the lowest bit of a job's last partial sum
            with m.If(stored & (outputs == 1)):
                m.d.sync += self.ofmap.payload.psum[0].eq(total ^ 1)
        elif self.fault == "change":  # an offer is changed where it is not taken at once
            with m.If(self.ofmap.valid & ~self.ofmap.ready):
                m.d.sync += self.ofmap.payload.psum[0].eq(self.ofmap.payload.psum[0] ^ 1)
        elif self.fault == "extra":  # one partial sum too many
            with m.If(self.command.valid & self.command.ready):
                m.d.sync += outputs.eq(self.command.p.outputs + 1)
        elif self.fault == "cause":
            m.d.comb += cause.eq(cause_code(_CAUSES, "array", "idle"))
        elif self.fault == "event":  # the last multiplication of each sum is not counted
            m.d.comb += self.events.macs.eq(running & pair & ~blocked & ~last)
        elif self.fault == "deaf":  # never ready for a command
            m.d.comb += self.command.ready.eq(0)
        elif self.fault == "hang":  # the operands are never taken
            m.d.comb += [self.weight.ready.eq(0), self.act.ready.eq(0)]
            m.d.sync += outputs.eq(outputs)
        return m


def compile(arch, gemm):
    """One command; the operands of output (m, n) follow those of (m, n - 1)."""
    weight = np.repeat(np.asarray(gemm.weight, np.int64), gemm.N, axis=0).reshape(-1, 1)
    act = np.tile(np.asarray(gemm.act, np.int64).T, (gemm.M, 1)).reshape(-1, 1)
    if not np.any(gemm.weight):
        return Job({}, np.zeros((0, 1), np.int64), (gemm.M, gemm.N))
    command = {"k": np.array([gemm.K]), "outputs": np.array([gemm.M * gemm.N])}
    index = np.arange(gemm.M * gemm.N).reshape(-1, 1)
    return Job(
        {"command": command, "weight": {"weight": weight}, "act": {"act": act}},
        index,
        (gemm.M, gemm.N),
    )


class _Source:
    """One source, by the rules of the streams."""

    def __init__(self, words, pauses, stream):
        self.words, self.pauses, self.stream = words, pauses, stream
        self.taken, self.held = 0, False

    def valid(self, t):
        return self.taken < self.words and (self.held or not is_paused(self.pauses, self.stream, t))

    def step(self, valid, ready):
        self.held = valid and not ready
        self.taken += valid and ready


def simulate(arch, job, pauses):
    """Cycle model of :class:`Array`."""
    counts = dict.fromkeys(cause_names(_CAUSES)["array"], 0)
    if not job.transfers:
        return Run(
            np.zeros(job.shape, np.int64), Counts(0, {"array": counts}, job.beats() | {"macs": 0})
        )
    k = int(job.inputs["command"]["k"][0])
    weight, act = job.inputs["weight"]["weight"][:, 0], job.inputs["act"]["act"][:, 0]
    command = _Source(1, pauses, "command")
    weights = _Source(len(weight), pauses, "weight")
    acts = _Source(len(act), pauses, "act")
    running, offered, seen, t = False, None, [], 0
    while len(seen) < job.transfers:
        ready = not is_paused(pauses, "ofmap", t)
        offers = [source.valid(t) for source in (command, weights, acts)]
        taken = [False, False, False]
        before = offered
        if before is not None and ready:
            seen.append([before])
            offered = None
        done = acts.taken == len(act)
        if not running and before is None:
            cause, taken[0] = "idle", True
        elif running and done:
            cause = "drain"
        elif not offers[1]:
            cause = "weight"
        elif not offers[2]:
            cause = "act"
        elif (acts.taken + 1) % k == 0 and before is not None and not ready:
            cause = "ofmap"
        else:
            cause, taken[1:] = "compute", [True, True]
            if (acts.taken + 1) % k == 0:
                end = acts.taken + 1
                offered = int(weight[end - k : end] @ act[end - k : end])
        running = running or (offers[0] and taken[0])
        for source, offer, take in zip((command, weights, acts), offers, taken, strict=True):
            source.step(offer, take)
        counts[cause] += 1
        t += 1
    events = job.beats() | {"macs": counts["compute"]}
    return Run(job.gather(np.array(seen)), Counts(t, {"array": counts}, events))


def count(arch, gemm):
    """One cycle for the command, one per operand pair, one for the last transfer."""
    zero = dict.fromkeys(cause_names(_CAUSES)["array"], 0)
    is_work = gemm.weight is None or bool(np.any(gemm.weight))
    pairs, sums = (gemm.macs, gemm.M * gemm.N) if is_work else (0, 0)
    counts = zero | {"idle": 1, "compute": pairs, "drain": 1} if pairs else zero
    events = {
        "command_beats": int(is_work), "weight_beats": pairs, "act_beats": pairs,
        "ofmap_beats": sums, "macs": pairs,
    }  # fmt: skip
    return Counts(sum(counts.values()), {"array": counts}, events)
