"""Weight-stationary PE."""

from amaranth import Module, Signal, signed
from amaranth.lib import wiring
from amaranth.lib.wiring import In, Out

from hwsim.rtl.arrays.systolic.cell import Cell

__all__ = ["WSPE"]


class WSPE(wiring.Component):
    """Multiply stationary weights with the activations that pass; add to the sum from above.

    Two sets of weights: ``active`` multiplies while ``shadow`` takes the next fold's. ``swap``
    copies one into the other, one cycle before the first activation of the fold is in ``act``.

    * Throughput: one ``cell.dot`` per cycle.
    * Latency: one cycle from ``act_in`` to ``act``, ``mac_latency`` from ``act`` and one from
      ``psum_in`` to ``psum``.
    * Stalls while ``enable`` is 0: every register holds.

    Parameters
    ----------
    cell : :class:`~hwsim.rtl.arrays.systolic.cell.Cell`
        What the PE holds and sees, and the products of both.
    psum_width : int
        The sum wraps modulo ``2**psum_width``.
    mac_latency : int
        1; 2 with products in registers; 3 with what the multipliers take in registers, too; 4 also
        with the sum of the products.

    Members
    -------
    act_in, swap_in, load_in : ``In``
        From the PE to the left; ``act``, ``swap`` and ``load`` are the registers behind them, which
        the PE to the right takes.
    shadow_in : ``In(cell.weight)``
        ``shadow`` of the PE above, or the top's weights: taken while ``load`` is 1.
    psum_in : ``In(signed(psum_width))``
        ``psum`` of the PE above, or 0.

    Raises
    ------
    ValueError
        The sum cannot hold one product.
    """

    enable: Signal
    act_in: Signal
    swap_in: Signal
    load_in: Signal
    shadow_in: Signal
    psum_in: Signal
    act: Signal
    swap: Signal
    load: Signal
    shadow: Signal
    psum: Signal

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
                "swap_in": In(1),
                "load_in": In(1),
                "shadow_in": In(weight),
                "psum_in": In(psum),
                "act": Out(act),
                "swap": Out(1),
                "load": Out(1),
                "shadow": Out(weight),
                "psum": Out(psum),
            }
        )

    def elaborate(self, platform):
        m = Module()

        # data needs no reset: the tags of the pixels guard it
        act = Signal.like(self.act, name="act_q", reset_less=True)
        shadow = Signal.like(self.shadow, name="shadow_q", reset_less=True)
        active = Signal.like(self.shadow, name="active_q", reset_less=True)
        psum = Signal.like(self.psum, name="psum_q", reset_less=True)
        # neither do flags: what they do before the first fold's weights come, these undo
        swap = Signal(name="swap_q", reset_less=True)
        load = Signal(name="load_q", reset_less=True)
        m.d.comb += [self.act.eq(act), self.shadow.eq(shadow), self.psum.eq(psum)]
        m.d.comb += [self.swap.eq(swap), self.load.eq(load)]
        dot = self.cell.dot(
            m, act, active, latency=self.mac_latency, enable=self.enable, platform=platform
        )
        with m.If(self.enable):
            m.d.sync += act.eq(self.act_in)
            m.d.sync += swap.eq(self.swap_in)
            m.d.sync += load.eq(self.load_in)
            m.d.sync += psum.eq(self.psum_in + dot)
            with m.If(swap):
                m.d.sync += active.eq(shadow)
            with m.If(load):
                m.d.sync += shadow.eq(self.shadow_in)

        return m
