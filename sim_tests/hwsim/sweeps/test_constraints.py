"""Which bounds a point misses, and by how much."""

from __future__ import annotations

from hwsim.config.jobs.sweep import BoundConfig
from hwsim.sweeps.constraints import misses, violation

BOUNDS = {
    "area_mm2": BoundConfig(max=5.0),
    "accuracy_percent": BoundConfig(min=98.9),
    "port_bits": BoundConfig(min=8, max=256),
}
FINE = {"area_mm2": 5.0, "accuracy_percent": 98.9, "port_bits": 256}


def said(result: dict[str, float], least: dict[str, float] | None = None) -> list[str]:
    return [str(miss) for miss in misses(BOUNDS, result, least)]


def test_a_bound_itself_is_met() -> None:
    assert said(FINE) == []
    assert violation(misses(BOUNDS, FINE)) == 0


def test_each_miss_says_by_how_much() -> None:
    assert said({"area_mm2": 6.0, "accuracy_percent": 88.9, "port_bits": 4}) == [
        "area_mm2 = 6 must be at most 5: off by 1, 20.0%",
        "accuracy_percent = 88.9 must be at least 98.9: off by 10, 10.1%",
        "port_bits = 4 must be at least 8: off by 4, 50.0%",
    ]
    assert violation(misses(BOUNDS, FINE | {"area_mm2": 6.0, "port_bits": 512})) == 1.2


def test_what_has_no_value_meets_nothing() -> None:
    assert said({"accuracy_percent": 99.0, "port_bits": 64}) == ["area_mm2 is not measured here"]


def test_of_what_only_the_least_is_known_only_a_maximum_is_missed() -> None:
    assert said({"port_bits": 64}, {"area_mm2": 4.0, "accuracy_percent": 0.0}) == []
    assert said({}, {"port_bits": 4}) == []
    assert said({"port_bits": 64}, {"area_mm2": 6.0}) == [
        "area_mm2 = 6 or more must be at most 5: off by 1, 20.0%"
    ]
