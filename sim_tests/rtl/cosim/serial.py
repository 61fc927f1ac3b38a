"""Smallest family there can be, to try the instrument alone: one MAC, one operand pair a clock.

It stands in for a real family: :func:`install` puts both of its halves where they are looked for.
``fault`` builds an array with a known defect, which the instrument must find.
"""

import sys
from types import ModuleType

import numpy as np
from amaranth import Module, Mux, Signal, signed
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.arrays.base import Job, Run, is_paused
from hwsim.arrays.counts import Counts
from hwsim.config import ArchConfig
from hwsim.config.arrays.systolic import SYSTOLIC_CAUSES
from hwsim.contract.causes import cause_names

CAUSES = cause_names(SYSTOLIC_CAUSES)

ARCH = ArchConfig.model_validate(
    {
        "name": "serial",
        "array": {"family": "dense", "dataflow": "os", "rows": 1, "cols": 1},
    }
)


class Array(wiring.Component):
    """``k`` operand pairs to each of ``outputs`` partial sums; one output register."""

    fault = ""

    def __init__(self, arch):
        self.arch = arch
        numbers = arch.numbers
        command = data.StructLayout({"k": 16, "outputs": 16})
        weight = data.StructLayout({"weight": data.ArrayLayout(signed(numbers.weight_width), 1)})
        act = data.StructLayout({"act": data.ArrayLayout(signed(numbers.act_width), 1)})
        psum = data.StructLayout({"psum": data.ArrayLayout(signed(numbers.psum_width), 1)})
        super().__init__(
            {
                "command": In(stream.Signature(command)),
                "weight": In(stream.Signature(weight)),
                "act": In(stream.Signature(act)),
                "ofmap": Out(stream.Signature(psum)),
                "status": Out(data.StructLayout({"array": data.ArrayLayout(3, 1)})),
            }
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
            m.d.comb += cause.eq(CAUSES["array"].index("idle"))
        with m.Elif(~running):
            m.d.comb += cause.eq(CAUSES["array"].index("drain"))
        with m.Elif(~self.weight.valid):
            m.d.comb += cause.eq(CAUSES["array"].index("weight"))
        with m.Elif(~self.act.valid):
            m.d.comb += cause.eq(CAUSES["array"].index("act"))
        with m.Elif(blocked):
            m.d.comb += cause.eq(CAUSES["array"].index("ofmap"))
        with m.Else():
            m.d.comb += cause.eq(CAUSES["array"].index("compute"))
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
            m.d.comb += cause.eq(CAUSES["array"].index("idle"))
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
    """What the contract's Time rules say of one source."""

    def __init__(self, words, pauses, stream):
        self.words, self.pauses, self.stream = words, pauses, stream
        self.taken, self.held = 0, False

    def valid(self, t):
        return self.taken < self.words and (self.held or not is_paused(self.pauses, self.stream, t))

    def step(self, valid, ready):
        self.held = valid and not ready
        self.taken += valid and ready


def simulate(arch, job, pauses):
    """Clock-by-clock model of :class:`Array`."""
    counts = dict.fromkeys(CAUSES["array"], 0)
    if not job.transfers:
        return Run(np.zeros(job.shape, np.int64), Counts(0, {"array": counts}))
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
    return Run(job.gather(np.array(seen)), Counts(t, {"array": counts}))


def count(arch, gemm):
    """One clock for the command, one an operand pair, one for the last transfer."""
    names = dict.fromkeys(CAUSES["array"], 0)
    pairs = gemm.macs if np.any(gemm.weight) else 0
    counts = names | {"idle": 1, "compute": pairs, "drain": 1} if pairs else names
    return Counts(sum(counts.values()), {"array": counts})


def install(monkeypatch, fault=""):
    """Put the family in the place of ``dense``; return a design of it."""
    rtl = ModuleType("hwsim.rtl.arrays.dense.array")
    rtl.Array = type("Array", (Array,), {"fault": fault})
    monkeypatch.setitem(sys.modules, "hwsim.rtl.arrays.dense.array", rtl)
    monkeypatch.setitem(sys.modules, "hwsim.arrays.dense.array", sys.modules[__name__])
    return ARCH
