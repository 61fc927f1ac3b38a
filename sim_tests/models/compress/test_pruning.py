"""Pruning reaches its constraints, keeps them through retraining, and removes dead paths."""

from __future__ import annotations

import pytest

from hwsim.workload.lowering import lower_weight


@pytest.fixture
def shapes(network):
    return [shape for shape, _ in network.weighted()]


@pytest.fixture
def masks(torch, network):
    """Masks that keep everything."""
    return {n: torch.ones_like(w, dtype=torch.bool) for n, w in network.weights().items()}


def test_nothing_is_purified_where_nothing_is_removed(shapes, masks):
    from hwsim.models.compress.pruning import purify

    assert all(mask.all() for mask in purify(shapes, masks).values())


def test_a_removed_filter_removes_the_next_layers_channel(shapes, masks):
    from hwsim.models.compress.pruning import purify

    masks["conv1"][2] = False
    masks["conv2"][5] = False
    pure = purify(shapes, masks)
    assert not pure["conv2"][:, 2].any()
    assert pure["conv2"][:5, [0, 1, 3]].all()
    # 2x2 pixels of channel 5: fc1's last four columns
    assert not pure["fc1"][:, 20:].any()
    assert pure["fc1"][:, :20].all()
    assert pure["fc2"].all()
    assert masks["fc1"].all(), "the argument is left alone"


def test_a_channel_nobody_reads_removes_its_filter(shapes, masks):
    from hwsim.models.compress.pruning import purify

    masks["fc1"][:, 4:8] = False  # channel 1 of conv2
    masks["fc2"][:, 7] = False
    pure = purify(shapes, masks)
    assert not pure["conv2"][1].any()
    assert not pure["fc1"][7].any()
    assert pure["conv1"].all()


def test_removal_runs_through_the_whole_network(shapes, masks):
    from hwsim.models.compress.pruning import purify

    masks["conv2"][:, 0] = False
    masks["conv2"][0, 1:] = False  # filter 0 now reads nothing
    pure = purify(shapes, masks)
    assert not pure["conv1"][0].any()
    assert not pure["fc1"][:, :4].any()


def test_groups_follow_their_own_channels(torch):
    from hwsim.config import NetworkConfig
    from hwsim.models.compress.pruning import purify

    config = NetworkConfig.model_validate(
        {
            "name": "net",
            "input": {"channels": 1, "height": 4, "width": 4},
            "layers": [
                {"name": "conv1", "type": "conv", "M": 4, "R": 1},
                {"name": "conv2", "type": "conv", "M": 4, "R": 1, "G": 2},
            ],
        }
    )
    masks = {
        "conv1": torch.ones(4, 1, 1, 1, dtype=torch.bool),
        "conv2": torch.ones(4, 2, 1, 1, dtype=torch.bool),
    }
    masks["conv1"][3] = False  # second channel of the second group
    pure = purify(config.shapes(), masks)
    assert pure["conv2"].flatten(1).tolist() == [[True, True]] * 2 + [[True, False]] * 2


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("keep", [0.03, 0.1, 0.4])
def test_what_is_alive_has_a_gradient(torch, residual, seed, keep):
    """With positive weights and pixels nothing cancels: a weight is alive where logits move."""
    from hwsim.models.compress.pruning import purify

    torch.manual_seed(seed)
    masks = {name: torch.rand_like(weight) < keep for name, weight in residual.weights().items()}
    pure = purify(residual.shapes, masks)
    for shape, stage in residual.weighted():
        with torch.no_grad():
            stage.weight.copy_(masks[shape.layer.name] * (0.5 + torch.rand_like(stage.weight)))
            stage.bias.zero_()
    residual.double()(torch.ones(1, 1, 8, 8, dtype=torch.double)).sum().backward()
    for shape, stage in residual.weighted():
        name = shape.layer.name
        assert pure[name].equal(masks[name] & stage.weight.grad.ne(0)), (name, seed)


def per_layer(constraints):
    from hwsim.models.constraints.joint import PerLayer

    return PerLayer(constraints)


