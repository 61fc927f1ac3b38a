"""Cells of a Liberty file as a few facts, and a Liberty text from the facts.

Reading a foundry's file takes seconds and a parser, and no such file ships here. What timing and
area need of it are areas, capacitances, functions and, for each timing arc, a plane fitted to its
tables. From these facts a small Liberty text is written for Yosys and ABC.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from hwsim.config.base import parse
from hwsim.config.tech import ArcConfig, CellConfig, CornerConfig, FlipFlopConfig
from hwsim.errors import InputError
from hwsim.system.reading import MAX_LIBRARY, read_text, reading

__all__ = ["liberty_text", "read_corner"]

#: Part of the tables that planes are fitted to: mapped netlists rarely leave it.
FIT_SLEW_NS = 0.35
FIT_LOAD_FF = 110.0
#: Point at which one figure stands for a table of energies.
TYPICAL_SLEW_NS = 0.1
TYPICAL_LOAD_FF = 10.0
#: Corners of the tables that are written: a plane is exact on any.
SLEWS_NS = (0.01, 0.1, 0.3, 1.0)
LOADS_FF = (0.0, 10.0, 30.0, 100.0, 300.0)
#: Characters of what the parser says that an error has.
_SAID = 300
#: Inputs of the largest cell that is kept.
MAX_PINS = 6


def read_corner(path: Path) -> CornerConfig:
    """Measure the cells of a Liberty file.

    Combinational cells of one output are kept, and the smallest flip-flop with a plain data input.
    Tri-state, latch, scan, clock-gating, tie and filler cells are left out.

    Raises
    ------
    InputError
        The file cannot be read or parsed, a cell has no area, or there is no usable cell.
    """
    # what the parser gives raises errors of its own where a file says something twice
    with reading(path, "must be a Liberty file whose cells can be measured"):
        return _corner(path)


def _corner(path: Path) -> CornerConfig:
    library = _parse(path)
    cells: dict[str, CellConfig] = {}
    flip_flops: list[FlipFlopConfig] = []
    try:
        units = _Units(library)
    except (KeyError, TypeError, ValueError) as error:
        rule = "must give time_unit, capacitive_load_unit, voltage_unit and leakage_power_unit"
        raise InputError(path, "library", None, rule) from error
    for group in library.get_groups("cell"):
        name = _text(group.args[0])
        if _text(group["dont_use"]) == "true":
            continue
        pins = {_text(pin.args[0]): pin for pin in group.get_groups("pin")}
        try:
            if group.get_groups("ff"):
                flip_flops += _flip_flop(name, group, pins, units)
            elif (cell := _cell(group, pins, units)) is not None:
                cells[name] = cell
        except _NoArea as error:
            raise InputError(path, f"cell {name}", None, "must have an area") from error
        except Exception as error:
            raise InputError(path, f"cell {name}", None, f"cannot be measured: {error}") from error
    functions = {cell.function.replace(" ", "") for cell in cells.values()}
    if len(functions) < 3 or not flip_flops:
        rule = "must have logic cells and a flip-flop with a plain data input"
        raise InputError(path, "", None, rule)
    # ABC, which puts buffers before large loads, ends without a word where there is none
    if not any(cell.function.strip("() ") in cell.pins for cell in cells.values()):
        raise InputError(path, "", None, "must have a buffer among its cells")
    corner: dict[str, Any] = {
        "cells": cells,
        "flip_flop": min(flip_flops, key=lambda each: (each.area, each.name)),
    }
    for key, default in (("voltage", 1.0), ("temperature", 25.0)):
        text = library[f"nom_{key}"]
        try:
            corner[key] = _number(text, default)
        except ValueError as error:
            raise InputError(path, f"nom_{key}", _text(text), "must be a number") from error
    return parse(CornerConfig, corner, path)


def liberty_text(corner: CornerConfig) -> str:
    """Write a corner's facts as a Liberty library, in ns and pF.

    Flip-flops carry no timing: ABC sees the logic between them alone.
    """
    lines = [
        "library (facts) {",
        "  delay_model : table_lookup;",
        '  time_unit : "1ns"; voltage_unit : "1V"; current_unit : "1mA";',
        '  leakage_power_unit : "1pW"; capacitive_load_unit (1, pf);',
        '  pulling_resistance_unit : "1kohm";',
        f"  nom_voltage : {corner.voltage}; nom_temperature : {corner.temperature};",
        "  nom_process : 1; default_max_transition : 5; default_fanout_load : 1;",
        *(
            f"  {side}_threshold_pct_{edge} : 50;"
            for side in ("input", "output")
            for edge in ("rise", "fall")
        ),
        *(
            f"  slew_{end}_threshold_pct_{edge} : {percent};"
            for end, percent in (("lower", 20), ("upper", 80))
            for edge in ("rise", "fall")
        ),
        "  lu_table_template (plane) {",
        "    variable_1 : input_net_transition; variable_2 : total_output_net_capacitance;",
        f'    index_1 ("{_list(SLEWS_NS)}"); index_2 ("{_list(_pf(LOADS_FF))}");',
        "  }",
    ]
    for name, cell in corner.cells.items():
        lines += _cell_lines(name, cell)
    lines += _flip_flop_lines(corner.flip_flop)
    return "\n".join([*lines, "}"]) + "\n"


class _NoArea(ValueError):
    pass


class _Units:
    """Factors from a library's units to ns, fF, pW and pJ, and its templates of tables."""

    def __init__(self, library: Any) -> None:
        self.templates = {
            _text(group.args[0]): group
            for kind in ("lu_table_template", "power_lut_template")
            for group in library.get_groups(kind)
        }
        self.ns = _unit(library["time_unit"], {"ns": 1.0, "ps": 1e-3, "us": 1e3})
        amount, unit = library["capacitive_load_unit"]
        self.ff = float(amount) * {"pf": 1e3, "ff": 1.0, "nf": 1e6}[_text(unit).lower()]
        leak = library["leakage_power_unit"]
        scale = {"pw": 1.0, "nw": 1e3, "uw": 1e6, "mw": 1e9, "w": 1e12}
        self.pw = _unit(leak, scale) if leak is not None else 1.0
        volts = _unit(library["voltage_unit"], {"v": 1.0, "mv": 1e-3})
        # internal power is in units of capacitance times voltage squared: pF V^2 are pJ
        self.pj = self.ff * 1e-3 * volts**2


