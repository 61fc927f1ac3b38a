"""The arrows between the rooms, kept by walking their imports: all point down, none in a circle."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import hwsim

ROOT = Path(__file__).parents[1]

#: Rooms of ``hwsim``, the lowest first: a room imports from itself and from those below it.
ORDER = (
    "errors",
    "fixedpoint",
    "system",
    "contract",
    "config",
    "formats",
    "workload",
    "arrays",
    "datasets",
    "checkpoints",
    "inference",
    "report",
    "engine",
    "accelerator",
    "compiler",
    "cost",
    "verification",
    "sweeps",
    "studies",
    "api",
    "cli",
)
#: Wing -> rooms of ``hwsim`` that it may import, and the wings.
WINGS = {
    "rtl": ("__version__", "config", "contract", "errors", "formats", "system", "rtl"),
    # test equipment: it plays jobs and gives back runs
    "rtl/cosim": ("arrays.base", "arrays.counts", "config", "contract", "errors", "system", "rtl"),
    "models": (
        "checkpoints",
        "config",
        "datasets",
        "errors",
        "fixedpoint",
        "formats",
        "inference",
        "report",
        "system",
        "workload",
        "models",
    ),
}
#: hwsim must run where these are not installed; imports inside a function are the command's own.
FOREIGN = {"amaranth", "cocotb", "cocotb_tools", "onnx", "torch"}


def imports(path, *, top_level=False):
    """Names of the modules that a file imports."""
    tree = ast.parse(path.read_text())
    for node in tree.body if top_level else ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            # the whole name is what this file looks for
            assert node.level == 0, f"{path.relative_to(ROOT)} imports from {'.' * node.level}"
            module = str(node.module)
            # a package may be imported for its modules
            yield from (f"{module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Call) and _function(node) in ("import_module", "__import__"):
            named = node.args[0] if node.args else None
            if isinstance(named, ast.Constant):
                yield str(named.value)


def _function(call):
    """Last part of the name of what is called."""
    return getattr(call.func, "id", getattr(call.func, "attr", ""))


def sources(folder):
    """Python files of a wing or room; the wings' links in ``hwsim`` are not followed."""
    files = sorted((ROOT / folder).rglob("*.py"))
    assert files, folder
    links = [ROOT / "hwsim" / wing for wing in ("rtl", "models", "configs")]
    files = [f for f in files if not any(f.is_relative_to(link) for link in links)]
    return [f for f in files if folder != "rtl" or "cosim" not in f.relative_to(ROOT).parts]


def room_of(name):
    """Room of ``hwsim`` that a dotted name is of; ``None`` for any other name.

    The package itself, and what it offers, are the API's.
    """
    parts = name.split(".")
    if parts[0] != "hwsim":
        return None
    room = parts[1] if len(parts) > 1 else ""
    return "api" if room in ("", *hwsim.__all__) and room != "__version__" else room


def test_every_room_has_its_place():
    rooms = {path.stem for path in (ROOT / "hwsim").iterdir() if not path.is_symlink()}
    assert rooms - {"__init__", "__main__", "__pycache__", "py"} == set(ORDER)


@pytest.mark.parametrize("room", ORDER)
def test_a_room_imports_only_from_below(room):
    below = ORDER[: ORDER.index(room) + 1]
    folder = ROOT / "hwsim" / room
    files = sources(f"hwsim/{room}") if folder.is_dir() else [folder.with_suffix(".py")]
    for path in files:
        for name in imports(path):
            other = room_of(name)
            if other in ORDER:
                assert other in below, f"{path.relative_to(ROOT)} imports {name}"


def test_no_file_imports_itself_in_a_circle():
    files = {
        ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
        for wing in ("hwsim", "rtl", "rtl/cosim", "models")
        for path in sources(wing)
    }
    files = {name if name.startswith("hwsim") else f"hwsim.{name}": p for name, p in files.items()}
    arrows = {
        name: {
            next((n for n in (target, target.rpartition(".")[0]) if n in files), "")
            for target in imports(path)
        }
        - {"", "hwsim", name}
        for name, path in files.items()
        if path.name != "__init__.py"
    }
    done, open_ = set(), []

    def visit(name):
        assert name not in open_, " -> ".join([*open_[open_.index(name) :], name])
        if name in done:
            return
        open_.append(name)
        for target in sorted(arrows.get(name, ())):
            visit(target)
        open_.pop()
        done.add(name)

    for name in sorted(arrows):
        visit(name)


@pytest.mark.parametrize("wing", WINGS)
def test_a_wing_imports_only_its_rooms(wing):
    for path in sources(wing):
        for name in imports(path):
            own = name.removeprefix("hwsim.")
            if room_of(name) is not None:
                assert any(f"{own}.".startswith(f"{a}.") for a in WINGS[wing]), (
                    f"{path.relative_to(ROOT)} imports {name}"
                )


@pytest.mark.parametrize("name", ["rtl", "models", "configs", "sim_tests"])
def test_nothing_imports_a_wing_by_its_short_name(name):
    for wing in ("hwsim", "rtl", "rtl/cosim", "models", "sim_tests", "benchmarks", "examples"):
        for path in sources(wing):
            for imported in imports(path):
                assert imported.split(".")[0] != name, f"{path.relative_to(ROOT)}: {imported}"


def test_hwsim_imports_nothing_heavy_at_the_top():
    for path in sources("hwsim"):
        for name in imports(path, top_level=True):
            heavy = name.split(".")[0] in FOREIGN or room_of(name) in ("rtl", "models")
            assert not heavy, f"{path.relative_to(ROOT)} imports {name}"


def test_only_commands_proofs_and_measurements_reach_the_wings():
    allowed = ("hwsim/cli/", "hwsim/api/", "hwsim/verification/", "hwsim/cost/book.py")
    for path in sources("hwsim"):
        relative = path.relative_to(ROOT).as_posix()
        for name in imports(path):
            if room_of(name) in ("rtl", "models"):
                assert relative.startswith(allowed), f"{relative} imports {name}"


def test_help_imports_nothing_heavy():
    code = "import sys, hwsim.cli; print(*sorted(sys.modules))"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in shown.stdout.split()}
    assert not loaded & {"numpy", "numba", "matplotlib", "torch", "amaranth", "pydantic"}, loaded


def test_rtl_never_postpones_annotations():
    for path in [*sources("rtl"), *sources("rtl/cosim"), *sources("sim_tests/rtl")]:
        if path.name.startswith("tb_"):
            continue
        assert "from __future__ import annotations" not in path.read_text(), path
