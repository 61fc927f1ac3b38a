"""The functions of the package: names, paths or objects in, results out.

Nothing heavy is imported before a function is called. The command line calls these and prints.
"""

from hwsim.api.area import area
from hwsim.api.breakeven import breakeven
from hwsim.api.clock import clock
from hwsim.api.compress import Compressed, compress
from hwsim.api.energy import energy
from hwsim.api.fit import fit
from hwsim.api.generate import Verilog, generate
from hwsim.api.import_network import Imported, import_network
from hwsim.api.machine import run_machine
from hwsim.api.place import Placement, place
from hwsim.api.prune import prune
from hwsim.api.read import read_arch, read_checkpoint, read_network
from hwsim.api.simulate import simulate
from hwsim.api.storage import published_sizes, storage
from hwsim.api.study import study
from hwsim.api.sweep import sweep
from hwsim.api.synth import Synthesis, synth
from hwsim.api.tech import Measured, tech
from hwsim.api.verify import verify

__all__ = [
    "Compressed",
    "Imported",
    "Measured",
    "Placement",
    "Synthesis",
    "Verilog",
    "area",
    "breakeven",
    "clock",
    "compress",
    "energy",
    "fit",
    "generate",
    "import_network",
    "place",
    "prune",
    "published_sizes",
    "read_arch",
    "read_checkpoint",
    "read_network",
    "run_machine",
    "simulate",
    "storage",
    "study",
    "sweep",
    "synth",
    "tech",
    "verify",
]
