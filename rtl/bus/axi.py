"""AXI4 and AXI4-Lite as signatures, from the master's side.

One identifier, incrementing bursts, every beat as wide as the bus: what is always the same is a
constant of the signature, and its signals keep it undriven.
"""

from amaranth.lib.wiring import In, Member, Out, Signature
from amaranth.utils import exact_log2

__all__ = ["LEN_BITS", "OKAY", "RESP_BITS", "SLVERR", "lite_port", "read_port", "write_port"]

#: Bits of a burst's length, which is one less than its beats.
LEN_BITS = 8
#: Bits of a response, and its codes.
RESP_BITS = 2
OKAY, SLVERR = 0b00, 0b10

#: Code of an incrementing burst; of normal memory that is not cached, but may be buffered.
_INCR, _NORMAL = 0b01, 0b0011


def _constant(bits: int, value: int) -> Member:
    return Out(bits, init=value)  # type: ignore[call-arg]


#: Unprivileged, secure, data.
_PROT = _constant(3, 0b000)


def _channel(members: dict) -> Signature:
    """Members of a channel, with a valid from and a ready to who sends."""
    return Signature({"valid": Out(1), "ready": In(1)} | members)


def _burst(addr_width: int, data_width: int) -> Signature:
    return _channel(
        {
            "addr": Out(addr_width),
            "len": Out(LEN_BITS),
            "size": _constant(3, exact_log2(data_width // 8)),
            "burst": _constant(2, _INCR),
            "cache": _constant(4, _NORMAL),
            "prot": _PROT,
        }
    )


def read_port(addr_width: int, data_width: int) -> Signature:
    """Channels ``ar`` and ``r`` of AXI4."""
    r = _channel({"data": Out(data_width), "resp": Out(RESP_BITS), "last": Out(1)})
    return Signature({"ar": Out(_burst(addr_width, data_width)), "r": In(r)})


def write_port(addr_width: int, data_width: int) -> Signature:
    """Channels ``aw``, ``w`` and ``b`` of AXI4."""
    w = _channel({"data": Out(data_width), "strb": Out(data_width // 8), "last": Out(1)})
    return Signature(
        {
            "aw": Out(_burst(addr_width, data_width)),
            "w": Out(w),
            "b": In(_channel({"resp": Out(RESP_BITS)})),
        }
    )


def lite_port(addr_width: int) -> Signature:
    """All five channels of AXI4-Lite, 32 bits of data."""
    address = _channel({"addr": Out(addr_width), "prot": _PROT})
    return Signature(
        {
            "aw": Out(address),
            "w": Out(_channel({"data": Out(32), "strb": Out(4)})),
            "b": In(_channel({"resp": Out(RESP_BITS)})),
            "ar": Out(address),
            "r": In(_channel({"data": Out(32), "resp": Out(RESP_BITS)})),
        }
    )