def test_the_masks_obey_their_constraints_without_dead_paths(torch, network, shapes):
    from hwsim.models.compress.pruning import find_masks, purify
    from hwsim.models.constraints.projections import Chain, Columns, Filters, Unstructured

    constraints = {"conv2": Unstructured(0.25), "fc1": Chain((Filters(0.5), Columns(0.5)))}
    masks = find_masks(network, network.weights(), per_layer(constraints))
    assert 0 < int(masks["conv2"].sum()) <= 0.25 * 96
    assert 0 < int(masks["fc1"].any(dim=1).sum()) <= 4
    assert 0 < int(masks["fc1"].any(dim=0).sum()) <= 12
    again = purify(shapes, masks)
    assert all(mask.equal(again[name]) for name, mask in masks.items())
    dead = ~masks["fc1"].any(dim=1)
    assert dead.any()
    assert not masks["fc2"][:, dead].any()


def test_dead_filters_do_not_change_the_logits(torch, network):
    """Once its bias is cleared, a dead filter has no effect on the logits."""
    from hwsim.models.compress.pruning import clear_dead_biases, find_masks
    from hwsim.models.constraints.projections import Filters
    from hwsim.models.training.train import apply_masks

    constraints = per_layer({"conv1": Filters(0.5), "fc1": Filters(0.5)})
    masks = find_masks(network, network.weights(), constraints)
    apply_masks(network, masks)
    clear_dead_biases(network, masks)
    images = torch.rand(4, 1, 8, 8)
    before = network(images)
    dead = ~masks["conv1"].flatten(1).any(dim=1)
    assert dead.sum() == 2
    layers = {shape.layer.name: stage for shape, stage in network.weighted()}
    with torch.no_grad():  # whatever stood in the next layer's dead columns would not matter
        layers["conv2"].weight[:, dead] = 1.0
    assert network(images).equal(before)


def test_balanced_columns_are_chosen_among_what_removed_filters_leave(torch, network, shapes):
    """Late masks are chosen front to back; both banks of a layer keep equally many columns."""
    from hwsim.models.compress.pruning import find_masks
    from hwsim.models.constraints.projections import BankBalancedColumns, Chain, Filters, Lowered

    channels = {shape.layer.name: shape.C for shape in shapes}
    constraints = {
        "conv1": Chain((Filters(0.5), Lowered(1, BankBalancedColumns(0.7, 2)))),
        "conv2": Lowered(channels["conv2"], BankBalancedColumns(0.5, 2)),
        "fc1": Lowered(channels["fc1"], BankBalancedColumns(0.5, 2)),
        "fc2": Lowered(channels["fc2"], BankBalancedColumns(0.5, 2)),
    }
    masks = find_masks(network, network.weights(), per_layer(constraints))
    for shape in shapes:
        matrix = lower_weight(shape, masks[shape.layer.name].numpy())[0]
        columns = matrix.any(axis=0)
        assert columns[::2].sum() == columns[1::2].sum() > 0
    dead = ~masks["conv1"].flatten(1).any(dim=1)
    assert dead.sum() == 2
    assert not masks["conv2"][:, dead].any()
    assert int(masks["conv2"].flatten(1).any(dim=0).sum()) == 8, "all of its share, of 16"
    # a neuron of fc1 lives where fc2 reads it
    assert masks["fc1"].any(dim=1).equal(masks["fc2"].any(dim=0))


@pytest.mark.parametrize(("seed", "keep"), [(0, 1.0), (1, 0.5), (2, 0.5), (3, 0.3)])
def test_a_budget_is_spent_on_weights_that_do_something(torch, network, shapes, seed, keep):
    """Compare with the largest n weights for every n: the number alive is the largest possible."""
    from hwsim.models.compress.pruning import find_masks, purify
    from hwsim.models.constraints.joint import Budget

    torch.manual_seed(seed)
    weights = {name: torch.randn_like(weight) ** 3 for name, weight in network.weights().items()}
    weights["fc1"][:5] /= 100  # neurons that die first, and take fc2's large weights along
    masks = find_masks(network, weights, Budget(keep, tuple(weights)))
    ascending = torch.cat([weight.abs().flatten() for weight in weights.values()]).sort().values
    target = round(keep * len(ascending))
    assert (purify(shapes, masks)["fc2"] == masks["fc2"]).all()
    best = -1
    for bound in ascending:
        chosen = purify(shapes, {name: weight.abs() >= bound for name, weight in weights.items()})
        alive = sum(int(mask.sum()) for mask in chosen.values())
        if best < alive <= target:
            best, expected = alive, chosen
    assert best > 0.8 * target
    for name, mask in masks.items():
        assert mask.equal(expected[name]), name
