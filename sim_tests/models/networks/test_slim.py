"""A network without its dead filters computes and learns the same."""

from __future__ import annotations

import pytest

from hwsim.config import NetworkConfig
from hwsim.config.jobs.compress import TrainConfig
from hwsim.errors import InputError


@pytest.fixture
def masks(torch, network):
    """Purified masks without conv1's filter 1, conv2's 0 and 3, fc1's 2 and 5, with other holes.

    The network obeys them.
    """
    from hwsim.models.compress.pruning import clear_dead_biases, purify
    from hwsim.models.training.train import apply_masks

    masks = {name: torch.rand_like(weight) < 0.8 for name, weight in network.weights().items()}
    masks["conv1"][1] = False
    masks["conv2"][[0, 3]] = False
    masks["fc1"][[2, 5]] = False
    masks = purify(network.shapes, masks)
    apply_masks(network, masks)
    clear_dead_biases(network, masks)
    return masks


def test_only_what_is_alive_is_left(torch, network, masks):
    from hwsim.models.networks.slim import slim

    copy = slim(network, masks)
    shapes = {name: tuple(weight.shape) for name, weight in copy.network.weights().items()}
    # 2x2 pixels of each of conv2's 4 filters enter fc1
    assert shapes == {"conv1": (3, 1, 3, 3), "conv2": (4, 3, 2, 2), "fc1": (6, 16), "fc2": (3, 6)}
    assert copy.rows["conv2"].tolist() == [1, 2, 4, 5]
    assert copy.columns["fc1"].tolist() == [*range(4, 12), *range(16, 24)]
    for name, weight in network.weights().items():
        taken = copy.take(name, weight)
        assert taken.equal(copy.network.weights()[name])
        assert taken.count_nonzero() == weight.count_nonzero(), "nothing alive is left out"


def test_the_logits_are_the_same(torch, network, masks):
    from hwsim.models.networks.slim import slim

    images = torch.rand(20, 1, 8, 8)
    logits = slim(network, masks).network(images)
    assert torch.allclose(logits, network(images), atol=1e-6)


def test_learns_what_the_whole_network_learns_under_its_masks(
    torch, network, masks, squares, monkeypatch
):
    """Train two epochs of AdamW with a pull, decay and momentum; only the order of sums differs."""
    from hwsim.models.networks.network import Network
    from hwsim.models.networks.slim import slim
    from hwsim.models.training import train as training

    pulls = {name: training.Pull(w.clone() / 2, 0.1) for name, w in network.weights().items()}
    schedule = TrainConfig(epochs=2, learning_rate=0.01, batch=50, shift=1, precision="float32")

    def trained(how):
        result = Network(network.config)
        result.load_state_dict(network.state_dict())
        monkeypatch.setattr(training, "slim", how)
        generator, state = torch.Generator().manual_seed(5), None
        for epoch in range(2):
            _, state = training.train_epoch(
                result, squares, schedule, (epoch, 2), state, generator, masks=masks, pulls=pulls
            )
        return result.state_dict()

    narrow = trained(slim)
    whole = trained(lambda network, masks: slim(network, {}))
    for name, value in network.state_dict().items():
        assert torch.allclose(narrow[name], whole[name], atol=1e-5), name
        assert not narrow[name].equal(value)
    for name, mask in masks.items():
        index = [shape.layer.name for shape in network.shapes].index(name)
        assert not narrow[f"stages.{index}.weight"][~mask].any()


def test_what_was_learnt_is_given_back(torch, network, masks):
    from hwsim.models.networks.network import Network
    from hwsim.models.networks.slim import slim

    copy = slim(network, masks)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    copy.give_back(network)
    assert all(value.equal(before[name]) for name, value in network.state_dict().items())
    with torch.no_grad():
        for parameter in copy.network.parameters():
            parameter.add_(1)
    copy.give_back(network)
    assert isinstance(network, Network)
    for shape, stage in network.weighted():
        name = shape.layer.name
        outside = torch.ones_like(stage.weight, dtype=torch.bool)
        outside[copy.rows[name][:, None], copy.columns[name]] = False
        assert not stage.weight.detach()[outside].any()
        assert copy.take(name, stage.weight).equal(dict(copy.network.weights())[name])


