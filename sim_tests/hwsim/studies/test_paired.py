"""McNemar's exact test, by brute force and on shipped models."""

from __future__ import annotations

from itertools import product

import pytest

from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.checkpoints.find import CHECKPOINTS
from hwsim.checkpoints.heldout import RECORD, digest, heldout_of, read
from hwsim.errors import InputError
from hwsim.studies.paired import Paired


@pytest.mark.parametrize("lost", range(5))
@pytest.mark.parametrize("gained", range(5))
def test_the_chance_is_that_of_all_ways_to_differ(lost, gained):
    ways = list(product((0, 1), repeat=lost + gained))
    as_bad = sum(sum(way) >= lost for way in ways)
    assert Paired(lost, gained).p == as_bad / len(ways)


def test_a_model_that_loses_nothing_is_not_worse():
    assert Paired(0, 0).p == 1
    assert Paired(0, 9).p == 1
    assert Paired(9, 0).p == 2**-9


def test_the_record_has_the_accuracy_that_each_checkpoint_says():
    known = read(RECORD)
    recorded = 0
    for path in sorted(CHECKPOINTS.glob("*.safetensors")):
        heldout = heldout_of(path)
        if heldout is None:
            continue
        recorded += 1
        info = Checkpoint.read(path).info
        assert heldout.accuracy == pytest.approx(info["accuracy_heldout"], abs=1e-12)
        assert max(heldout.wrong, default=0) < heldout.images
        assert known[digest(path)] == heldout
    # rows of files that are no more, or of others of the same name, are of no use
    assert recorded == len(known)


def test_a_file_that_is_not_on_record_has_no_images(tmp_path):
    path = tmp_path / "other.safetensors"
    path.write_bytes(b"other")
    assert heldout_of(path) is None


@pytest.mark.parametrize("text", ["sha256,images\n1,2\n", "sha256,images,wrong\n1,two,3\n"])
def test_a_record_that_is_none_is_refused_with_its_line(tmp_path, text):
    path = tmp_path / "heldout.csv"
    path.write_text(text)
    with pytest.raises(InputError, match=r"heldout\.csv: line 2"):
        read(path)
