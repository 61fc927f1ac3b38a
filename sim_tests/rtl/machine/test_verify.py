"""``hwsim verify`` on a machine: what is equal, what is found where something differs, waves."""

from dataclasses import replace

import pytest
from harness.machine import ARRAYS, small_machine

import hwsim
from hwsim.verification.machine import random_cases, verify_machine

ARCH = small_machine()


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("verify")


def test_a_longer_list_begins_with_the_shorter_one():
    three, two = random_cases(ARCH, 3, seed=5), random_cases(ARCH, 2, seed=5)
    for one, other in zip(three, two, strict=False):
        assert one.memory == other.memory
        assert (one.prepared.results == other.prepared.results).all()
        image = one.prepared.compiled.image(one.prepared.act)
        assert (image == other.prepared.compiled.image(other.prepared.act)).all()
    assert (three[0].prepared.compiled.program.size, three[0].memory) != (
        three[1].prepared.compiled.program.size, three[1].memory,
    )  # fmt: skip


@pytest.mark.parametrize("kind", ["ws", "os", "nm"])
def test_one_case_of_five_has_a_k_that_is_cut(kind):
    def kept(case):
        jobs = [tile.job for tile in case.prepared.compiled.program.tiles]
        return sum(getattr(job, "keep", False) for job in jobs)

    alone = random_cases(small_machine(kind), 5, seed=3)
    cases = random_cases(small_machine(kind, array=ARRAYS[kind] | {"carries": True}), 5, seed=3)
    assert [case.name for case in cases] == [*(f"random_{index}" for index in range(4)), "wide_4"]
    assert kept(cases[4]) > 0
    assert [kept(case) for case in alone] == [0] * 5


def waves(folder):
    """Half cycles of the waves that a run left, each with what changes in it."""
    text = (folder / "waves.vcd").read_text().partition("$enddefinitions $end")[2]
    return {int(part.split()[0]): part.strip() for part in text.split("\n#")[1:]}


def test_random_cases_are_equal_and_leave_waves(folder):
    result = hwsim.verify(ARCH, random=4, seed=1, waves=True, out=folder)
    assert result.equal, result.to_rows()
    assert result.summary() == "4 of 4 cases equal in values and 10 counters"
    assert (folder / "waves.vcd").stat().st_size > 100_000
    row = result.to_rows()[0]
    assert row["cycles_simulator"] == row["cycles_rtl"] > 0
    # a half cycle lasts five units of time
    whole = waves(folder)
    start = min(whole)
    assert hwsim.verify(ARCH, random=4, seed=1, waves_cycles=(100, 120), out=folder).equal
    part = waves(folder)
    assert list(part) == list(range(start + 1000, start + 1200, 5))
    # the first has all signals, with or without a change
    assert all(part[time] == whole[time] for time in list(part)[1:])


def test_what_differs_is_named(folder):
    (case,) = random_cases(ARCH, 1, seed=1)
    results = case.prepared.results.copy()
    results[0, 1] += 1
    wrong = replace(case, prepared=replace(case.prepared, results=results))
    other = replace(case, memory=case.memory.model_copy(update={"latency": 7}))
    cycles = range(100, 140)
    (first,), _ = verify_machine(ARCH, [wrong], folder, waves=cycles)
    of_wrong = waves(folder)
    assert first.difference.startswith("image 0, value 1: rtl ")
    assert not first.equal
    (second,), _ = verify_machine(ARCH, [other], folder, waves=cycles)
    assert second.equal
    assert second.rtl["cycles"] < first.rtl["cycles"]
    of_other = waves(folder)
    for several, shown in (([wrong, other], of_wrong), ([case, other], of_other)):
        verify_machine(ARCH, several, folder, waves=cycles)
        assert waves(folder) == shown
    assert of_wrong != of_other


@pytest.mark.parametrize("width", [128, 256])
def test_a_wide_bus(tmp_path, width):
    """Beats of several words: 32 and 64 bits are those of other tests."""
    bus = {"data_width": width, "burst": 4, "outstanding": 2}
    result = hwsim.verify(small_machine(bus=bus), random=12, seed=2, out=tmp_path)
    assert result.equal, result.to_rows()


def test_arguments_that_contradict_each_other():
    for arguments, message in (
        ({"layers": ["conv1"]}, "layers = .* must be left out: a machine runs whole networks"),
        ({"simulator": "icarus"}, "simulator = 'icarus'"),
        ({"memory": "ideal"}, "memory: needs a network"),
        ({"random": 0}, "random = 0: must be at least 1 without a network"),
        ({"waves_cycles": (5, 5)}, r"waves_cycles = \(5, 5\): must be a cycle and a later one"),
        ({"waves_cycles": (-1, 5)}, "waves_cycles = -1: must be an integer of at least 0"),
        ({"waves_cycles": (1, 2, 3)}, "waves_cycles = .*: must be a cycle and a later one"),
    ):
        with pytest.raises(hwsim.InputError, match=message):
            hwsim.verify(ARCH, **arguments)
    with pytest.raises(hwsim.InputError, match="memory = 'ideal': must be absent: an array alone"):
        hwsim.verify("dense_8x8_ws", memory="ideal")
    with pytest.raises(hwsim.InputError, match=r"waves_cycles = .*: must be absent: waves of"):
        hwsim.verify("dense_8x8_ws", waves_cycles=(1, 2))