def _parse(path: Path) -> Any:
    from liberty.parser import parse_liberty

    text = read_text(path, MAX_LIBRARY, errors="replace")
    try:
        return parse_liberty(text)
    except Exception as error:  # whatever the parser's grammar throws
        first = str(error).strip().splitlines()
        rule = f"must be a Liberty file: {first[0][:_SAID] if first else type(error).__name__}"
        raise InputError(path, "", None, rule) from error


def _cell(group: Any, pins: dict[str, Any], units: _Units) -> CellConfig | None:
    """Facts of a combinational cell; ``None`` for a cell of another kind."""
    outputs = [name for name, pin in pins.items() if _text(pin["direction"]) == "output"]
    inputs = [name for name, pin in pins.items() if _text(pin["direction"]) == "input"]
    if len(outputs) != 1 or not 1 <= len(inputs) <= MAX_PINS or group.get_groups("latch"):
        return None
    output = pins[outputs[0]]
    function = _text(output["function"])
    is_gate = group["clock_gating_integrated_cell"] is not None
    if not function or output["three_state"] is not None or is_gate:
        return None
    arcs = [_arc(name, output, units) for name in inputs]
    return CellConfig(
        area=_area(group),
        leakage=_leakage(group, units),
        energy=_energy(output, units),
        output=outputs[0],
        function=function,
        max_load=_number(output["max_capacitance"], 0.3 / units.ff * 1e3) * units.ff,
        pins={
            name: round(_number(pins[name]["capacitance"], 0.0) * units.ff, 4) for name in inputs
        },
        arcs=arcs,
    )


