"""Products of activations and coded weights: a multiplier no wider than its code needs."""

from amaranth import Const, Mux, Value, signed, unsigned

from hwsim.config import NumberConfig

__all__ = ["act_shape", "code_shape", "product", "product_shape"]


def act_shape(numbers: NumberConfig):
    """Shape of an activation inside an array; a binary one is +1 or -1, and 0 where gated."""
    return signed(max(numbers.act_width, 2))


def code_shape(numbers: NumberConfig):
    """Shape of a stored weight code."""
    return unsigned(numbers.weight_width)


def product_shape(numbers: NumberConfig):
    """Shape of a product."""
    return signed(numbers.product_width)


def product(act: Value, code: Value, numbers: NumberConfig) -> Value:
    """Product of an activation and the weight that a code stands for, combinational.

    ``int`` is one signed multiplier of ``act_width x weight_width``; ``levels`` multiplies by the
    magnitude and negates (of one bit: only negates); ``ternary`` and ``pow2`` have no multiplier.
    """
    n = numbers.weight_width
    if numbers.weight_code == "int":
        return act * code.as_signed()
    if numbers.weight_code == "ternary":
        return Mux(code[0], _negated(act, code[1]), Const(0, act.shape()))
    sign, rest = code[n - 1], code[: n - 1]
    if numbers.weight_code == "levels":
        magnitude = act if n == 1 else act * (rest + 1)
        return _negated(magnitude, sign)
    shifted = _negated(act, sign) << (rest - 1)[: n - 1]
    return Mux(rest.any(), shifted, Const(0, act.shape()))


def _negated(value: Value, sign: Value) -> Value:
    return Mux(sign, -value, value)
