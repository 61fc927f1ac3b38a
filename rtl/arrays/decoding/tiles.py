"""Connections that the index-decoding arrays share: from streams to PEs, and back."""

from collections.abc import Sequence
from functools import reduce
from operator import or_
from typing import Any

from amaranth import Cat, Module, Mux, Value, unsigned
from amaranth.hdl import ShapeLike
from amaranth.lib import data, wiring

from hwsim.config import DecodingConfig
from hwsim.rtl.arrays.decoding.drain import Drain
from hwsim.rtl.arrays.decoding.tile_control import TileControl
from hwsim.rtl.arrays.interface import ArrayComponent

__all__ = [
    "begin_fields",
    "carry_fields",
    "connect_load",
    "connect_tiles",
    "half_field",
    "load_layout",
    "pe_events",
]


def carry_fields(array: DecodingConfig) -> dict[str, ShapeLike]:
    """Flags of a command where K is cut over commands.

    ``carry`` begins with the sums that the command before has kept, ``keep`` leaves its own in the
    accumulators and sends none: both of no more groups than these hold
    (:meth:`~hwsim.config.DecodingConfig.kept_groups`).
    """
    return {"carry": unsigned(1), "keep": unsigned(1)} if array.carries else {}


def begin_fields(array: DecodingConfig, most_beats: int) -> dict[str, ShapeLike]:
    """First fields of a command: how many beats of weights it lets in, or in which half they lie.

    Where memories are double-buffered, beats of weights are taken at any time; none may come for
    the half of the command that runs.
    """
    if array.double_buffered:
        return half_field(array)
    return {"weight_beats": range(most_beats + 1)}


def half_field(array: DecodingConfig) -> dict[str, ShapeLike]:
    """``half`` of the weight memories, where there are two."""
    return {"half": unsigned(1)} if array.double_buffered else {}


def load_layout(weight: data.StructLayout) -> data.StructLayout:
    """What one PE sees of a beat of the weight stream: its kind, its address, the PE's word."""
    fields = {name: shape for name, shape in weight.members.items() if name != "bank"}
    return data.StructLayout(fields | {"data": fields["data"].elem_shape})


def pe_events(array: DecodingConfig) -> data.StructLayout:
    """Strobes of the events of one PE."""
    return data.StructLayout(
        {event: unsigned(strobe.bits) for event, strobe in array.pe_strobes.items()}
    )


def connect_load(
    m: Module, weight: Any, pe: Any, *, bank: int, lane: int, to_all: Value | None = None
) -> None:
    """Bring the beats of the weight stream to the PE on word ``lane`` of those for ``bank``.

    A beat for which ``to_all`` is high goes to every PE; without, there is no such beat.
    """
    is_its_bank = weight.p.bank == bank
    is_for_pe = is_its_bank if to_all is None else is_its_bank | to_all
    m.d.comb += [
        pe.load_en.eq(weight.valid & weight.ready & is_for_pe),
        pe.load.kind.eq(weight.p.kind),
        pe.load.addr.eq(weight.p.addr),
        pe.load.data.eq(weight.p.data[lane]),
    ]
    if "half" in pe.load.shape().members:
        m.d.comb += pe.load.half.eq(weight.p.half)


def _slice(pes: Sequence[Any], drain: Drain) -> Value:
    """Partial sums of the slice of the PEs whose turn it is."""
    psums, size = [pe.psum for pe in pes], len(pes) // drain.slices
    slices = [Cat(psums[first : first + size]) for first in range(0, len(pes), size)]
    line = [drain.slice == index for index in range(len(slices))]
    return reduce(or_, (Mux(on, psum, 0) for on, psum in zip(line, slices, strict=True)))


def connect_tiles(
    m: Module, array: ArrayComponent, control: TileControl, drain: Drain, pes: Sequence[Any]
) -> None:
    """Connect control and drain of a tile to the streams and to all PEs, added as ``pe_<p>``.

    A PE has the members ``drain``, ``drained``, ``finished``, ``finished_two``, ``psum``,
    ``cause`` and, where the family has events, ``events``; where sums may stay also ``stays`` and
    ``rows``, where its memories have halves ``half``.
    """
    wiring.connect(m, wiring.flipped(array.command), control.command)
    has_halves = "half" in control.layout.members
    m.d.comb += [
        control.weight_valid.eq(array.weight.valid),
        array.weight.ready.eq(1 if has_halves else control.weight_ready),
        control.done.eq(drain.done),
        drain.start.eq(control.start),
        drain.groups.eq(control.current.groups),
        drain.rows.eq(control.current.rows),
        drain.clear.eq(control.clear),
        drain.clear_row.eq(control.clear_row),
        drain.finished.eq(Cat(pe.finished for pe in pes).all()),
        drain.finished_two.eq(Cat(pe.finished_two for pe in pes).all()),
        drain.ready.eq(array.ofmap.ready),
        array.ofmap.valid.eq(drain.valid),
        array.ofmap.p.psum.as_value().eq(_slice(pes, drain)),
    ]
    current = control.current
    stays = current.carry | current.keep if drain.carries else None
    if drain.carries:
        m.d.comb += [drain.keep.eq(current.keep), drain.stays.eq(stays)]
    for p, pe in enumerate(pes):
        m.submodules[f"pe_{p}"] = pe
        if drain.carries:
            m.d.comb += [pe.stays.eq(stays), pe.rows.eq(current.rows)]
        if has_halves:
            m.d.comb += pe.half.eq(current.half)
        m.d.comb += [
            pe.drain.eq(drain.drain),
            pe.drained.eq(drain.drained),
            array.status.pe[p].eq(pe.cause),
        ]
    if "events" in array.signature.members:
        for event, _ in array.events.shape():
            m.d.comb += array.events[event].eq(Cat(pe.events[event] for pe in pes))
