"""The wheel has all that a checkout has: installed alone, it simulates what ships."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PARTS = ("hwsim", "rtl", "models", "configs", "pyproject.toml", "README.md", "LICENSE")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Folder with what the wheel installs, built from a copy of the sources."""
    if int(version("setuptools").partition(".")[0]) < 77:
        pytest.skip("wheels need setuptools 77: pip install --upgrade setuptools")
    source, folder = tmp_path_factory.mktemp("source"), tmp_path_factory.mktemp("site")
    for part in PARTS:
        path = ROOT / part
        if path.is_dir():
            ignored = shutil.ignore_patterns("__pycache__")
            shutil.copytree(path, source / part, ignore=ignored)
        else:
            shutil.copy(path, source)
    build = ["pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir"]
    command = [sys.executable, "-m", *build, str(source), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stderr
    (wheel,) = source.glob("*.whl")
    with zipfile.ZipFile(wheel) as file:
        file.extractall(folder)
    return folder


def run(installed: Path, folder: Path, *arguments: str) -> str:
    """Run Python on the installed files alone, in another folder."""
    environment = os.environ | {"PYTHONPATH": str(installed)}
    command = [sys.executable, "-W", "error", *arguments]
    done = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_data_file_is_in_the_wheel(installed):
    counts = dict.fromkeys((".yaml", ".safetensors", ".csv", ".npz"), 0)
    for part in ("configs", "models", "hwsim", "rtl"):
        for path in (ROOT / part).rglob("*"):
            if path.suffix in counts:
                assert (installed / path.relative_to(ROOT)).is_file(), path
                counts[path.suffix] += 1
    assert all(counts.values()), counts


def test_it_simulates_a_shipped_checkpoint(installed, tmp_path):
    where = run(installed, tmp_path, "-c", "import hwsim; print(hwsim.__file__)")
    assert where.startswith(str(installed))
    arguments = ("dense_8x8_ws", "lenet5", "--checkpoint", "lenet5_dense")
    out = run(installed, tmp_path, "-m", "hwsim", "simulate", *arguments)
    assert "conv2" in out
    assert (tmp_path / "build/simulate/dense_8x8_ws-lenet5/results.json").is_file()
