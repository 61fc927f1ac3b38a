"""Output-stationary PE."""

from amaranth import Module, Mux, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.arrays.systolic.cell import Cell
from hwsim.rtl.blocks.delay import delayed

__all__ = ["OSPE"]


class OSPE(wiring.Component):
    """Accumulate the products of weights that pass to the right and activations that pass down.

    The ``last`` product's sum goes to ``drain``, where it waits for its turn to shift down the
    column while ``acc`` already takes the next fold, whose ``first`` product replaces what it held.

    * Throughput: one ``cell.dot`` per cycle.
    * Latency: one cycle from the inputs to ``act`` and ``weight``; from there, with ``last``,
      ``mac_latency`` to ``drain``.
    * Stalls while ``enable`` is 0: every register holds.

    Parameters
    ----------
    cell : :class:`~hwsim.rtl.arrays.systolic.cell.Cell`
        What the PE sees, and the products of it.
    psum_width : int
        The sum wraps modulo ``2**psum_width``.
    mac_latency : int
        1; 2 with products in registers; 3 with what the multipliers take in registers, too; 4 also
        with the sum of the products.

    Members
    -------
    weight_in, mac_in, first_in, last_in, shift_in : ``In``
        From the PE to the left; the registers behind them are taken by the PE to the right. ``mac``
        says that ``weight`` and ``act`` are a pair to multiply; ``last`` comes only with ``mac``.
    act_in : ``In(cell.act)``
        From the PE above; ``act`` is the register behind it.
    drain_in : ``In(signed(psum_width))``
        ``drain`` of the PE above: taken while ``shift`` is 1.

    Raises
    ------
    ValueError
        The sum cannot hold one product.
    """

    enable: Signal
    act_in: Signal
    weight_in: Signal
    mac_in: Signal
    first_in: Signal
    last_in: Signal
    shift_in: Signal
    drain_in: Signal
    act: Signal
    weight: Signal
    mac: Signal
    first: Signal
    last: Signal
    shift: Signal
    drain: Signal

    def __init__(self, cell: Cell, psum_width: int, mac_latency: int = 1) -> None:
        if psum_width < cell.numbers.product_width:
            raise ValueError(
                f"psum_width must hold one product ({cell.numbers.product_width} bits), "
                f"not {psum_width}"
            )
        self.cell, self.mac_latency = cell, mac_latency
        act, weight, psum = cell.act, cell.weight, signed(psum_width)
        super().__init__(
            {
                "enable": In(1),
                "act_in": In(act),
                "weight_in": In(weight),
                "mac_in": In(1),
                "first_in": In(1),
                "last_in": In(1),
                "shift_in": In(1),
                "drain_in": In(psum),
                "act": Out(act),
                "weight": Out(weight),
                "mac": Out(1),
                "first": Out(1),
                "last": Out(1),
                "shift": Out(1),
                "drain": Out(psum),
            }
        )

    def elaborate(self, platform):
        m = Module()

        # nothing needs a reset: a fold's first product replaces what is there
        act = Signal.like(self.act, name="act_q", reset_less=True)
        weight = Signal.like(self.weight, name="weight_q", reset_less=True)
        acc = Signal.like(self.drain, name="acc_q", reset_less=True)
        drain = Signal.like(self.drain, name="drain_q", reset_less=True)
        mac = Signal(name="mac_q", reset_less=True)
        first = Signal(name="first_q", reset_less=True)
        last = Signal(name="last_q", reset_less=True)
        shift = Signal(name="shift_q", reset_less=True)
        m.d.comb += [self.act.eq(act), self.weight.eq(weight), self.drain.eq(drain)]
        m.d.comb += [self.mac.eq(mac), self.first.eq(first), self.last.eq(last)]
        m.d.comb += self.shift.eq(shift)
        total = Signal.like(self.drain)
        dot = self.cell.dot(
            m, act, weight, latency=self.mac_latency, enable=self.enable, platform=platform
        )
        # the flags of what is added
        adds, begins, ends = (
            delayed(m, flag, self.mac_latency - 1, enable=self.enable, name=name)
            for flag, name in ((mac, "adds"), (first, "begins"), (last, "ends"))
        )
        m.d.comb += total.eq(Mux(begins, 0, acc) + dot)
        with m.If(self.enable):
            m.d.sync += act.eq(self.act_in)
            m.d.sync += weight.eq(self.weight_in)
            m.d.sync += [mac.eq(self.mac_in), first.eq(self.first_in), last.eq(self.last_in)]
            m.d.sync += shift.eq(self.shift_in)
            with m.If(adds):
                m.d.sync += acc.eq(total)
            with m.If(ends):
                m.d.sync += drain.eq(total)
            with m.Elif(shift):
                m.d.sync += drain.eq(self.drain_in)

        return m
