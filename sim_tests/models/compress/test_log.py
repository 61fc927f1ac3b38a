"""A training log comes back as it was written, or is refused in one line."""

from __future__ import annotations

import pytest

from hwsim.errors import InputError
from hwsim.models.compress.log import Epoch, read, write

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


def test_what_is_written_comes_back_with_a_column_per_layer_of_residuals(tmp_path):
    plain = Epoch("train", 1, 2e-3, 0.25, 0.9, 0.91, 1.0)
    split = Epoch(
        "prune", 1, 1e-3, 0.125, 0.95, 0.96, 0.5, 3e-3, {"a": 0.5, "b": 0.25}, {"a": 0.0, "b": 1e-3}
    )
    counted = Epoch("retrain", 1, 1e-3, 0.1, 0.9, 0.9, 0.5, weights={"b": 3, "c": 4})
    first, second, third = read(write(tmp_path / "log.csv", [plain, split, counted]))
    assert {key: value for key, value in third.items() if key.startswith("weights_")} == {
        "weights_b": 3, "weights_c": 4,
    }  # fmt: skip
    assert (second["weights_b"], third["primal_a"]) == (None, None)
    assert first["heldout_accuracy"] == 0.91
    assert (first["rho"], first["primal_a"]) == (None, None)
    assert (second["stage"], second["epoch"], second["rho"]) == ("prune", 1, 3e-3)
    assert {key: value for key, value in second.items() if "al_" in key} == {
        "primal_a": 0.5, "primal_b": 0.25, "dual_a": 0.0, "dual_b": 1e-3,
    }  # fmt: skip


def test_the_same_epochs_are_the_same_bytes(tmp_path):
    epoch = Epoch("ADMM, 1", 1, 1 / 3, 2.5e-7, 0.99, 0.98, 1.0, 1e-3, {"fc1": 0.5}, {"fc1": 0.0})
    assert write(tmp_path / "log.csv", [epoch]).read_text() == (
        "stage,epoch,learning_rate,loss,train_accuracy,heldout_accuracy,kept,rho,primal_fc1,dual_fc1"
        '\n"ADMM, 1",1,0.333333,2.5e-07,0.99,0.98,1,0.001,0.5,0\n'
    )


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