def _arc(pin: str, output: Any, units: _Units) -> ArcConfig:
    """Slowest timing from a pin, over the states of the others, for each edge of the output."""
    groups = [
        timing
        for timing in output.get_groups("timing")
        if _text(timing["related_pin"]) == pin and timing.get_groups("cell_rise")
    ]
    senses = {_text(timing["timing_sense"]) for timing in groups}
    return ArcConfig(
        pin=pin,
        sense=senses.pop() if len(senses) == 1 else "non_unate",  # type: ignore[arg-type]
        rise=_slowest(groups, "cell_rise", units),
        fall=_slowest(groups, "cell_fall", units),
        rise_slew=_slowest(groups, "rise_transition", units),
        fall_slew=_slowest(groups, "fall_transition", units),
    )


def _flip_flop(
    name: str, group: Any, pins: dict[str, Any], units: _Units
) -> Iterator[FlipFlopConfig]:
    """Facts of a flip-flop, if data goes straight into it and it has one output."""
    (ff,) = group.get_groups("ff")
    data, clock, clear = (_text(ff[key]) for key in ("next_state", "clocked_on", "clear"))
    outputs = [n for n, pin in pins.items() if _text(pin["direction"]) == "output"]
    plain = data in pins and clock in pins and not _text(ff["preset"])
    if not plain or len(outputs) != 1:
        return
    output = pins[outputs[0]]
    if _text(output["function"]) != _text(ff.args[0]):
        return
    clocked = [
        t
        for t in output.get_groups("timing")
        if _text(t["related_pin"]) == clock and t.get_groups("cell_rise")
    ]
    setups = [
        t for t in pins[data].get_groups("timing") if _text(t["timing_type"]) == "setup_rising"
    ]
    setup = max(
        _at_least(t.get_groups(key)[0]) * units.ns
        for t in setups
        for key in ("rise_constraint", "fall_constraint")
    )
    yield FlipFlopConfig(
        name=name,
        area=_area(group),
        leakage=_leakage(group, units),
        clock_energy=2 * _energy(pins[clock], units),
        energy=_energy(output, units),
        pins={
            n: round(_number(pin["capacitance"], 0.0) * units.ff, 4)
            for n, pin in pins.items()
            if _text(pin["direction"]) == "input"
        },
        clock=clock,
        data=data,
        output=outputs[0],
        clear=clear,
        setup=round(setup, 5),
        rise=_slowest(clocked, "cell_rise", units),
        fall=_slowest(clocked, "cell_fall", units),
    )


def _area(group: Any) -> float:
    area = group["area"]
    if area is None or float(area) <= 0:
        raise _NoArea
    return float(area)


def _leakage(group: Any, units: _Units) -> float:
    """Mean leakage over the states of a cell, in pW."""
    states = [float(each["value"]) for each in group.get_groups("leakage_power")]
    mean = sum(states) / len(states) if states else _number(group["cell_leakage_power"], 0.0)
    return round(mean * units.pw, 3)


def _energy(pin: Any, units: _Units) -> float:
    """Mean internal energy of a transition at the typical point, in pJ; below 0 counts as 0."""
    values = [
        _typical(table, units)
        for power in pin.get_groups("internal_power")
        for key in ("rise_power", "fall_power")
        for table in power.get_groups(key)
    ]
    return round(max(0.0, sum(values) / len(values) * units.pj), 6) if values else 0.0


def _typical(table: Any, units: _Units) -> float:
    """Value of a table of energies near the typical slew and load."""
    values = np.atleast_1d(np.squeeze(np.asarray(table.get_array("values"), dtype=float)))
    if values.size == 1:
        return float(values.flat[0])
    slews = _axis(table, "index_1", units) * units.ns
    row = int(np.abs(slews - TYPICAL_SLEW_NS).argmin())
    if values.ndim == 1:
        return float(values[row])
    loads = _axis(table, "index_2", units) * units.ff
    return float(values[row, int(np.abs(loads - TYPICAL_LOAD_FF).argmin())])


def _at_least(table: Any) -> float:
    """Constraint at the smallest slews."""
    return float(np.asarray(table.get_array("values"), dtype=float).flat[0])


def _axis(table: Any, key: str, units: _Units) -> np.ndarray:
    """Axis of a table; where it has none, that of its template."""
    source = table if table[key] is not None else units.templates[_text(table.args[0])]
    return np.atleast_1d(np.squeeze(np.asarray(source.get_array(key), dtype=float)))


