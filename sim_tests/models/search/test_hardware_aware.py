"""The search of hardware-aware pruning, on accuracies whose optimum is known."""

from __future__ import annotations

import json
import math

import pytest

from hwsim.errors import InputError
from hwsim.models.search.hardware_aware import Record, Search

SIZES = {"conv": 1_000_000, "fc": 100_000_000}
#: Operations of a weight: the convolution's are used at many pixels.
OPS = {"conv": 500.0, "fc": 1.0}


class Prune:
    """Accuracy falls with each halving of a layer; break-even is at the fraction ``even``."""

    def __init__(self, loss, even=None):
        self.loss = loss
        self.even = even or dict.fromkeys(SIZES, 0.5)
        self.calls = 0

    def accuracy(self, keep):
        return 0.99 - sum(self.loss[name] * -math.log2(keep[name]) for name in keep)

    def __call__(self, number, keep, restored):
        self.calls += 1
        costs = {
            name: size * OPS[name] * (1 if name in restored else keep[name] / (1 - self.even[name]))
            for name, size in SIZES.items()
        }
        return self.accuracy(keep), costs


def search(tmp_path, prune, question="q", **settings):
    settings = {
        "sizes": SIZES,
        "start": dict.fromkeys(SIZES, 0.5),
        "floor": 0.98,
        "break_even": prune.even,
        "evaluate": prune,
        "record": Record(tmp_path / "points.json", question),
        "step": 0.05,
    } | settings
    return Search(**settings)


def test_layers_go_down_in_proportion_to_their_cost_until_the_floor(tmp_path):
    prune = Prune({"conv": 0.001, "fc": 0.001})
    outcome = search(tmp_path, prune).run()
    assert outcome.finished
    best = outcome.best
    # shares 1 and 0.2; 0.98 = 0.99 - 0.001 (1 + t) - 0.001 (1 + 0.2 t): t = 8 / 1.2
    t = 8 / 1.2
    for name, share in (("conv", 1.0), ("fc", 0.2)):
        expected = math.log2(0.5) - t * share
        assert math.log2(best.kept[name] / SIZES[name]) == pytest.approx(expected, abs=0.11), name
    assert 0.98 <= best.accuracy < 0.9802


def test_the_answer_is_within_a_step_of_the_floor(tmp_path):
    for number, loss in enumerate((0.0009, 0.0011, 0.0047)):
        prune = Prune({"conv": loss, "fc": loss / 3})
        best = search(tmp_path, prune, question=str(number)).run().best
        assert best.accuracy >= 0.98
        finer = {name: kept / SIZES[name] * 2**-0.1 for name, kept in best.kept.items()}
        assert prune.accuracy(finer) < 0.98, f"loss {loss}"


def test_a_layer_under_break_even_is_restored_and_the_others_go_further(tmp_path):
    # conv is so sensitive that the floor is met before it is pruned by the 90 % it needs
    prune = Prune({"conv": 0.004, "fc": 0.0002}, even={"conv": 0.9, "fc": 0.5})
    outcome = search(tmp_path, prune).run()
    best = outcome.best
    assert outcome.finished
    assert best.restored == ["conv"]
    assert best.kept["conv"] == SIZES["conv"]
    before = [p for p in outcome.points if not p.restored and p.accuracy >= 0.98]
    assert best.kept["fc"] < min(p.kept["fc"] for p in before)
    assert best.cost < min(p.cost for p in before)
    # alone, fc may lose 0.01 at 0.0002 a halving: it goes to its last weight
    assert best.kept["fc"] == 1


def test_a_layer_that_never_breaks_even_is_dense(tmp_path):
    prune = Prune({"conv": 0.0, "fc": 0.001})
    best = search(tmp_path, prune, break_even={"conv": None, "fc": 0.0}).run().best
    assert best.restored == ["conv"]


def test_a_layer_that_is_not_to_be_pruned_stays_dense(tmp_path):
    prune = Prune({"conv": 1.0, "fc": 0.001})
    outcome = search(tmp_path, prune, start={"fc": 0.5}).run()
    assert outcome.best.restored == ["conv"]
    assert all(point.kept["conv"] == SIZES["conv"] for point in outcome.points)


def test_a_start_below_the_floor_is_raised(tmp_path):
    prune = Prune({"conv": 0.004, "fc": 0.004})
    start = {"conv": 0.05, "fc": 0.05}
    best = search(tmp_path, prune, start=start, break_even=dict.fromkeys(SIZES, 0.0)).run().best
    # 0.004 a halving of each: 1.25 halvings of both
    assert best.kept["fc"] / SIZES["fc"] == pytest.approx(2**-1.25, rel=0.05)
    assert best.accuracy >= 0.98


def test_a_floor_above_the_dense_network_is_refused(tmp_path):
    prune = Prune({"conv": 0.004, "fc": 0.004})
    with pytest.raises(InputError, match=r"bound = 0\.995: must be met by the dense network"):
        search(tmp_path, prune, floor=0.995).run()


def test_a_search_that_was_killed_goes_on_without_doing_anything_twice(tmp_path):
    loss, even = {"conv": 0.004, "fc": 0.0002}, {"conv": 0.9, "fc": 0.5}
    expected = search(tmp_path, Prune(loss, even)).run()
    points = [point.kept for point in expected.points]
    assert len({(str(p.kept), str(p.restored)) for p in expected.points}) == len(points)
    (tmp_path / "points.json").unlink()

    class Killed(Exception):
        pass

    class Mortal(Prune):
        def __call__(self, number, keep, restored):
            if self.calls == 3:
                raise Killed
            return super().__call__(number, keep, restored)

    done = 0
    for _ in range(100):
        prune = Mortal(loss, even)
        try:
            outcome = search(tmp_path, prune).run()
        except Killed:
            done += prune.calls
            continue
        done += prune.calls
        break
    assert outcome == expected
    assert done == len(points)


def test_the_record_of_another_question_is_not_continued(tmp_path):
    prune = Prune({"conv": 0.001, "fc": 0.001})
    search(tmp_path, prune, question="one").run()
    other = Prune({"conv": 0.001, "fc": 0.001})
    search(tmp_path, other, question="two").run()
    assert other.calls == prune.calls
    assert json.loads((tmp_path / "points.json").read_text())["question"] == "two"


def test_the_best_so_far_counts_when_evaluations_are_used_up(tmp_path):
    prune = Prune({"conv": 0.001, "fc": 0.001})
    outcome = search(tmp_path, prune, limit=3).run()
    assert not outcome.finished
    assert len(outcome.points) == 3
    good = [point for point in outcome.points if point.accuracy >= 0.98]
    assert outcome.best.cost == min(point.cost for point in good)


def test_no_good_point_within_the_evaluations_is_an_error(tmp_path):
    prune = Prune({"conv": 0.01, "fc": 0.01})
    start = {"conv": 0.001, "fc": 0.001}
    with pytest.raises(InputError, match="evaluations = 2: must be enough to find a network"):
        search(tmp_path, prune, start=start, limit=2).run()
