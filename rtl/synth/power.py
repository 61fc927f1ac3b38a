"""Energy that a mapped netlist switched in a simulation, module by module."""

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hwsim.config.tech import CornerConfig
from hwsim.errors import InputError

__all__ = ["Switched", "pin_energies", "read_saif", "switched"]

#: Instance path below the array, ``""`` for the array itself -> net -> how often it changed.
Toggles = dict[str, dict[str, int]]

_INSTANCE = re.compile(r"^\s*\(INSTANCE (\S+)")
_NET = re.compile(r"^\s*\((\S+) \(T0 .*\(TC (\d+)\)")


@dataclass(frozen=True)
class Switched:
    """One instance of a module, its submodules apart; clock pins apart."""

    #: pJ that its cells and the loads of their pins took.
    energy: float
    #: pJ if the output of every cell changed once.
    once: float
    flip_flops: int


def read_saif(path: Path, instance: str) -> Toggles:
    """Read how often each net of an instance, and of all below it, changed.

    Raises
    ------
    InputError
        The file has no such instance.
    """
    found: Toggles = {}
    stack: list[str] = []
    depth: list[int] = []
    level = 0
    for line in path.read_text().splitlines():
        if match := _INSTANCE.match(line):
            stack.append(match[1].replace("\\", ""))
            depth.append(level)
        elif (match := _NET.match(line)) and instance in stack:
            inside = ".".join(stack[stack.index(instance) + 1 :])
            found.setdefault(inside, {})[match[1].replace("\\", "")] = int(match[2])
        # brackets of names are escaped, parentheses are not part of any
        level += line.count("(") - line.count(")")
        while depth and level <= depth[-1]:
            depth.pop()
            stack.pop()
    if not found:
        raise InputError(path, "instance", instance, "must have nets that were traced")
    return found


def switched(
    modules: dict[str, Any], top: str, toggles: Toggles, corner: CornerConfig, wire_load: float
) -> dict[str, Switched]:
    """Energy of each instance, by its path below the top.

    A pin's load is counted where its cell is, so that modules add up to the whole. The pins of
    memories and of the clock are left out.

    Parameters
    ----------
    modules
        The netlist (:func:`~hwsim.rtl.synth.yosys.map_modules`).
    toggles
        Of its simulation.
    corner, wire_load
        Facts of the cells, and fF of wire per pin.

    Raises
    ------
    InputError
        A net of a gate was not traced.
    """
    found = {}
    for path, name in _instances(modules, top):
        module = modules[name]
        changes = _by_bit(module, toggles.get(path, {}))
        energy = once = 0.0
        count: Counter[str] = Counter()
        for label, cell in module["cells"].items():
            energies = pin_energies(cell["type"], corner, wire_load)
            if energies is None:
                continue
            count[cell["type"]] += 1
            for pin, pj in energies.items():
                (bit,) = cell["connections"][pin]
                once += pj
                if isinstance(bit, str):
                    continue
                if bit not in changes:
                    raise InputError(f"{name}.{label}", "net", bit, "was not traced")
                energy += pj * changes[bit]
        found[path] = Switched(energy, once, count[corner.flip_flop.name])
    return found


def _instances(modules: dict[str, Any], top: str, path: str = "") -> Iterator[tuple[str, str]]:
    yield path, top
    for name, cell in modules[top]["cells"].items():
        if cell["type"] in modules:
            below = f"{path}.{name}" if path else name
            yield from _instances(modules, cell["type"], below)


def _by_bit(module: dict[str, Any], toggles: dict[str, int]) -> dict[int, int]:
    """Changes of each bit of a module's netlist."""
    found: dict[int, int] = {}
    for written, net in module["netnames"].items():
        # a name that begins with a dollar is escaped
        name, bits = written.replace("\\", ""), net["bits"]
        for index, bit in enumerate(bits):
            label = name if len(bits) == 1 else f"{name}[{index}]"
            if label in toggles:
                found[bit] = toggles[label]
    return found


def pin_energies(kind: str, corner: CornerConfig, wire_load: float) -> dict[str, float] | None:
    """Energy in pJ per change at each pin of a cell, clock and clear apart.

    Of an input that of charging or discharging it, of the output that inside of the cell; ``None``
    where the corner has no such cell.
    """
    flip_flop = corner.flip_flop
    if kind == flip_flop.name:
        inputs = {flip_flop.data: flip_flop.pins[flip_flop.data]}
        output, inside = flip_flop.output, flip_flop.energy
    elif kind in corner.cells:
        cell = corner.cells[kind]
        inputs, output, inside = cell.pins, cell.output, cell.energy
    else:
        return None
    charge = 1e-3 * corner.voltage**2 / 2
    return {pin: (load + wire_load) * charge for pin, load in inputs.items()} | {output: inside}
