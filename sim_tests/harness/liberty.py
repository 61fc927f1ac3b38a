"""A small Liberty library whose tables are planes."""

from __future__ import annotations

#: A library whose tables are planes: delay = 20 ps + 3 ps/fF load + slew / 5.
CELLS = {"INV": "!A", "BUF": "A", "NAND2": "!(A*B)", "NOR2": "!(A+B)"}


def plane(slew_ns: float, load_ff: float) -> float:
    return 0.020 + 0.003 * load_ff + 0.2 * slew_ns


def table(key: str, scale: float = 1.0) -> str:
    slews, loads = (0.01, 0.1, 0.3), (1.0, 10.0, 50.0)
    rows = ", ".join(f'"{", ".join(str(scale * plane(s, c)) for c in loads)}"' for s in slews)
    return (
        f'{key} (t) {{ index_1 ("0.01, 0.1, 0.3"); index_2 ("0.001, 0.01, 0.05"); '
        f"values ({rows}); }}"
    )


def timing(pin: str, scale: float = 1.0) -> str:
    keys = ("cell_rise", "cell_fall", "rise_transition", "fall_transition")
    tables = " ".join(table(key, scale) for key in keys)
    return f'timing () {{ related_pin : "{pin}"; timing_sense : negative_unate; {tables} }}'


def library(area: str = "area : 2.5;", flip_flop: bool = True) -> str:
    """Text of the library; ``area`` in every logic cell, with or without flip-flops."""
    text = """library (mini) {
      time_unit : "1ns"; voltage_unit : "1V"; capacitive_load_unit (1, pf);
      leakage_power_unit : "1nW"; nom_voltage : 1.1; nom_temperature : 25;
      lu_table_template (t) { variable_1 : input_net_transition;
        variable_2 : total_output_net_capacitance;
        index_1 ("0.01, 0.1, 0.3"); index_2 ("0.001, 0.01, 0.05"); }
    """
    for name, function in CELLS.items():
        pins = [pin for pin in "AB" if pin in function]
        inputs = " ".join(f"pin ({p}) {{ direction : input; capacitance : 0.002; }}" for p in pins)
        # the second pin is slower, and depends on the state of the first
        arcs = " ".join(timing(p, 1 + i) + timing(p, 0.5) for i, p in enumerate(pins))
        text += f"""cell ({name}) {{ {area} cell_leakage_power : 0.004; {inputs}
          pin (Y) {{ direction : output; function : "{function}"; max_capacitance : 0.2; {arcs} }}
        }}\n"""
    if flip_flop:
        setup = (
            'timing () { related_pin : "CK"; timing_type : setup_rising; '
            'rise_constraint (t) { values ("0.05, 0.05, 0.05", "0.05, 0.05, 0.05", '
            '"0.05, 0.05, 0.05"); } fall_constraint (t) { values ("0.07, 0.07, 0.07", '
            '"0.07, 0.07, 0.07", "0.07, 0.07, 0.07"); } }'
        )
        text += f"""cell (DFF) {{ area : 9; ff (IQ, IQN) {{ clocked_on : "CK"; next_state : "D"; }}
          pin (CK) {{ direction : input; capacitance : 0.001; clock : true; }}
          pin (D) {{ direction : input; capacitance : 0.0015; {setup} }}
          pin (Q) {{ direction : output; function : "IQ"; {timing("CK")} }} }}
        cell (SCAN) {{ area : 1; ff (IQ, IQN) {{ clocked_on : "CK"; next_state : "(D*!S)+(T*S)"; }}
          pin (CK) {{ direction : input; }} pin (D) {{ direction : input; }}
          pin (S) {{ direction : input; }} pin (T) {{ direction : input; }}
          pin (Q) {{ direction : output; function : "IQ"; }} }}\n"""
    return text + "}\n"
