"""A training log reads back as numbers, or is refused in one line."""

from __future__ import annotations

import pytest

from hwsim.errors import InputError
from hwsim.models.compress.log import read

TEXT = """\
stage,epoch,learning_rate,loss,train_accuracy,heldout_accuracy,kept,rho,primal_fc1,dual_fc1
train,1,0.002,0.25,0.9,0.91,1,,,
"ADMM 1/1",1,1e-05,0.125,0.99,0.98,1,0.001,0.5,0
"""


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "tiny.csv"
    path.write_text(TEXT)
    return path


def test_rows_are_numbers_and_blanks_are_none(log):
    first, second = read(log)
    assert first == {
        "stage": "train", "epoch": 1, "learning_rate": 0.002, "loss": 0.25, "train_accuracy": 0.9,
        "heldout_accuracy": 0.91, "kept": 1.0, "rho": None, "primal_fc1": None, "dual_fc1": None,
    }  # fmt: skip
    assert (second["stage"], second["rho"], second["dual_fc1"]) == ("ADMM 1/1", 0.001, 0.0)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("loss", "cost", "must have the column loss"),
        (TEXT, "", "must have the column stage"),
        ("0.25", "nan", "line 2, loss = 'nan': must be a number or blank"),
        ("0.25", "inf", "line 2, loss = 'inf': must be a number or blank"),
        ("0.125", "x", "line 3, loss = 'x': must be a number or blank"),
        ("train,1,", "train,one,", "line 2, epoch = 'one': must be an integer"),
        ("train,1,", "train,,", "line 2, epoch = '': must be an integer"),
        (",1,,,", ",1", "line 2: must have as many values as the first line"),
        (",1,,,", ",1,,,,", "line 2: must have as many values as the first line"),
        ('"ADMM', '"AD"MM', "cannot be read: "),
    ],
)
def test_what_is_no_log_is_refused_in_one_line(log, old, new, message):
    log.write_text(TEXT.replace(old, new, 1))
    with pytest.raises(InputError) as caught:
        read(log)
    assert str(caught.value).startswith(f"{log}: {message}")
    assert "\n" not in str(caught.value)


def test_no_file_is_one_line(tmp_path):
    with pytest.raises(InputError, match="cannot be read: "):
        read(tmp_path / "none.csv")
    (tmp_path / "binary.csv").write_bytes(b"stage,epoch,loss,kept\n\xff\xfe\n")
    with pytest.raises(InputError, match="cannot be read: "):
        read(tmp_path / "binary.csv")
