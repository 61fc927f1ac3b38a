"""Gradual pruning: its pace, its ends, what may return and what may not."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hwsim.config.jobs.compress import GradualConfig, TrainConfig

TRAIN = TrainConfig(epochs=6, learning_rate=0.02, batch=50, shift=0, precision="float32")


def prune(torch, network, squares, constraints, regrow=0.0, masks=None):
    """Run the stage; return its log, and the masks and weights after each epoch."""
    from hwsim.models.compress.gradual import Gradual
    from hwsim.models.compress.stages import State, run_stages
    from hwsim.models.training.train import apply_masks

    apply_masks(network, masks or {})
    state = State(network, torch.Generator().manual_seed(0), masks=dict(masks or {}))
    seen = []

    def remember(state):
        weights = {name: weight.clone() for name, weight in network.weights().items()}
        seen.append((dict(state.masks), weights))

    stage = Gradual("gradual", constraints, GradualConfig(train=TRAIN, regrow=regrow))
    run_stages([stage], state, squares, save=remember)
    assert state.anchor == {}
    return state.log, seen


def budget(network, keep):
    from hwsim.models.constraints.joint import Budget

    return Budget(keep, tuple(network.weights()))


def count(masks):
    return sum(int(mask.sum()) for mask in masks.values())


@pytest.mark.parametrize("regrow", [0.0, 0.7])
def test_the_pace_is_cubic_from_what_was_left_to_the_budget(torch, network, squares, regrow):
    total = sum(weight.numel() for weight in network.weights().values())
    masks = {"fc1": torch.rand(8, 24) < 0.5}
    begun = total - int((~masks["fc1"]).sum())
    log, seen = prune(torch, network, squares, budget(network, 0.2), regrow, masks)
    for epoch, (after, weights) in enumerate(seen, 1):
        left = 0.2 * total + (begun - 0.2 * total) * (1 - epoch / 6) ** 3
        # a filter that comes or goes takes its other weights with it
        assert 0.9 * left - 1 <= count(after) <= left + 1, epoch
        for name, weight in weights.items():
            assert not weight[~after[name]].any()
            assert log[epoch - 1].weights[name] == int(weight.count_nonzero())
    assert log[-1].heldout_accuracy > 0.6


def test_weights_return_until_late_and_never_after(torch, network, squares):
    masks = {"fc1": torch.rand(8, 24) < 0.3}
    _, seen = prune(torch, network, squares, budget(network, 0.3), 0.5, masks)
    returned = [
        sum(int((after[name] & ~before[name]).sum()) for name in after)
        for (before, _), (after, _) in pairwise(seen)
    ]
    assert sum(returned[:2]) > 0, "of steps 2 and 3"
    assert returned[2:] == [0, 0, 0]
    # a weight that returned is trained from 0
    came = {name: seen[2][0][name] & ~seen[1][0][name] for name in seen[2][0]}
    assert not any(seen[2][1][name][mask].any() for name, mask in came.items())
    assert any(seen[3][1][name][mask].any() for name, mask in came.items())


def test_without_regrow_masks_only_shrink(torch, network, squares):
    masks = {"fc1": torch.rand(8, 24) < 0.5}
    _, seen = prune(torch, network, squares, budget(network, 0.2), 0.0, masks)
    for (before, _), (after, _) in pairwise(seen):
        assert not any((after[name] & ~before[name]).any() for name in after)
    assert not (seen[0][0]["fc1"] & ~masks["fc1"]).any()


def test_a_layer_without_constraint_gets_nothing_back(torch, network, squares):
    from hwsim.models.constraints.joint import PerLayer
    from hwsim.models.constraints.projections import Filters

    masks = {"fc2": torch.rand(3, 8) < 0.7}
    constraints = PerLayer({"fc1": Filters(0.5)})
    _, seen = prune(torch, network, squares, constraints, 0.9, masks)
    for after, _ in seen:
        assert not (after["fc2"] & ~masks["fc2"]).any()
    assert int(seen[-1][0]["fc1"].any(dim=1).sum()) <= 4
    assert int(seen[0][0]["fc1"].any(dim=1).sum()) > 4


def test_whole_filters_go_by_importance_and_not_by_norm(torch, network, squares):
    """A neuron with large weights that is never active goes first."""
    from hwsim.models.constraints.joint import PerLayer
    from hwsim.models.constraints.projections import Filters

    network.weights()["fc1"][2] = -5.0
    dict(network.named_parameters())["stages.3.bias"].data[2] = -50.0
    network.weights()["conv2"].abs_()
    network.weights()["conv1"].abs_()
    _, seen = prune(torch, network, squares, PerLayer({"fc1": Filters(0.5)}))
    neurons = [masks["fc1"].any(dim=1) for masks, _ in seen]
    first = next(each for each in neurons if not each.all())
    assert not first[2]


def test_a_pattern_does_not_bring_back_what_was_removed(torch, network, squares):
    """A pattern keeps four taps of a kernel, whatever they are worth."""
    from hwsim.models.constraints.joint import PerLayer
    from hwsim.models.constraints.projections import Pattern

    masks = {"conv1": torch.rand(4, 1, 3, 3) < 0.4}
    _, seen = prune(torch, network, squares, PerLayer({"conv1": Pattern(8)}), 0.0, masks)
    for after, _ in seen:
        assert not (after["conv1"] & ~masks["conv1"]).any()
    assert int(seen[-1][0]["conv1"].flatten(1).sum(dim=1).max()) <= 4
