"""The wheel has all that a checkout has, under one name: it works in a fresh environment."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("hwsim", "rtl", "models", "configs", "pyproject.toml", "README.md", "LICENSE")
#: Folders of the repository whose names must be free for a user's own.
WINGS = ("rtl", "models", "configs")


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """Fresh environment with the wheel, built from a copy of the sources; our dependencies."""
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("wheels need setuptools 77: pip install --upgrade setuptools")
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("environment")
    for part in PARTS:
        path = ROOT / part
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, source / part, symlinks=True, ignore=ignored)
        else:
            shutil.copy(path, source)
    build = ["wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", source, source]
    done([sys.executable, "-m", "pip", *build])
    (wheel,) = source.glob("*.whl")
    done([sys.executable, "-m", "venv", "--without-pip", folder])
    python = folder / "bin" / "python"
    install = ["--python", python, "install", "--quiet", "--no-deps", wheel]
    done([sys.executable, "-m", "pip", *install])
    # a path in a .pth file brings packages but none of the .pth files there: not this checkout
    (site,) = folder.glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return folder


@pytest.fixture
def folder(tmp_path):
    """Where a user works: beside packages of their own that bear the names of ours."""
    for name in WINGS:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(
            "raise RuntimeError('the package of a user')\n"
        )
    return tmp_path


def done(command, cwd=None, **extra: str) -> str:
    """Run a command to its end; give back what it printed."""
    result = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        env={k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | extra,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr
    return result.stdout


def hwsim(environment: Path, folder: Path, *arguments: str) -> str:
    """Run the installed command in a folder, its modules before those of the environment."""
    return done([environment / "bin" / "hwsim", *arguments], folder, PYTHONPATH=str(folder))


def test_every_data_file_is_in_the_wheel(environment):
    (site,) = environment.glob("lib/python*/site-packages")
    counts = dict.fromkeys((".css", ".csv", ".js", ".npz", ".safetensors", ".typed", ".yaml"), 0)
    for path in (path for wing in (*WINGS, "hwsim") for path in (ROOT / wing).rglob("*")):
        if path.suffix in counts:
            inside = path.relative_to(
                ROOT / "hwsim" if path.is_relative_to(ROOT / "hwsim") else ROOT
            )
            assert (site / "hwsim" / inside).is_file(), path
            counts[path.suffix] += 1
    assert all(counts.values()), counts


def test_nothing_lies_beside_the_package(environment):
    (site,) = environment.glob("lib/python*/site-packages")
    names = {path.name for path in site.iterdir() if not path.name.startswith(("_", "hwsim-"))}
    assert names == {"hwsim", "dependencies.pth"}


def test_the_editable_install_shows_no_wing_either(folder):
    code = "from importlib.util import find_spec; import sys; print(find_spec(sys.argv[1]))"
    for name in WINGS:
        assert done([sys.executable, "-c", code, name], folder / "rtl").strip() == "None", name


def test_it_simulates_a_shipped_checkpoint(environment, folder):
    arguments = ("simulate", "dense_8x8_ws", "lenet5", "--checkpoint", "lenet5_dense")
    assert "conv2" in hwsim(environment, folder, *arguments)
    assert (folder / "build/simulate/dense_8x8_ws-lenet5/results.json").is_file()


def test_it_generates_a_design(environment, folder):
    hwsim(environment, folder, "generate", "dense_8x8_ws", "--out", "verilog")
    assert "module dense_8x8_ws" in (folder / "verilog/dense_8x8_ws.v").read_text()


def test_it_verifies_a_design(environment, folder):
    (folder / "tiny.yaml").write_text(
        "name: tiny\narray: {family: dense, dataflow: os, rows: 2, cols: 2}\n"
    )
    shown = hwsim(environment, folder, "verify", "tiny.yaml", "--random", "12")
    assert "12 of 12" in shown, shown
