"""What the memories of a design become on an ECP5: block RAM, distributed RAM or flip-flops."""

import re

from hwsim.config import ArchConfig
from hwsim.rtl.emit.rtlil import design_rtlil
from hwsim.rtl.synth.targets import target_of
from hwsim.rtl.synth.yosys import run_yosys

__all__ = ["map_memories"]

_KINDS = {
    "$__DP16KD_": "block RAM",
    "$__PDPW16KD_": "block RAM",
    "$__TRELLIS_DPR16X4_": "distributed RAM",
}


def map_memories(arch: ArchConfig) -> dict[str, str]:
    """Map a design as far as its memories: seconds where the whole takes minutes.

    Returns
    -------
    dict of str to str
        Path of each memory in the design -> ``block RAM``, ``distributed RAM`` or ``flip-flops``.

    Raises
    ------
    InputError
        The design cannot be mapped.
    """
    text = design_rtlil(arch)[1]
    script = [
        "read_rtlil design.il",
        f"hierarchy -check -top \\{arch.name}",
        "tee -q -o memory.json stat -json",
        f"synth_ecp5 -top \\{arch.name} -run :map_gates",
        "tee -q -o cells.json stat -json",
    ]
    log = run_yosys(text, f"\\{arch.name}", target_of("ecp5"), script)[2]
    prefix = re.escape(arch.name)
    in_cells = re.findall(rf"(?m)^mapping memory {prefix}\.(\S+) via (\S+)$", log)
    in_flip_flops = re.findall(rf"(?m)^using FF mapping for memory {prefix}\.(\S+)$", log)
    mapped = {name: _KINDS[cell] for name, cell in in_cells}
    return mapped | dict.fromkeys(in_flip_flops, "flip-flops")
