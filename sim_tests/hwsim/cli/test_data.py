"""``hwsim data``: imports, downloads, and says in one line what is wrong."""

from __future__ import annotations

import gzip
import hashlib
import json

import numpy as np
import pytest
import typer
from harness.web import serve
from typer.testing import CliRunner

from hwsim.cli.data import data
from hwsim.datasets import idx
from hwsim.datasets.sources import DATASETS, DatasetSource, File
from hwsim.errors import InputError

FILES = {}
for _name, _shape in (("images", (2, 4, 4)), ("labels", (2,))):
    _content = idx.serialize(np.ones(_shape, dtype=np.uint8))
    FILES[_name] = (File(_name, _shape, hashlib.sha256(_content).hexdigest()), _content)

app = typer.Typer()
app.command()(data)


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Run the command on an empty cache; ``mnist`` is a small data set on a local server."""
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    pair = (FILES["images"][0], FILES["labels"][0])
    with serve() as web:
        web.files |= {f"{name}.gz": gzip.compress(content) for name, (_, content) in FILES.items()}
        monkeypatch.setitem(DATASETS, "mnist", DatasetSource("MNIST", {"test": pair}, (web.url,)))
        yield lambda *arguments: CliRunner().invoke(app, ["mnist", *arguments])


def test_downloads_into_the_cache(run, tmp_path):
    result = run("--json")
    assert result.exit_code == 0, result.output
    document = json.loads(result.stdout)
    expected = [str(tmp_path / "cache" / "mnist" / name) for name in FILES]
    assert document == {"name": "mnist", "files": expected}
    for name, (_, content) in FILES.items():
        assert (tmp_path / "cache" / "mnist" / name).read_bytes() == content


def test_imports_into_a_chosen_cache(run, tmp_path):
    for name, (_, content) in FILES.items():
        (tmp_path / name).write_bytes(content)
    result = run("--from", str(tmp_path), "--cache", str(tmp_path / "other"))
    assert result.exit_code == 0, result.output
    assert "MNIST: verified in" in result.stdout
    assert (tmp_path / "other" / "mnist" / "labels").is_file()
    assert not (tmp_path / "cache").exists()


def test_a_folder_without_the_files_is_bad_input(run, tmp_path):
    result = run("--from", str(tmp_path / "none"))
    assert isinstance(result.exception, InputError)
    assert str(result.exception).endswith("none: must hold images or images.gz")


def test_an_unknown_data_set_is_a_usage_error():
    result = CliRunner().invoke(app, ["cifar"])
    assert result.exit_code == 2
