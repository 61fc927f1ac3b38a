"""The arrows between the packages, kept by walking their imports."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
#: Package -> modules of ours that it may import at all (prefixes).
ALLOWED = {
    "hwsim": ("hwsim",),
    "rtl": (
        "hwsim.__version__",
        "hwsim.config",
        "hwsim.formats",
        "hwsim.files",
        "hwsim.errors",
        "rtl",
    ),
    # test equipment: it plays jobs and gives back runs
    "rtl/cosim": (
        "hwsim.arrays.base",
        "hwsim.config",
        "hwsim.extras",
        "hwsim.files",
        "hwsim.errors",
        "rtl",
    ),
    "models": (
        "hwsim.checkpoint",
        "hwsim.config",
        "hwsim.datasets",
        "hwsim.errors",
        "hwsim.extras",
        "hwsim.files",
        "hwsim.fixedpoint",
        "hwsim.formats",
        "hwsim.golden",
        "hwsim.inputs",
        "hwsim.lowering",
        "hwsim.processes",
        "hwsim.report",
        "models",
    ),
}
#: hwsim must run where these are not installed; imports inside a function are the command's own.
FOREIGN = {"amaranth", "cocotb", "cocotb_tools", "onnx", "torch", "rtl", "models"}


def imports(path, *, top_level):
    tree = ast.parse(path.read_text())
    nodes = tree.body if top_level else ast.walk(tree)
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module
            if node.module == "hwsim":
                yield from (f"hwsim.{alias.name}" for alias in node.names)


def sources(package):
    files = sorted((ROOT / package).rglob("*.py"))
    assert files, package
    return [f for f in files if not (package == "rtl" and "cosim" in f.relative_to(ROOT).parts)]


@pytest.mark.parametrize("package", ALLOWED)
def test_arrows(package):
    ours = ("hwsim", "rtl", "models", "sim_tests")
    for path in sources(package):
        if package == "hwsim":
            continue  # a command may import the others, inside its function: next test
        for name in imports(path, top_level=False):
            if name.split(".")[0] in ours and name != "hwsim":
                assert any(name == a or name.startswith(a + ".") for a in ALLOWED[package]), (
                    f"{path.relative_to(ROOT)} imports {name}"
                )


def test_hwsim_imports_nothing_heavy_at_the_top():
    for path in sources("hwsim"):
        for name in imports(path, top_level=True):
            assert name.split(".")[0] not in FOREIGN, f"{path.relative_to(ROOT)} imports {name}"


def test_only_commands_and_proofs_reach_the_other_packages():
    allowed = {"hwsim/cli", "hwsim/verify.py", "hwsim/study/prove.py"}
    for path in sources("hwsim"):
        relative = path.relative_to(ROOT).as_posix()
        for name in imports(path, top_level=False):
            if name.split(".")[0] in {"rtl", "models"}:
                assert any(relative.startswith(a) for a in allowed), f"{relative} imports {name}"


def test_help_imports_nothing_heavy():
    code = "import sys, hwsim.cli; print(*sorted(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert not loaded & {"numpy", "numba", "matplotlib", "torch", "amaranth", "pydantic"}, loaded


def test_rtl_never_postpones_annotations():
    for path in [*sources("rtl"), *sources("rtl/cosim"), *sources("sim_tests/rtl")]:
        if path.name.startswith("tb_"):
            continue
        assert "from __future__ import annotations" not in path.read_text(), path
