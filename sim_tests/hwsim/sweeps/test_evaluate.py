"""What a point of a sweep measures: cycles alone, or silicon as well."""

from __future__ import annotations

import numpy as np
import pytest

import hwsim
from hwsim import InputError
from hwsim.config.base import parse
from hwsim.config.catalog import resolve
from hwsim.config.jobs.metrics import SILICON
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.cost.book import record_digest
from hwsim.inference.operands import checkpoint_operands
from hwsim.sweeps import known
from hwsim.sweeps.evaluate import evaluate
from hwsim.sweeps.known import result_of
from hwsim.sweeps.space import Space
from hwsim.sweeps.store import Store

RAW = {
    "name": "tiny",
    "arch": ["dense_8x8_ws", "csc_4x16"],
    "network": "lenet5",
    "grid": {"network.weight_density": [1.0, 0.25]},
    "objectives": {"cycles": "min", "bits": "min"},
}


def evaluated(point):
    return evaluate(point).metrics


def points(**keys):
    return list(Space(parse(SweepConfig, RAW | keys, "tiny"), "tiny"))


def test_silicon_is_that_of_the_design_and_of_its_energy():
    for point in points(technology="sg13g2"):
        found = evaluated(point)
        area, clock = hwsim.area(point.arch)[0], hwsim.clock(point.arch)[0]
        spent = hwsim.energy(point.arch, point.network)
        assert found["area_mm2"] == area.total / 1e6
        assert found["mhz"] == clock.mhz
        assert found["time_us"] == pytest.approx(found["cycles"] / clock.mhz)
        assert found["time_area"] == pytest.approx(found["time_us"] * found["area_mm2"])
        assert found["energy_uj"] == pytest.approx(spent.total / 1e6)


def test_without_a_technology_it_is_about_cycles():
    for point in points():
        assert not set(SILICON) & set(evaluated(point))


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


REAL = {"arch": "csc_8x8", "weights": ["lenet5_nonstructured_85x"], "images": [2], "grid": {}}


def test_real_weights_are_those_of_the_study():
    (point,) = points(**REAL)
    found = evaluated(point)
    result = hwsim.simulate("csc_8x8", "lenet5", "lenet5_nonstructured_85x", images=2)
    assert found["cycles"] == result.cycles
    assert found["cycles_per_image"] == result.cycles / 2
    assert found["bits"] == result.bits.total
    moved = result.arch.array.traffic(result.arch.numbers, result.counts.events)
    assert found["traffic_bytes"] == sum(moved.values()) / 8
    info = hwsim.read_checkpoint("lenet5_nonstructured_85x").info
    assert found["accuracy_percent"] == pytest.approx(100 * info["accuracy"], abs=1e-9)
    assert found["accuracy_heldout_percent"] == pytest.approx(
        100 * info["accuracy_heldout"], abs=1e-9
    )


def test_fitted_memories_are_those_of_hwsim_fit():
    (point,) = points(**REAL, fit=True, technology="sg13g2")
    found = evaluated(point)
    fitted = hwsim.fit("csc_8x8", "lenet5", "lenet5_nonstructured_85x", images=2).after
    assert found["cycles"] == fitted.cycles
    for depth in ("entry_depth", "acc_depth", "col_depth"):
        assert found[f"fitted.{depth}"] == getattr(fitted.arch.array, depth)
    (plain,) = points(**REAL, technology="sg13g2")
    assert found["area_mm2"] < evaluated(plain)["area_mm2"]
    assert point.key != plain.key


def test_a_machine_with_a_memory_is_another_point_with_its_own_cycles():
    memory = ["lpddr4_3200_x32", None]
    keys = {"arch": "machine_dense_8x8_ws", "weights": ["lenet5_structured_10x"], "grid": {}}
    machine, alone = points(**keys, memory=memory, technology="sg13g2")
    found = evaluated(machine)
    run = hwsim.run_machine(
        "machine_dense_8x8_ws", "lenet5", "lenet5_structured_10x", memory="lpddr4_3200_x32"
    )
    assert found["cycles"] == run.cycles
    moved = sum(sum(layer.moved.values()) for layer in run.layers())
    assert found["traffic_bytes"] == moved
    assert found["area_mm2"] == hwsim.area("machine_dense_8x8_ws")[0].total / 1e6
    assert evaluated(alone)["area_mm2"] < found["area_mm2"]
    assert (
        evaluated(alone)["cycles"]
        == hwsim.simulate("machine_dense_8x8_ws", "lenet5", "lenet5_structured_10x").cycles
    )