def _slowest(timings: list[Any], key: str, units: _Units) -> list[float]:
    """Plane of the arc that is slowest at the typical point."""
    planes = [_plane(timing.get_groups(key)[0], units) for timing in timings]
    if not planes:
        raise ValueError(f"a pin has no {key}")
    return max(planes, key=lambda plane: _on(plane, TYPICAL_SLEW_NS, TYPICAL_LOAD_FF))


def _plane(table: Any, units: _Units) -> list[float]:
    """Fit a plane to a table, with equal weight to equal relative errors."""
    slews = _axis(table, "index_1", units) * units.ns
    loads = _axis(table, "index_2", units) * units.ff
    values = np.asarray(table.get_array("values"), dtype=float).reshape(len(slews), len(loads))
    slew, load = np.meshgrid(slews, loads, indexing="ij")
    keep = (slew <= max(FIT_SLEW_NS, slews[1])) & (load <= max(FIT_LOAD_FF, loads[1]))
    y = values[keep] * units.ns
    terms = np.stack([np.ones(len(y)), load[keep], slew[keep], load[keep] * slew[keep]], axis=1)
    if not (np.isfinite(terms).all() and np.isfinite(y).all()):
        raise ValueError("a table must hold finite numbers")
    weight = 1 / np.maximum(y, 0.02)
    found = np.linalg.lstsq(terms * weight[:, None], y * weight, rcond=None)[0]
    return [round(float(c), 7) for c in found]


def _on(plane: list[float], slew: float, load: float) -> float:
    return plane[0] + plane[1] * load + plane[2] * slew + plane[3] * load * slew


def _cell_lines(name: str, cell: CellConfig) -> Iterator[str]:
    yield f"  cell ({name}) {{"
    yield f"    area : {cell.area}; cell_leakage_power : {cell.leakage};"
    for pin, load in cell.pins.items():
        yield f"    pin ({pin}) {{ direction : input; capacitance : {load / 1000:.7f}; }}"
    yield f"    pin ({cell.output}) {{"
    yield f'      direction : output; function : "{cell.function}";'
    yield f"      max_capacitance : {cell.max_load / 1000:.6f};"
    for arc in cell.arcs:
        yield f'      timing () {{ related_pin : "{arc.pin}"; timing_sense : {arc.sense};'
        tables = (
            ("cell_rise", arc.rise),
            ("cell_fall", arc.fall),
            ("rise_transition", arc.rise_slew),
            ("fall_transition", arc.fall_slew),
        )
        for key, plane in tables:
            rows = (
                f'"{_list(max(0.001, _on(plane, slew, load)) for load in LOADS_FF)}"'
                for slew in SLEWS_NS
            )
            yield f"        {key} (plane) {{ values ({', '.join(rows)}); }}"
        yield "      }"
    yield "    }"
    yield "  }"


def _flip_flop_lines(cell: FlipFlopConfig) -> Iterator[str]:
    yield f"  cell ({cell.name}) {{"
    yield f"    area : {cell.area}; cell_leakage_power : {cell.leakage};"
    clear = f' clear : "{cell.clear}";' if cell.clear else ""
    yield (
        f'    ff (IQ, IQN) {{ clocked_on : "{cell.clock}"; next_state : "{cell.data}";{clear} }}'
    )
    for pin, load in cell.pins.items():
        clock = " clock : true;" if pin == cell.clock else ""
        yield f"    pin ({pin}) {{ direction : input; capacitance : {load / 1000:.7f};{clock} }}"
    yield f'    pin ({cell.output}) {{ direction : output; function : "IQ"; }}'
    yield "  }"


def _pf(loads_ff: tuple[float, ...]) -> Iterator[float]:
    return (load / 1000 for load in loads_ff)


def _list(values: Any) -> str:
    return ", ".join(f"{value:.6f}" for value in values)


def _text(value: Any) -> str:
    """Plain text of an attribute; ``""`` where it is absent."""
    return "" if value is None else str(value).strip().strip('"').strip()


def _number(value: Any, default: float) -> float:
    return default if value is None else float(_text(value))


def _unit(value: Any, scale: dict[str, float]) -> float:
    """Factor of a unit like ``1ns``."""
    text = _text(value).lower()
    digits = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    return float(digits or 1) * scale[text.removeprefix(digits).strip()]