def test_residual_sums_keep_their_channels(torch, residual, squares):
    """Filters inside a block go; those that are summed stay, and a dead one's bias stays 0."""
    from hwsim.models.compress.pruning import clear_dead_biases, purify
    from hwsim.models.networks.slim import slim
    from hwsim.models.training.train import apply_masks, train_epoch

    masks = {name: torch.rand_like(weight) < 0.7 for name, weight in residual.weights().items()}
    masks["a1"][[0, 3]] = False
    masks["b1"][2] = False
    masks["proj2"][1] = False
    masks = purify(residual.shapes, masks)
    apply_masks(residual, masks)
    clear_dead_biases(residual, masks)
    copy = slim(residual, masks)
    sizes = {name: tuple(weight.shape[:2]) for name, weight in copy.network.weights().items()}
    assert sizes == {
        "conv1": (4, 1), "a1": (3, 4), "b1": (4, 3), "a2": (6, 4), "b2": (6, 6), "proj2": (6, 4),
        "fc1": (3, 6),
    }  # fmt: skip
    images = torch.rand(20, 1, 8, 8)
    before = residual(images)
    assert torch.allclose(copy.network(images), before, atol=1e-6)
    schedule = TrainConfig(epochs=1, learning_rate=0.01, batch=50, precision="float32")
    generator = torch.Generator().manual_seed(5)
    train_epoch(residual, squares, schedule, (0, 1), None, generator, masks=masks)
    assert not torch.allclose(residual(images), before, atol=1e-3)
    biases = {shape.layer.name: stage.bias for shape, stage in residual.weighted()}
    assert biases["b1"][2] == biases["proj2"][1] == 0
    assert biases["b1"][[0, 1, 3]].all()


def test_normalization_is_trained_and_given_back(torch, residual, squares):
    from hwsim.models.training.train import train_epoch

    residual.normalize()
    before = {name: value.clone() for name, value in residual.state_dict().items()}
    schedule = TrainConfig(epochs=1, learning_rate=0.01, batch=50, precision="float32")
    generator = torch.Generator().manual_seed(5)
    train_epoch(residual, squares, schedule, (0, 1), None, generator, masks={})
    after = residual.state_dict()
    assert after.keys() == before.keys()
    moved = ("weight", "bias", "running_mean", "running_var", "num_batches_tracked")
    norms = [name for name in after if name.startswith("norms.")]
    assert {name.rsplit(".", 1)[1] for name in norms} == set(moved)
    assert not any(after[name].equal(before[name]) for name in norms)


def test_layers_in_groups_are_copied_whole(torch):
    from hwsim.models.networks.network import Network
    from hwsim.models.networks.slim import slim

    layers = [
        {"name": "conv1", "type": "conv", "M": 4, "R": 1},
        {"name": "conv2", "type": "conv", "M": 4, "R": 1, "G": 2},
        {"name": "fc1", "type": "fc", "M": 2},
    ]
    shape = {"channels": 1, "height": 2, "width": 2}
    network = Network(NetworkConfig.model_validate({"name": "n", "input": shape, "layers": layers}))
    mask = torch.ones(4, 1, 1, 1, dtype=torch.bool)
    mask[3] = False
    copy = slim(network, {"conv1": mask})
    for name, weight in network.weights().items():
        assert copy.network.weights()[name].equal(weight)
    images = torch.rand(3, 1, 2, 2)
    assert copy.network(images).equal(network(images))


def test_a_layer_without_weights_is_refused(torch, network):
    from hwsim.models.networks.slim import slim

    mask = torch.zeros(8, 24, dtype=torch.bool)
    with pytest.raises(InputError, match=r"^tiny: layers\.fc1 = 0: must keep at least one weight"):
        slim(network, {"fc1": mask})