def test_weights_of_another_width_and_a_memory_without_a_machine_are_invalid():
    (point,) = points(**REAL | {"arch": "csc_4x16_w4"})
    assert point.error == (
        "sweep: weights = 'lenet5_nonstructured_85x': must have weights of 4 bits for "
        "csc_4x16_w4, not 8"
    )
    (point,) = points(**REAL, memory=["ideal"])
    assert "must be absent: the design is an array alone" in point.error


def test_names_decide_nothing_and_contents_do(tmp_path):
    (point,) = points(**REAL)
    copy = tmp_path / "renamed.yaml"
    copy.write_text(resolve("csc_8x8", "arch").read_text().replace("name: csc_8x8", "name: other"))
    (renamed,) = points(**REAL | {"arch": str(copy)})
    assert renamed.key == point.key
    (other,) = points(**REAL | {"weights": ["lenet5_nonstructured_40x"]})
    assert other.key != point.key


@pytest.mark.parametrize("fit", [False, True])
def test_a_point_that_is_known_gives_the_result_again(tmp_path, fit, monkeypatch):
    (point,) = points(**REAL, technology="sg13g2", fit=fit)
    with Store.open(tmp_path / "s.sqlite") as store:
        first = result_of(point, store)
        monkeypatch.setattr(known, "evaluate", None)
        again = result_of(point, store)
    assert first.layers == again.layers
    assert first.arch.array == again.arch.array
    if fit:
        fitted = hwsim.fit("csc_8x8", "lenet5", "lenet5_nonstructured_85x", images=2).after
        assert again.layers == fitted.layers
        assert again.arch.array == fitted.arch.array
        assert again.border == fitted.border
    else:
        plain = hwsim.simulate("csc_8x8", "lenet5", "lenet5_nonstructured_85x", images=2)
        assert again.layers == plain.layers
        assert again.border == plain.border


def test_a_point_that_does_not_fit_says_so_again(tmp_path):
    (point,) = points(**REAL | {"grid": {"arch.array.col_depth": [2]}})
    with Store.open(tmp_path / "s.sqlite") as store:
        said = []
        for _ in range(2):
            with pytest.raises(InputError) as caught:
                result_of(point, store)
            said.append(str(caught.value))
    assert said[0] == said[1]


def test_memories_that_may_lose_more_are_smaller_and_another_point():
    tight, loose = points(**REAL, technology="sg13g2", fit=True, slack=[0.01, 1.0])
    assert tight.key != loose.key
    assert [point.fields["slack"] for point in (tight, loose)] == [0.01, 1.0]
    (same,) = points(**REAL, technology="sg13g2", fit=True)
    assert same.key == tight.key
    first, second = evaluated(tight), evaluated(loose)
    assert second["memories_mm2"] < first["memories_mm2"]
    assert first["cycles"] < second["cycles"] <= 2 * 1.01 * first["cycles"]
    with pytest.raises(InputError, match="slack: must be absent without fit"):
        points(**REAL, technology="sg13g2", slack=[1.0])


@pytest.mark.parametrize("name", ["csc_8x8", "bitmask_64"])
def test_pes_are_deep_enough_for_the_weights_of_all_layers(name):
    (point,) = points(**REAL | {"arch": name}, technology="sg13g2", fit=True)
    found, pes = evaluated(point), point.arch.array.pes
    operands = checkpoint_operands(point.network, "lenet5_nonstructured_85x", 2)
    held = np.zeros(pes, int)
    columns = 0
    for layer in operands.values():
        (weight,) = layer.weights
        # filters are dealt in turn
        np.add.at(held, np.arange(len(weight)) % pes, np.count_nonzero(weight, axis=1))
        columns += weight.shape[1] + 1
    depth = found["resident.entry_depth"]
    assert depth & (depth - 1) == 0
    if name == "bitmask_64":
        assert depth == 1 << (int(held.max()) - 1).bit_length()
    else:
        # padding comes to that
        assert depth >= held.max()
        assert found["resident.col_depth"] == 1 << (columns - 1).bit_length()
