"""Downloads from a server that breaks off, ignores ranges, or lies."""

from __future__ import annotations

import socket

import pytest
from harness.web import serve

from hwsim.datasets.download import TransferError, download
from hwsim.errors import InputError

CONTENT = bytes(range(256)) * 1000


@pytest.fixture
def web():
    with serve() as running:
        running.files["file.gz"] = CONTENT
        yield running


def quiet(done, total):
    """Report no progress."""


def test_fetches_the_whole_file_and_reports_progress(web, tmp_path):
    part, seen = tmp_path / "file.part", []
    download(web.url + "file.gz", part, lambda done, total: seen.append((done, total)))
    assert part.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert web.asked == [""]


def test_resumes_what_broke_off(web, tmp_path):
    part = tmp_path / "file.part"
    web.cuts = [100_000, 50_000]
    with pytest.raises(TransferError, match="broke off after 100000 of 256000 bytes"):
        download(web.url + "file.gz", part, quiet)
    assert part.read_bytes() == CONTENT[:100_000]
    with pytest.raises(TransferError, match="broke off after 150000 of 256000 bytes"):
        download(web.url + "file.gz", part, quiet)
    seen = []
    download(web.url + "file.gz", part, lambda done, total: seen.append((done, total)))
    assert part.read_bytes() == CONTENT
    assert seen[0] == (150_000, len(CONTENT))
    assert web.asked == ["", "bytes=100000-", "bytes=150000-"]


def test_starts_again_where_the_server_ignores_ranges(web, tmp_path):
    part = tmp_path / "file.part"
    part.write_bytes(b"x" * 1000)
    web.ranges = False
    download(web.url + "file.gz", part, quiet)
    assert part.read_bytes() == CONTENT


def test_starts_again_where_another_range_is_answered(web, tmp_path):
    part = tmp_path / "file.part"
    part.write_bytes(CONTENT[:1000])
    web.early = 300
    download(web.url + "file.gz", part, quiet)
    assert part.read_bytes() == CONTENT
    assert web.asked == ["bytes=1000-", ""]


def test_starts_again_where_nothing_lies_beyond_the_part(web, tmp_path):
    part = tmp_path / "file.part"
    part.write_bytes(b"x" * len(CONTENT))
    download(web.url + "file.gz", part, quiet)
    assert part.read_bytes() == CONTENT
    assert web.asked == [f"bytes={len(CONTENT)}-", ""]


def test_a_missing_file_is_a_transfer_error(web, tmp_path):
    with pytest.raises(TransferError, match=r"none\.gz: HTTP 404"):
        download(web.url + "none.gz", tmp_path / "file.part", quiet)
    assert not (tmp_path / "file.part").exists()


def test_no_server_is_a_transfer_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(TransferError, match="Connection refused"):
        download(f"http://127.0.0.1:{port}/file.gz", tmp_path / "file.part", quiet)


def test_a_silent_server_is_a_transfer_error(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/file.gz"
        with pytest.raises(TransferError, match="timed out"):
            download(url, tmp_path / "file.part", quiet, timeout=0.05)


def test_a_folder_that_cannot_be_written_is_bad_input(web, tmp_path):
    with pytest.raises(InputError, match=r"cannot be written: No such file or directory"):
        download(web.url + "file.gz", tmp_path / "none" / "file.part", quiet)
