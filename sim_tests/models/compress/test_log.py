"""The log that a run writes is the log that is read."""

from __future__ import annotations

from hwsim.models.compress.log import read


def test_residuals_come_back_in_a_column_a_layer(torch, tmp_path):
    from hwsim.models.compress.pipeline import _csv
    from hwsim.models.training.train import Epoch

    plain = Epoch("train", 1, 2e-3, 0.25, 0.9, 0.91, 1.0)
    split = Epoch(
        "prune", 1, 1e-3, 0.125, 0.95, 0.96, 0.5, 3e-3, {"a": 0.5, "b": 0.25}, {"a": 0.0, "b": 1e-3}
    )
    (tmp_path / "log.csv").write_text(_csv([plain, split]))
    first, second = read(tmp_path / "log.csv")
    assert first["heldout_accuracy"] == 0.91
    assert (first["rho"], first["primal_a"]) == (None, None)
    assert (second["stage"], second["epoch"], second["rho"]) == ("prune", 1, 3e-3)
    assert {key: value for key, value in second.items() if "al_" in key} == {
        "primal_a": 0.5, "primal_b": 0.25, "dual_a": 0.0, "dual_b": 1e-3,
    }  # fmt: skip
