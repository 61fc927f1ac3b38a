"""Layouts of a descriptor and of what travels between the stages of the machine."""

from amaranth import Module, Shape, unsigned
from amaranth.lib import data

from hwsim.contract.descriptors import FIELDS, LOADS, WORD_BITS

__all__ = [
    "copy",
    "descriptor_layout",
    "execute_layout",
    "load_fields",
    "store_layout",
]

_STORE = ("stores", "store_bank", "store_region", "interrupt", "stop")


def descriptor_layout() -> data.StructLayout:
    """All fields, each at its place; bits between them are ``unused``."""
    fields: dict[str, Shape] = {}
    for word, entries in enumerate(FIELDS):
        fields |= {field.name: unsigned(field.bits) for field in entries}
        rest = WORD_BITS - sum(field.bits for field in entries)
        if rest:
            fields[f"unused_{word}"] = unsigned(rest)
    return data.StructLayout(fields)


def store_layout() -> data.StructLayout:
    """Fields that the last stage needs."""
    return _part(lambda name: name.startswith("store_") or name in _STORE)


def execute_layout() -> data.StructLayout:
    """Fields that the stages after loading need."""
    return _part(lambda name: not name.startswith(("load", "unused")) and name != "barrier")


def load_fields(index: int) -> tuple[str, ...]:
    """Names of the fields of one block to be loaded, without its prefix."""
    if not 0 <= index < LOADS:
        raise ValueError(f"index must be within 0..{LOADS - 1}, not {index}")
    prefix = f"load{index}_"
    names = (field.name for entries in FIELDS for field in entries)
    return tuple(name.removeprefix(prefix) for name in names if name.startswith(prefix))


def copy(m: Module, domain: str, to: data.View, of: data.View) -> None:
    """Assign the fields of ``to`` from those of the same name."""
    for name, _ in to.shape():
        m.d[domain] += to[name].eq(of[name])


def _part(wanted) -> data.StructLayout:
    return data.StructLayout(
        {name: field.shape for name, field in descriptor_layout() if wanted(name)}
    )
