"""What a point of a sweep measures: cycles alone, or silicon as well."""

from __future__ import annotations

import pytest

import hwsim
from hwsim import InputError
from hwsim.config.base import parse
from hwsim.config.catalog import resolve
from hwsim.config.jobs.sweep import SILICON, SweepConfig
from hwsim.cost.book import record_digest
from hwsim.sweeps.evaluate import evaluate
from hwsim.sweeps.grid import expand

RAW = {
    "name": "tiny",
    "arch": ["dense_8x8_ws", "csc_4x16"],
    "network": "lenet5",
    "grid": {"network.weight_density": [1.0, 0.25]},
    "objectives": {"cycles": "min", "bits": "min"},
}


def points(**keys):
    return expand(parse(SweepConfig, RAW | keys, "tiny"), "tiny")


def test_silicon_is_that_of_the_design_and_of_its_energy():
    for point in points(technology="sg13g2"):
        found = evaluate(point)
        area, clock = hwsim.area(point.arch)[0], hwsim.clock(point.arch)[0]
        spent = hwsim.energy(point.arch, point.network)
        assert found["area_mm2"] == area.total / 1e6
        assert found["mhz"] == clock.mhz
        assert found["time_us"] == pytest.approx(found["cycles"] / clock.mhz)
        assert found["time_area"] == pytest.approx(found["time_us"] * found["area_mm2"])
        assert found["energy_uj"] == pytest.approx(spent.total / 1e6)


def test_without_a_technology_it_is_about_cycles():
    for point in points():
        assert not set(SILICON) & set(evaluate(point))


def test_a_point_in_another_technology_is_another_point():
    plain, here, there = ({p.key for p in points(technology=t)} for t in (None, "sg13g2", "45nm"))
    assert not plain & here
    assert not here & there


def test_a_point_in_an_edited_technology_is_another_point(tmp_path):
    text = resolve("sg13g2", "tech").read_text()
    paths = [tmp_path / "one" / "mine.yaml", tmp_path / "two" / "mine.yaml"]
    for path, wire_load in zip(paths, ("0.3", "0.9"), strict=True):
        path.parent.mkdir()
        path.write_text(text.replace("wire_load: 0.3", f"wire_load: {wire_load}"))
    here, there = ({p.key for p in points(technology=str(path))} for path in paths)
    assert not here & there
    # what is in a file counts, not where it lies
    paths[1].write_text(paths[0].read_text())
    record_digest.cache_clear()
    assert {p.key for p in points(technology=str(paths[1]))} == here


def test_an_objective_of_silicon_needs_a_technology():
    with pytest.raises(InputError, match="technology: must be given for the objective time_area"):
        points(objectives={"time_area": "min", "cycles": "min"})


def test_a_sweep_has_the_columns(tmp_path):
    raw = RAW | {"technology": "sg13g2", "objectives": {"time_area": "min", "energy_uj": "min"}}
    found = hwsim.sweep(parse(SweepConfig, raw, "tiny"), tmp_path)
    assert found.counts["done"] == 4
    assert all(row["time_area"] > 0 for row in found.to_rows())
    assert (tmp_path / "pareto.png").is_file()
