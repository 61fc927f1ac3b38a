"""Cycle-exact simulator and generator of sparse, quantized DNN arrays.

Public names resolve when they are first used: ``import hwsim`` alone imports neither NumPy nor
pydantic, and Amaranth and torch only inside the functions that need them.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from hwsim.accelerator.result import MachineResult
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
    from hwsim.checkpoints.checkpoint import Checkpoint
    from hwsim.config import ArchConfig, NetworkConfig
    from hwsim.cost.area import Area
    from hwsim.cost.breakeven import BreakEvens
    from hwsim.cost.clock import Clock
    from hwsim.cost.energy import Energy
    from hwsim.cost.fit import Fit
    from hwsim.cost.published_sizes import PublishedSizes
    from hwsim.cost.storage import Storage
    from hwsim.engine.results import LayerResult, NetworkResult
    from hwsim.errors import InputError
    from hwsim.report.result import Result
    from hwsim.studies.run import ComparisonStudy, PublishedStudy, Study, SyntheticStudy
    from hwsim.sweeps.sweep import Sweep
    from hwsim.verification.compare import Comparison
    from hwsim.verification.result import Verification

__all__ = [
    "ArchConfig",
    "Area",
    "BreakEvens",
    "Checkpoint",
    "Clock",
    "Comparison",
    "ComparisonStudy",
    "Compressed",
    "Energy",
    "Fit",
    "Imported",
    "InputError",
    "LayerResult",
    "MachineResult",
    "Measured",
    "NetworkConfig",
    "NetworkResult",
    "Placement",
    "PublishedSizes",
    "PublishedStudy",
    "Result",
    "Storage",
    "Study",
    "Sweep",
    "Synthesis",
    "SyntheticStudy",
    "Verification",
    "Verilog",
    "__version__",
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

__version__ = "0.1.0"

#: Module of each public name that is not in ``hwsim.api``.
_MODULES = {
    "ArchConfig": "hwsim.config",
    "Area": "hwsim.cost.area",
    "BreakEvens": "hwsim.cost.breakeven",
    "Checkpoint": "hwsim.checkpoints.checkpoint",
    "Clock": "hwsim.cost.clock",
    "Comparison": "hwsim.verification.compare",
    "ComparisonStudy": "hwsim.studies.run",
    "Energy": "hwsim.cost.energy",
    "Fit": "hwsim.cost.fit",
    "InputError": "hwsim.errors",
    "LayerResult": "hwsim.engine.results",
    "MachineResult": "hwsim.accelerator.result",
    "NetworkConfig": "hwsim.config",
    "NetworkResult": "hwsim.engine.results",
    "PublishedSizes": "hwsim.cost.published_sizes",
    "PublishedStudy": "hwsim.studies.run",
    "Result": "hwsim.report.result",
    "Storage": "hwsim.cost.storage",
    "Study": "hwsim.studies.run",
    "Sweep": "hwsim.sweeps.sweep",
    "SyntheticStudy": "hwsim.studies.run",
    "Verification": "hwsim.verification.result",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(_MODULES.get(name, "hwsim.api")), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return __all__
