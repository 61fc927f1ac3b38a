"""From partial sums to activations: bias, scale, saturation, ReLU, and where they are written."""

from collections.abc import Sequence
from typing import Any

from amaranth import Cat, Const, Module, Mux, Signal, Value, signed, unsigned
from amaranth.lib import data, stream, wiring
from amaranth.lib.wiring import In, Out

from hwsim.config.shape import MULTIPLIER_BITS, SHIFT_BITS
from hwsim.contract.descriptors import POST_LEVELS, places
from hwsim.contract.machine import POST_LATENCY, POST_STAGES, RAW_LATENCY, RAW_STAGES
from hwsim.rtl.blocks.nest import Nest

__all__ = ["Postprocess", "post_job_layout", "scale_layout"]

#: Bits of the shift that the stage ``fine`` does.
_FINE_WIDTH = 3
#: Bits of a part of a total: with a sign it fits a multiplier block of an FPGA (18 x 18, signed).
_PART_WIDTH = 17
_ADDRESS_WIDTH, _BOUND_WIDTH = places()["post_to"][1], places()["post0_bound"][1]


def post_job_layout() -> data.StructLayout:
    """What a job of the postprocess is told: fields of a descriptor."""
    return data.StructLayout(
        {
            "to": _ADDRESS_WIDTH,
            "bounds": data.ArrayLayout(_BOUND_WIDTH, POST_LEVELS),
            "steps": data.ArrayLayout(_ADDRESS_WIDTH, POST_LEVELS),
            "relu": 1,
            "raw": 1,
            "one_scale": 1,
        }
    )


def scale_layout(
    lanes: int, psum_width: int, multiplier_width: int = MULTIPLIER_BITS
) -> data.ArrayLayout:
    """Word of the scale memory: bias, multiplier and shift of each lane."""
    scale = {
        "bias": signed(psum_width),
        "multiplier": unsigned(multiplier_width),
        "shift": unsigned(SHIFT_BITS),
    }
    return data.ArrayLayout(data.StructLayout(scale), lanes)


