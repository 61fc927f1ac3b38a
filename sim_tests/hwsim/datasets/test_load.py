"""Data sets: imported, downloaded, verified, kept, read; on a small data set served locally."""

from __future__ import annotations

import gzip
import hashlib

import numpy as np
import pytest
from harness.web import serve

from hwsim.datasets import idx
from hwsim.datasets import load as datasets
from hwsim.datasets.sources import DATASETS, DatasetSource, File
from hwsim.errors import InputError

RNG = np.random.default_rng(7)
ARRAYS = {
    "train-images": RNG.integers(0, 256, (5, 4, 4), dtype=np.uint8),
    "train-labels": RNG.integers(0, 10, 5, dtype=np.uint8),
    "test-images": RNG.integers(0, 256, (3, 4, 4), dtype=np.uint8),
    "test-labels": RNG.integers(0, 10, 3, dtype=np.uint8),
}
CONTENTS = {name: idx.serialize(values) for name, values in ARRAYS.items()}
FILES = {
    name: File(name, ARRAYS[name].shape, hashlib.sha256(content).hexdigest())
    for name, content in CONTENTS.items()
}


@pytest.fixture
def web():
    with serve() as running:
        running.files |= {f"{name}.gz": gzip.compress(c) for name, c in CONTENTS.items()}
        yield running


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Put an empty cache, and a data set named ``small`` whose only mirror is down, in place."""
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "cache"))
    use(monkeypatch)
    return tmp_path / "cache"


def use(monkeypatch, *mirrors: str) -> None:
    splits = {
        split: (FILES[f"{split}-images"], FILES[f"{split}-labels"]) for split in ("train", "test")
    }
    monkeypatch.setitem(DATASETS, "small", DatasetSource("Small", splits, mirrors))


def kept(cache) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in (cache / "small").iterdir()}


@pytest.fixture
def folder(tmp_path):
    """A folder with two plain and two packed files."""
    for place, (name, content) in enumerate(CONTENTS.items()):
        if place % 2:
            (tmp_path / name).write_bytes(content)
        else:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(content))
    return tmp_path


def test_imports_plain_and_packed_files(folder, cache):
    paths = datasets.import_from("small", folder)
    assert [path.name for path in paths] == list(CONTENTS)
    assert kept(cache) == CONTENTS
    images, labels = datasets.load("small", "test")
    np.testing.assert_array_equal(images, ARRAYS["test-images"])
    np.testing.assert_array_equal(labels, ARRAYS["test-labels"])


def test_a_second_import_writes_nothing(folder):
    paths = datasets.import_from("small", folder)
    before = [path.stat().st_mtime_ns for path in paths]
    assert datasets.import_from("small", folder) == paths
    assert [path.stat().st_mtime_ns for path in paths] == before


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("train-images", CONTENTS["train-labels"], "magic = '0x00000801': must be 0x00000803"),
        ("train-images", CONTENTS["test-images"], r"sizes = \(3, 4, 4\): must be \(5, 4, 4\)"),
        ("train-images", CONTENTS["train-images"][:-3], "must be 96 bytes, not 93"),
        ("train-labels", CONTENTS["train-labels"][:-1] + b"\xff", "sha256 = .*: must be "),
        ("train-labels.gz", b"PK\x03\x04", r"train-labels\.gz: must be gzip: "),
        ("train-labels.gz", gzip.compress(CONTENTS["train-labels"])[:-12], "is truncated"),
        ("train-labels.gz", gzip.compress(bytes(10**6)), "magic = '0x00000000'"),
    ],
    ids=["magic", "count", "truncated", "corrupt", "not gzip", "truncated gzip", "bomb"],
)
def test_a_bad_file_is_refused_and_nothing_is_kept(folder, cache, name, content, message):
    for path in (folder / name, folder / f"{name}.gz", (folder / name).with_suffix("")):
        path.unlink(missing_ok=True)
    (folder / name).write_bytes(content)
    with pytest.raises(InputError, match=message) as caught:
        datasets.import_from("small", folder)
    assert "\n" not in str(caught.value)
    assert not cache.exists()


def test_a_missing_file_is_refused_and_nothing_is_kept(folder, cache):
    (folder / "test-labels").unlink()
    with pytest.raises(InputError, match=r"must hold test-labels or test-labels\.gz"):
        datasets.import_from("small", folder)
    assert not cache.exists()


def test_downloads_and_a_second_run_asks_for_nothing(web, cache, monkeypatch):
    use(monkeypatch, web.url)
    seen = []
    datasets.fetch("small", lambda file, done, total: seen.append(file))
    assert kept(cache) == CONTENTS
    assert set(seen) == set(CONTENTS)
    web.asked.clear()
    datasets.fetch("small")
    assert web.asked == []


def test_a_damaged_file_in_the_cache_is_fetched_again(web, cache, monkeypatch):
    use(monkeypatch, web.url)
    datasets.fetch("small")
    (cache / "small" / "test-labels").write_bytes(b"damaged")
    web.asked.clear()
    datasets.fetch("small")
    assert kept(cache) == CONTENTS
    assert web.asked == [""]


def test_a_broken_transfer_is_resumed_in_the_same_run(web, cache, monkeypatch):
    use(monkeypatch, web.url)
    web.cuts = [20]
    datasets.fetch("small")
    assert kept(cache) == CONTENTS
    assert web.asked[:2] == ["", "bytes=20-"]


def test_a_broken_transfer_is_resumed_by_the_next_run(web, cache, monkeypatch):
    use(monkeypatch, web.url)
    web.cuts = [20, 5]
    with pytest.raises(InputError, match=r"broke off after 25 of .*--from DIR"):
        datasets.fetch("small")
    assert list(kept(cache)) == ["train-images.gz.part"]
    web.asked.clear()
    datasets.fetch("small")
    assert kept(cache) == CONTENTS
    assert web.asked[0] == "bytes=25-"


def test_the_next_mirror_serves_what_the_first_does_not(web, cache, monkeypatch):
    use(monkeypatch, web.url + "gone/", web.url)
    datasets.fetch("small")
    assert kept(cache) == CONTENTS


@pytest.mark.parametrize("ranges", [True, False])
def test_rubbish_left_by_an_earlier_run_does_no_harm(web, cache, monkeypatch, ranges):
    use(monkeypatch, web.url)
    web.ranges = ranges
    (cache / "small").mkdir(parents=True)
    (cache / "small" / "train-images.gz.part").write_bytes(b"rubbish")
    datasets.fetch("small")
    assert kept(cache) == CONTENTS


def test_a_corrupt_answer_is_refused_and_not_kept(web, cache, monkeypatch):
    use(monkeypatch, web.url)
    wrong = CONTENTS["train-images"][:-1] + b"\0"
    web.files["train-images.gz"] = gzip.compress(wrong)
    with pytest.raises(InputError, match=r"could not be downloaded .*sha256 = .*must be"):
        datasets.fetch("small")
    assert kept(cache) == {}


def test_an_answer_that_is_a_web_page_is_refused(web, cache, monkeypatch):
    use(monkeypatch, web.url)
    web.files["train-images.gz"] = b"<html>captive portal</html>"
    with pytest.raises(InputError, match=r"could not be downloaded .*must be gzip"):
        datasets.fetch("small")
    assert kept(cache) == {}


def test_a_data_set_that_is_not_there_names_the_command():
    with pytest.raises(InputError, match="no such file: get the data set by `hwsim data mnist`"):
        datasets.load("mnist", "test")


def test_unknown_names_are_refused():
    with pytest.raises(InputError, match="name = 'cifar': must be one of: mnist, fashion"):
        datasets.load("cifar", "test")
    with pytest.raises(InputError, match="'cifar': must be one that ships images: mnist, fashion"):
        datasets.shipped("cifar")


def test_a_cache_that_cannot_be_made_is_bad_input(web, monkeypatch, tmp_path):
    use(monkeypatch, web.url)
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("HWSIM_CACHE", str(tmp_path / "file"))
    with pytest.raises(InputError, match="cannot be made: Not a directory"):
        datasets.fetch("small")


def test_the_cache_is_the_platforms_unless_chosen(monkeypatch):
    monkeypatch.delenv("HWSIM_CACHE")
    assert datasets.cache().name == "hwsim"


def test_every_mirror_is_https_and_a_folder():
    for name in ("mnist", "fashion"):
        source = DATASETS[name]
        assert [file.shape[0] for file in source.files] == [60_000, 60_000, 10_000, 10_000]
        assert len({file.sha256 for file in source.files}) == 4
        for mirror in source.mirrors:
            assert mirror.startswith("https://")
            assert mirror.endswith("/")


SHIPPED = {
    "mnist": (
        [7, 2, 1, 0, 4, 1, 4, 9, 5, 9],
        [85, 126, 116, 107, 110, 87, 87, 99, 89, 94],
    ),
    "fashion": (
        [9, 2, 1, 1, 6, 1, 4, 6, 5, 7],
        [107, 105, 111, 93, 115, 87, 97, 95, 95, 95],
    ),
}


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_images_are_the_first_thousand_of_the_test_set(name):
    first, counts = SHIPPED[name]
    images, labels = datasets.shipped(name)
    assert (images.shape, images.dtype) == ((1000, 28, 28), np.uint8)
    assert (labels.shape, labels.dtype) == ((1000,), np.uint8)
    assert labels[:10].tolist() == first
    assert np.bincount(labels).tolist() == counts
    assert (datasets.SHIPPED / f"{name}_test_1000.npz").stat().st_size < 500_000
