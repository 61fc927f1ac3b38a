"""RTLIL of a design: the source of its Verilog, of synthesis, and of the digest of its RTL."""

import gc
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from amaranth.back import rtlil  # type: ignore[attr-defined]  # the stubs lack it
from amaranth.lib import wiring

from hwsim.config import ArchConfig
from hwsim.errors import InputError
from hwsim.rtl.arrays import build
from hwsim.rtl.emit.share_modules import share_modules
from hwsim.system.recursion import deep

__all__ = [
    "MOST_MULTIPLIERS",
    "TOPS",
    "check_size",
    "design_rtlil",
    "elaborated",
    "rtl_digest",
]

#: Most that RTL is made with: Amaranth takes 0.45 MB and 7 ms for each.
MOST_MULTIPLIERS = 1 << 14


#: What may be generated of a design, by name.
TOPS: Mapping[str, Callable[[ArchConfig], wiring.Component]] = {"array": build}


def design_rtlil(
    arch: ArchConfig, top: str = "array", platform: str | None = None
) -> tuple[wiring.Component, str]:
    """Component of a design, and its RTLIL: each kind of module once.

    Parameters
    ----------
    top
        One of :data:`TOPS`. The top module is called as the design.
    platform
        What it is elaborated for: a target of synthesis whose blocks it may instantiate.

    Raises
    ------
    InputError
        There is no such top, or the design is too large.
    """
    check_size(arch)
    if top not in TOPS:
        raise InputError(arch.name, "top", top, f"must be one of: {', '.join(TOPS)}")
    component = TOPS[top](arch)
    return component, elaborated(component, arch.name, platform)


def check_size(arch: ArchConfig) -> None:
    """Refuse RTL of a design before it takes minutes and gigabytes and fails.

    Raises
    ------
    InputError
        The array has more than :data:`MOST_MULTIPLIERS`.
    """
    multipliers = arch.array.multipliers
    if multipliers > MOST_MULTIPLIERS:
        rule = f"RTL is made of at most {MOST_MULTIPLIERS:,}"
        raise InputError(arch.name, "array", f"{multipliers:,} multipliers", rule)


def elaborated(component: wiring.Component, name: str, platform: str | None = None) -> str:
    """RTLIL of a component, each kind of module once; the top module is called ``name``.

    Raises
    ------
    InputError
        The design is too large for Amaranth, which follows expressions by recursion, or for memory.
    """

    def convert() -> str:
        text = rtlil.convert(component, name=name, platform=platform, emit_src=False)
        return share_modules(text)

    try:
        with _uncollected():
            return deep(convert)
    except (RecursionError, MemoryError) as error:
        rule = "is too large to be generated: Amaranth does not get through its expressions"
        raise InputError(name, "array", None, rule) from error


def rtl_digest(text: str, name: str) -> str:
    """Digest of a design's RTL: the same for designs that differ in nothing but their name.

    Parameters
    ----------
    text
        RTLIL of :func:`design_rtlil`.
    name
        Of its top module.
    """
    anonymous = re.sub(rf"\\{re.escape(name)}(?=[.\s])", r"\\top", text)
    return hashlib.sha256(anonymous.encode()).hexdigest()[:16]


@contextmanager
def _uncollected() -> Iterator[None]:
    """Suspend the garbage collector: Amaranth makes millions of objects and drops them at once.

    A large design takes a third of the time.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