class Postprocess(wiring.Component):
    """Turn each beat of partial sums into a beat of activations, and write it where its nest says.

    Per lane: ``requantize(wrap(psum + bias), multiplier, shift, relu)`` of
    :mod:`hwsim.fixedpoint`. A word of the scale memory serves one iteration of one of the loops: it
    is read when that loop begins or steps, and stays in a register. Where the loop begins again,
    so do the words. One word may serve all beats of a job.

    In raw mode the sums with their bias are written whole: a beat of partial sums becomes
    ``raw_beats`` beats of the memory, one after the other from the address of the nest, with the
    bits of lane 0 first, the lowest first. Where they do not fill the last beat, 0 follows.

    * Throughput: one beat per cycle; raw, one beat of partial sums per ``raw_beats`` cycles.
    * Latency: ``LATENCY`` cycles from a transfer to its write, ``RAW_LATENCY`` to its first raw
      one; one cycle from ``start`` to ``psum.ready``.
    * Stalls: ``psum`` is always ready from ``start`` to the last beat of the job, but for
      ``raw_beats - 1`` cycles after each transfer in raw mode.

    Parameters
    ----------
    lanes : int
        Partial sums of a beat.
    psum_width, act_width, multiplier_width : int
        Bits of a partial sum, an activation, a multiplier.
    scale_depth : int
        Words of the scale memory.
    scale_level : int
        Loop that walks them.

    Members
    -------
    job : ``In(post_job_layout())``
        First address, nest, ReLU, raw mode, one word of scales for all; taken with ``start``.
    start : ``In(1)``
        Begin a job, while ``busy`` is 0 or in the cycle of ``done``.
    psum : ``In(stream.Signature(ArrayLayout(signed(psum_width), lanes)))``
    scale : ``en``, ``addr`` out; ``data`` in, ``scale_layout(...)``
        Read port of a synchronous memory; the data are taken in the cycle after ``en`` only.
    write : ``valid``, ``addr``, ``data`` out
        Write port of a memory that never stalls; addresses count beats of ``lanes`` activations.
    done : ``Out(1)``
        The last write of the job happens in this cycle.
    takes : ``Out(1)``
        More beats of the job are to come.
    busy : ``Out(1)``
        From the cycle after ``start`` up to and including that of ``done``.

    Raises
    ------
    ValueError
        A size is less than 1.
    """

    LATENCY = POST_LATENCY
    RAW_LATENCY = RAW_LATENCY

    job: data.View
    start: Signal
    psum: stream.Interface
    scale: Any
    write: Any
    done: Signal
    takes: Signal
    busy: Signal

    def __init__(
        self,
        *,
        lanes: int,
        psum_width: int,
        act_width: int,
        multiplier_width: int = MULTIPLIER_BITS,
        scale_depth: int,
        scale_level: int = POST_LEVELS - 1,
    ) -> None:
        sizes = {
            "lanes": lanes,
            "psum_width": psum_width,
            "act_width": act_width,
            "multiplier_width": multiplier_width,
            "scale_depth": scale_depth,
        }
        for name, size in sizes.items():
            if size < 1:
                raise ValueError(f"{name} must be at least 1, not {size}")
        self.lanes, self.psum_width, self.act_width = lanes, psum_width, act_width
        self.multiplier_width, self.scale_level = multiplier_width, scale_level
        self.raw_beats = -(-psum_width // act_width)
        super().__init__(
            {
                "job": In(post_job_layout()),
                "start": In(1),
                "psum": In(stream.Signature(data.ArrayLayout(signed(psum_width), lanes))),
                "scale": Out(
                    wiring.Signature(
                        {
                            "en": Out(1),
                            "addr": Out(range(scale_depth)),
                            "data": In(scale_layout(lanes, psum_width, multiplier_width)),
                        }
                    )
                ),
                "write": Out(
                    wiring.Signature(
                        {
                            "valid": Out(1),
                            "addr": Out(_ADDRESS_WIDTH),
                            "data": Out(data.ArrayLayout(signed(act_width), lanes)),
                        }
                    )
                ),
                "done": Out(1),
                "takes": Out(1),
                "busy": Out(1),
            }
        )

    def elaborate(self, platform):
        m = Module()

        relu, raw = (Signal(name=name, reset_less=True) for name in ("relu", "raw"))
        one_scale = Signal(reset_less=True)
        running, busy = Signal(), Signal()
        transfer = Signal()
        # raw beats that are still to be written of the last transfer.
        left = Signal(range(max(2, self.raw_beats)))
        m.d.comb += self.psum.ready.eq(running & (left == 0))
        m.d.comb += transfer.eq(self.psum.valid & self.psum.ready)

        m.submodules.nest = nest = Nest(POST_LEVELS, _BOUND_WIDTH, _ADDRESS_WIDTH)
        m.d.comb += [nest.base.eq(self.job.to), nest.bounds.eq(self.job.bounds)]
        m.d.comb += [nest.steps.eq(self.job.steps), nest.start.eq(self.start)]
        m.d.comb += nest.step.eq(transfer)

        with m.If(transfer & raw):
            m.d.sync += left.eq(self.raw_beats - 1)
        with m.Elif(left != 0):
            m.d.sync += left.eq(left - 1)
        with m.If(transfer & nest.done):
            m.d.sync += running.eq(0)
        with m.If(self.start):
            m.d.sync += [running.eq(1), relu.eq(self.job.relu), raw.eq(self.job.raw)]
            m.d.sync += one_scale.eq(self.job.one_scale)
        m.d.comb += [self.busy.eq(busy), self.takes.eq(running)]
        with m.If(self.start | self.done):
            m.d.sync += busy.eq(self.start)

        scales = self._scales(m, transfer & ~one_scale, nest)

        # what goes with a beat; `begins` marks its first raw write
        valid, last = Signal(), Signal()
        m.d.comb += valid.eq(transfer | (left != 0))
        m.d.comb += last.eq(transfer & nest.done)
        if self.raw_beats > 1:
            with m.If(raw):
                m.d.comb += last.eq((left == 1) & ~running)
        common, scaled = RAW_STAGES[:-1], POST_STAGES[len(RAW_STAGES) - 1 : -1]
        before_raw, before = common[-1], scaled[-1]
        begins = _along(m, transfer, "begins", common)
        valids, lasts = _along(m, valid, "valid", common), _along(m, last, "last", common)
        # a raw beat goes no further: the next job may begin in the cycle of its last write
        valids |= _along(m, valids[before_raw] & ~raw, "valid", scaled)
        lasts |= _along(m, lasts[before_raw] & ~raw, "last", scaled)
        addresses = _along(m, nest.address, "address", POST_STAGES[:-1], reset_less=True)

        total = self._totals(m, transfer, scales, keeps=raw & ~begins["psum"])
        lanes = [
            self._activation(m, lane, total[lane], scale, relu) for lane, scale in enumerate(scales)
        ]

        address = Signal.like(self.write.addr, name="address_write", reset_less=True)
        written = Signal.like(Value.cast(self.write.data), name="data_write", reset_less=True)
        valid_write, last_write = Signal(), Signal()
        m.d.comb += [self.write.valid.eq(valid_write), self.write.addr.eq(address)]
        m.d.comb += [self.write.data.eq(written), self.done.eq(last_write)]
        with m.If(raw):
            m.d.sync += [valid_write.eq(valids[before_raw]), last_write.eq(lasts[before_raw])]
            m.d.sync += address.eq(Mux(begins[before_raw], addresses[before_raw], address + 1))
            m.d.sync += written.eq(Value.cast(total)[: len(written)])
        with m.Else():
            m.d.sync += [valid_write.eq(valids[before]), last_write.eq(lasts[before])]
            m.d.sync += [address.eq(addresses[before]), written.eq(Cat(lanes))]

        return m

    def _scales(self, m: Module, steps: Value, nest: Nest):
        """Word of scales for the beat in the stage ``psum``; the next one is read ahead."""
        index = Signal.like(self.scale.addr, name="scale_index")
        fetched, level = Signal(), self.scale_level
        ends = steps & ~nest.done
        if level:
            ends &= nest.last[:level].all()
        m.d.comb += self.scale.addr.eq(Mux(self.start | nest.last[level], 0, index))
        m.d.comb += self.scale.en.eq(self.start | ends)
        with m.If(self.scale.en):
            m.d.sync += index.eq(self.scale.addr + 1)
        m.d.sync += fetched.eq(self.scale.en)
        scales = Signal.like(self.scale.data, name="scales", reset_less=True)
        with m.If(fetched):
            m.d.sync += scales.eq(self.scale.data)
        return scales

    def _totals(self, m: Module, transfer: Value, scales: data.View, *, keeps: Value):
        """Partial sums with their biases; where they are kept, the next raw beat moves down."""
        psum = Signal.like(self.psum.payload, name="psum_q", reset_less=True)
        total = Signal.like(psum, name="total", reset_less=True)
        # what follows switches only where something has come
        with m.If(transfer):
            m.d.sync += psum.eq(self.psum.payload)
        with m.If(keeps):
            m.d.sync += Value.cast(total).eq(Value.cast(total)[self.lanes * self.act_width :])
        with m.Else():
            for lane in range(self.lanes):
                m.d.sync += total[lane].eq(psum[lane] + scales[lane].bias)
        return total

    def _activation(self, m: Module, lane: int, total: Value, scale, relu: Value) -> Value:
        """Activation of a total, for the register of the stage ``write``."""
        multiplier = Signal.like(scale.multiplier, name=f"multiplier_{lane}", reset_less=True)
        m.d.sync += multiplier.eq(scale.multiplier)
        shifts = _along(m, scale.shift, f"shift_{lane}", POST_STAGES[1:5], reset_less=True)

        starts = range(0, max(1, self.psum_width - 1), _PART_WIDTH)
        products = []
        for number, start in enumerate(starts):
            is_top = number == len(starts) - 1
            part = total[start:].as_signed() if is_top else total[start : start + _PART_WIDTH]
            shape = signed if is_top else unsigned
            product = Signal(
                shape(len(part) + self.multiplier_width),
                name=f"product_{lane}_{number}",
                reset_less=True,
            )
            m.d.sync += product.eq(part * multiplier)
            products.append(product)
        added: Value = products[0]
        for start, product in zip(starts[1:], products[1:], strict=True):
            added = Cat(added[:start], product + added[start:])
        full = Signal(
            signed(self.psum_width + self.multiplier_width),
            name=f"product_{lane}",
            reset_less=True,
        )
        m.d.sync += full.eq(added)

        # one bit below the point stays, which rounds: (x + 2**(s - 1)) >> s is (x >> s) + that bit
        coarse = Signal(signed(len(full) + 1), name=f"coarse_{lane}", reset_less=True)
        fine = Signal.like(coarse, name=f"fine_{lane}", reset_less=True)
        eights = Cat(Const(0, _FINE_WIDTH), shifts["product"][_FINE_WIDTH:])
        m.d.sync += coarse.eq(Cat(Const(0, 1), full).as_signed() >> eights)
        m.d.sync += fine.eq(coarse >> shifts["coarse"][:_FINE_WIDTH])

        width, half = self.act_width, 1 << (self.act_width - 1)
        floor, rounds = fine[1:], fine[0]
        low, is_negative = floor[:width].as_signed(), fine[-1]
        fits = floor[width - 1 :].all() | ~floor[width - 1 :].any()
        rounded = (low + (rounds & (low != half - 1)))[:width]
        limit = Mux(is_negative, Const(-half, width), Const(half - 1, width))
        act = Signal(width, name=f"act_{lane}")
        m.d.comb += act.eq(Mux(fits, rounded, limit))
        with m.If(relu & is_negative):
            m.d.comb += act.eq(0)
        return act


def _along(
    m: Module, value: Value, name: str, stages: Sequence[str], *, reset_less: bool = False
) -> dict[str, Signal]:
    """Registers that take a value along the stages, by stage."""
    registers = {}
    for stage in stages:
        register = Signal.like(value, name=f"{name}_{stage}", reset_less=reset_less)
        m.d.sync += register.eq(value)
        value = registers[stage] = register
    return registers
