"""Sum of which one term may be left out: an adder, or the carry chain of an ECP5."""

from amaranth import Cat, Const, Instance, Module, Mux, Signal, Value

__all__ = ["cleared_sum"]

#: Bits of a CCU2C, and the table of each: with D = 1 the sum without its carry, B ^ (A & ~C), with
#: D = C = 0 the carry where that is 0, B.
_BITS, _TABLE = 2, 0xC60C


def cleared_sum(
    m: Module, word: Value, term: Value, clear: Value, *, name: str, platform: object
) -> Value:
    """``term`` plus ``word``, or ``term`` alone where ``clear`` is 1; wraps.

    Synthesis for an ECP5 puts the clearing before its carry chain, a LUT and a wire on the way; the
    tables of the chain have room for it, so for the platform ``"ecp5"`` the chain is instantiated.

    Parameters
    ----------
    word, term
        Of one width, which is that of the sum.
    name
        Prefix of the names.
    platform
        As ``elaborate`` has it.
    """
    word, term = Value.cast(word), Value.cast(term)
    if len(word) != len(term):
        raise ValueError(f"word and term must have one width, not {len(word)} and {len(term)}")
    width = len(term)
    if platform != "ecp5":
        return (Mux(clear, 0, word) + term)[:width]
    pairs = -(-width // _BITS)
    left, right = (Cat(each, Const(0, pairs * _BITS - width)) for each in (word, term))
    total = Signal(pairs * _BITS, name=f"{name}_sum")
    carry: Value = Const(0, 1)
    for pair in range(pairs):
        low, high = pair * _BITS, pair * _BITS + 1
        above = Signal(name=f"{name}_carry_{pair}")
        m.submodules[f"{name}_{pair}"] = Instance(
            "CCU2C",
            p_INIT0=Const(_TABLE, 16),
            p_INIT1=Const(_TABLE, 16),
            p_INJECT1_0="NO",
            p_INJECT1_1="NO",
            i_CIN=carry,
            i_A0=left[low], i_B0=right[low], i_C0=clear, i_D0=Const(1, 1),
            i_A1=left[high], i_B1=right[high], i_C1=clear, i_D1=Const(1, 1),
            o_S0=total[low], o_S1=total[high], o_COUT=above,
        )  # fmt: skip
        carry = above
    return total[:width]
