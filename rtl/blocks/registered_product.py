"""Products behind registers: gates and flip-flops, or a multiplier block of an ECP5."""

from amaranth import Cat, ClockSignal, Const, Instance, Module, Mux, Signal, Value

from hwsim.config import NumberConfig
from hwsim.rtl.blocks.delay import delayed
from hwsim.rtl.blocks.multiplier import product, product_shape

__all__ = ["registered_product"]

#: Bits of an operand of a MULT18X18D.
_WIDTH = 18


def registered_product(
    m: Module,
    act: Value,
    code: Value,
    numbers: NumberConfig,
    *,
    stages: int,
    enable: Value,
    name: str,
    platform: object,
    gates_zeros: bool = False,
) -> Value:
    """Product of an activation and a coded weight, ``stages`` enabled cycles later.

    One stage registers the product, a second one the operands, too. An ECP5 has both registers in
    its multiplier blocks, where synthesis does not put them by itself: for the platform ``"ecp5"``
    a block is instantiated wherever the weight is an integer that fits.

    Where zeros are gated, the operands' registers hold still for a pair with a zero, so that
    nothing switches in the multiplier, and the product that they leave there is masked.

    * Throughput: one product per cycle.
    * Latency: ``stages`` enabled cycles; none is :func:`~hwsim.rtl.blocks.multiplier.product`.

    Parameters
    ----------
    stages
        0, 1 or 2.
    enable
        The registers move in the cycles in which this is 1.
    name
        Prefix of the names.
    platform
        As ``elaborate`` has it.
    gates_zeros
        Needs two stages.

    Raises
    ------
    ValueError
        Zeros are to be gated without registers before the multiplier.
    """
    if gates_zeros and stages < 2:
        raise ValueError(f"stages must be 2 to gate zeros, not {stages}")
    act, code = Value.cast(act), Value.cast(code)
    fits = numbers.weight_code == "int" and max(len(act), len(code)) <= _WIDTH
    if platform == "ecp5" and stages and fits and not gates_zeros:
        return _block(m, act, code.as_signed(), stages=stages, enable=enable, name=name)
    counts = Signal(name=f"{name}_counts")
    if gates_zeros:
        m.d.comb += counts.eq(act.any() & (code.any() if numbers.has_zero else 1))
    if stages == 2:
        act = _named(m, act, f"{name}_act")
        code = _named(m, code, f"{name}_code")
        moves = enable & counts if gates_zeros else enable
        act = delayed(m, act, 1, enable=moves, name=f"{name}_act")
        code = delayed(m, code, 1, enable=moves, name=f"{name}_code")
    result = product(act, code, numbers)
    if stages == 0:
        return result
    made = Signal(product_shape(numbers), name=name)
    m.d.comb += made.eq(result)
    late: Value = delayed(m, made, 1, enable=enable, name=name)
    if not gates_zeros:
        return late
    return Mux(delayed(m, counts, 2, enable=enable, name=f"{name}_counts"), late, 0)


def _named(m: Module, value: Value, name: str) -> Signal:
    signal = Signal.like(value, name=name)
    m.d.comb += signal.eq(value)
    return signal


def _block(
    m: Module,
    act: Value,
    weight: Value,
    *,
    stages: int,
    enable: Value,
    name: str,
) -> Value:
    """MULT18X18D of two signed operands, each in the upper bits: no sign is routed to many pins."""
    full = Signal(2 * _WIDTH, name=f"{name}_full")
    clocks = {"OUTPUT": "CLK0"} | ({"INPUTA": "CLK0", "INPUTB": "CLK0"} if stages == 2 else {})
    parameters = {
        f"p_REG_{register}_{part}": value
        for register, clock in clocks.items()
        for part, value in (("CLK", clock), ("CE", "CE0"), ("RST", "RST0"))
    }
    ports: dict[str, Value] = {}
    for letter, operand in (("A", act), ("B", weight)):
        bits = Cat(Const(0, _WIDTH - len(operand)), operand)
        ports |= {f"i_{letter}{bit}": bits[bit] for bit in range(_WIDTH)}
    ports |= {f"o_P{bit}": full[bit] for bit in range(2 * _WIDTH)}
    m.submodules[name] = Instance(
        "MULT18X18D",
        i_CLK0=ClockSignal(),
        i_CE0=enable,
        i_RST0=Const(0, 1),
        i_SIGNEDA=Const(1, 1),
        i_SIGNEDB=Const(1, 1),
        i_SOURCEA=Const(0, 1),
        i_SOURCEB=Const(0, 1),
        **parameters,
        **ports,
    )
    return full[2 * _WIDTH - len(act) - len(weight) :].as_signed()
