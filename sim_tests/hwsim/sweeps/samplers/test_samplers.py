"""Samplers: what they ask for, how often, and whether what they hear helps."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hwsim.config.base import parse
from hwsim.config.jobs.sweep import SweepConfig
from hwsim.errors import InputError
from hwsim.sweeps.samplers.base import NOTHING, Outcome, Sampler
from hwsim.sweeps.samplers.choose import sampler_of
from hwsim.sweeps.samplers.nsga2 import NSGA2, ranks
from hwsim.sweeps.space import Space
from hwsim.system import extras

SIZES = [1 << n for n in range(8)]


def space(sampler: dict[str, Any] | str, shard: tuple[int, int] = (1, 1)) -> tuple[Space, Sampler]:
    """Two runs of 4,096 and of 64 points, and a sampler of them."""
    raw = {
        "name": "test",
        "network": "lenet5",
        "runs": {
            "large": {
                "arch": "dense_8x8_ws",
                "grid": {
                    "arch.array.rows": list(range(1, 65)),
                    "arch.array.cols": list(range(1, 65)),
                },
            },
            "small": {
                "arch": "csc_8x8",
                "grid": {"arch.array.pes": SIZES, "arch.array.fifo_depth": SIZES},
            },
        },
        "objectives": {"cycles": "min", "multipliers": "min"},
        "sampler": sampler,
    }
    config = parse(SweepConfig, raw, "test.yaml")
    made = Space(config, "test.yaml")
    return made, sampler_of(config, made, "test.yaml", shard)


def search(made: Space, sampler: Sampler, judge: Callable[[dict[str, Any]], Outcome]) -> list[int]:
    """Ask until nothing is asked for, and tell what a function says of each point's fields."""
    asked: list[int] = []
    while batch := sampler.ask():
        asked += batch
        for number in batch:
            sampler.tell(number, judge(made.fields(number)))
    return asked


def nothing(fields: dict[str, Any]) -> Outcome:
    return NOTHING


def test_exhaustive_asks_for_every_point_once_shard_by_shard() -> None:
    asked = [search(*space("exhaustive", (part, 3)), nothing) for part in (1, 2, 3)]
    assert sorted(itertools.chain(*asked)) == list(range(4096 + 64))
    assert asked[1][:3] == [1, 4, 7]


def test_exhaustive_is_never_a_list() -> None:
    assert isinstance(space("exhaustive")[1].ask(), range)


@pytest.mark.parametrize("kind", ["sobol", "nsga2"])
@pytest.mark.parametrize("points", [100, 700, 100_000])
def test_points_are_asked_for_once_and_no_more_than_there_are(kind: str, points: int) -> None:
    made, sampler = space({"kind": kind, "points": points, "seed": 5})
    asked = search(made, sampler, lambda fields: Outcome((1.0, 1.0)))
    assert len(set(asked)) == len(asked) <= min(points, len(made))
    if points < len(made):
        assert len(asked) == points == sampler.total
    assert all(0 <= number < len(made) for number in asked)


@pytest.mark.parametrize("kind", ["sobol", "nsga2"])
def test_a_seed_decides(kind: str) -> None:
    def judge(fields: dict[str, Any]) -> Outcome:
        return Outcome((float(fields.get("arch.array.rows", 0)), 1.0))

    first, again, other = (
        search(*space({"kind": kind, "points": 150, "seed": seed}), judge) for seed in (1, 1, 2)
    )
    assert first == again != other


def test_sobol_is_spread_evenly_over_runs_and_values() -> None:
    made, sampler = space({"kind": "sobol", "points": 512, "seed": 3})
    fields = [made.fields(number) for number in search(made, sampler, nothing)]
    rows = [f["arch.array.rows"] for f in fields if f["run"] == "large"]
    assert len(rows) == pytest.approx(512 * 4096 / 4160, abs=8)
    quarters = [sum(16 * n < row <= 16 * (n + 1) for row in rows) for n in range(4)]
    assert max(quarters) - min(quarters) < 20


def test_shards_of_sobol_are_its_points() -> None:
    keys = {"kind": "sobol", "points": 90, "seed": 3}
    whole = search(*space(keys), nothing)
    parts = [search(*space(keys, (part, 2)), nothing) for part in (1, 2)]
    assert parts == [whole[::2], whole[1::2]]


def trade(fields: dict[str, Any]) -> Outcome:
    """Rows against 64 - rows, both the worse the farther the columns are from 37; small is worse.

    The front is the 64 points of 37 columns.
    """
    if fields["run"] == "small":
        return Outcome((200.0, 200.0))
    rows, off = fields["arch.array.rows"], abs(fields["arch.array.cols"] - 37)
    return Outcome((rows + 2.0 * off, 64 - rows + 2.0 * off))


def on_front(made: Space, asked: list[int]) -> int:
    return sum(made.fields(number).get("arch.array.cols") == 37 for number in asked)


def test_nsga2_finds_the_front_where_sobol_hits_it_by_chance() -> None:
    found = {}
    for kind in ("sobol", "nsga2"):
        made, sampler = space({"kind": kind, "points": 600, "population": 50, "seed": 4})
        found[kind] = on_front(made, search(made, sampler, trade))
    print("seed 4, points of 64 on the front:", found)
    assert found["sobol"] < 20
    assert found["nsga2"] > 40


def test_nsga2_goes_where_points_are_feasible() -> None:
    """A corner of 1.2 % of the points is feasible; farther away the violation grows."""

    def judge(fields: dict[str, Any]) -> Outcome:
        if fields["run"] == "small":
            return NOTHING
        rows, cols = fields["arch.array.rows"], fields["arch.array.cols"]
        outside = max(0, rows - 7) + max(0, cols - 7)
        return Outcome(None if outside > 60 else (float(rows), float(-cols)), float(outside))

    made, sampler = space({"kind": "nsga2", "points": 400, "population": 40, "seed": 6})
    asked = search(made, sampler, judge)
    feasible = sum(judge(made.fields(number)).violation == 0 for number in asked)
    assert feasible > 30


def test_of_equal_rank_nsga2_keeps_the_ends_and_what_is_alone() -> None:
    _, sampler = space({"kind": "nsga2", "points": 12, "population": 4, "seed": 1})
    assert isinstance(sampler, NSGA2)
    crowded = [(5.0, 5.0), (5.1, 4.9), (5.2, 4.8), (4.9, 5.1), (5.05, 4.95)]
    ends_and_alone = [(0.0, 10.0), (10.0, 0.0), (2.5, 7.5)]
    costs = iter([*crowded, *ends_and_alone])
    kept: dict[int, tuple[float, float]] = {}
    for _ in range(2):
        for number in sampler.ask():
            kept[number] = next(costs)
            sampler.tell(number, Outcome(kept[number]))
    sampler.ask()
    assert {kept[number] for number in sampler.parents} > set(ends_and_alone)


OUTCOMES = st.lists(
    st.builds(
        Outcome,
        st.none() | st.tuples(*[st.integers(0, 4).map(float)] * 2),
        st.sampled_from([0.0, 0.0, 0.5, 2.0, float("inf")]),
    ),
    max_size=12,
)


@given(OUTCOMES)
def test_ranks_follow_the_rule_for_constraints(outcomes: list[Outcome]) -> None:
    def beats(one: Outcome, other: Outcome) -> bool:
        feasible = [o.costs is not None and o.violation == 0 for o in (one, other)]
        if feasible == [True, True]:
            assert one.costs is not None
            assert other.costs is not None
            pairs = list(zip(one.costs, other.costs, strict=True))
            return all(a <= b for a, b in pairs) and any(a < b for a, b in pairs)
        if not any(feasible):
            return 0 < one.violation < other.violation
        return feasible[0]

    rank = ranks(outcomes)
    for i, one in enumerate(outcomes):
        for j, other in enumerate(outcomes):
            if beats(one, other):
                assert rank[i] < rank[j], (one, other)


def test_optuna_finds_more_of_the_front_than_chance() -> None:
    made, sampler = space({"kind": "optuna", "points": 200, "seed": 4})
    asked = search(made, sampler, trade)
    assert len(asked) == 200
    found = on_front(made, asked)
    print("seed 4, of 200 points on the front:", found)
    # by chance 200 / 64 of them
    assert found > 10


def test_optuna_takes_points_without_a_result() -> None:
    made, sampler = space({"kind": "optuna", "points": 40, "seed": 4})
    assert len(search(made, sampler, nothing)) == 40


def test_optuna_that_is_absent_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extras, "find_spec", lambda module: None)
    with pytest.raises(InputError) as caught:
        space({"kind": "optuna", "points": 4})
    assert str(caught.value) == (
        "environment: optuna: is not installed: pip install 'hwsim[optuna]'"
    )


def test_what_cannot_be_sharded_or_is_too_large_is_refused() -> None:
    with pytest.raises(InputError, match="must be exhaustive or sobol with --shard"):
        space({"kind": "nsga2", "points": 4}, (1, 2))
    with pytest.raises(InputError, match="points must be given for kind sobol"):
        space("sobol")
    with pytest.raises(InputError, match="points must be absent for kind exhaustive"):
        space({"kind": "exhaustive", "points": 4})


def test_a_space_of_any_size_has_points_and_is_not_looked_at_whole() -> None:
    axes = {f"arch.array.{name}": list(range(1, 257)) for name in ("rows", "cols", "acc_depth")}
    raw = {
        "name": "huge", "arch": "dense_8x8_ws", "network": "lenet5", "grid": axes,
        "images": list(range(1, 257)), "objectives": {"cycles": "min", "multipliers": "min"},
    }  # fmt: skip
    config = parse(SweepConfig, raw, "huge.yaml")
    made = Space(config, "huge.yaml")
    assert len(made) == 256**4
    assert made[len(made) - 1].fields["arch.array.acc_depth"] == 256
    with pytest.raises(InputError) as caught:
        sampler_of(config, made, "huge.yaml")
    assert str(caught.value) == (
        "huge.yaml: sampler.kind = 'exhaustive': must be sobol, nsga2 or optuna: the space has "
        "4,294,967,296 points, and exhaustive takes at most 100,000"
    )
    sampled = parse(SweepConfig, raw | {"sampler": {"kind": "sobol", "points": 64}}, "huge.yaml")
    assert len(set(sampler_of(sampled, made, "huge.yaml").ask())) == 64

    more = {f"network.layers.{name}.weight_density": [n / 256 for n in range(1, 257)] for name in
            ("conv1", "conv2", "fc1", "fc2")}  # fmt: skip
    config = parse(SweepConfig, raw | {"grid": axes | more, "images": [1]}, "huge.yaml")
    many = parse(SweepConfig, raw | {"grid": axes | more}, "huge.yaml")
    assert len(Space(config, "huge.yaml")) == 256**7
    with pytest.raises(InputError, match=r"grid: must have less than 2\^63 points, not 1.8e\+19"):
        Space(many, "huge.yaml")


@given(st.integers(0, 4159))
def test_a_number_has_its_coordinates(number: int) -> None:
    made, _ = space("exhaustive")
    assert made.number(*made.coordinates(number)) == number
