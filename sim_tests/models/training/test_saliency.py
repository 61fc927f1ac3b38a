"""Importance of weights: from torch's gradients, and on one scale for all layers."""

from __future__ import annotations

import pytest


@pytest.fixture
def masks(torch, network):
    """Purified masks without conv2's filter 2 and with holes in fc1, which the network obeys."""
    from hwsim.models.compress.pruning import clear_dead_biases, purify
    from hwsim.models.training.train import apply_masks

    masks = {name: torch.ones_like(w, dtype=torch.bool) for name, w in network.weights().items()}
    masks["conv2"][2] = False
    masks["fc1"] = torch.rand(8, 24) < 0.6
    masks = purify(network.shapes, masks)
    apply_masks(network, masks)
    clear_dead_biases(network, masks)
    return masks


def gradients(torch, network, data, batches):
    """Gradients of each batch on the whole network, by torch alone."""
    found = []
    for batch in batches:
        network.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(data.images[batch]), data.labels[batch])
        loss.backward()
        found.append({s.layer.name: m.weight.grad.clone() for s, m in network.weighted()})
    return found


@pytest.mark.parametrize("regrow", [False, True])
def test_scores_are_the_change_of_loss_that_gradients_foretell(
    torch, network, masks, squares, regrow
):
    """Three batches on a slim copy, against the formula on the whole network."""
    from hwsim.models.networks.slim import slim
    from hwsim.models.training.saliency import Saliency

    data, batches = squares[0], torch.arange(300).split(100)
    copy, saliency = slim(network, masks), Saliency()
    assert copy.network.weights()["conv2"].shape[0] == 5
    for batch in batches:
        gradients(torch, copy.network, data, [batch])
        saliency.add(copy.network)
    saliency.give_back(copy, network)
    scores = saliency.scores(network.weights(), masks, regrow=regrow)
    each = gradients(torch, network, data, batches)
    for name, weight in network.weights().items():
        by_batch = torch.stack([gradient[name] for gradient in each])
        mask = masks[name]
        expected = (by_batch * weight).square().mean(dim=0).sqrt()
        typical = float(weight[mask].norm()) / int(mask.sum()) ** 0.5
        gone = by_batch.mean(dim=0).abs() * typical if regrow else torch.zeros_like(weight)
        expected = torch.where(mask, expected, gone)
        assert scores[name].allclose(expected, rtol=1e-3, atol=1e-8), name
    assert bool(scores["fc1"][~masks["fc1"]].any()) is regrow
    assert not scores["conv2"][2].any(), "nothing flows through a filter that is gone"


def test_what_the_loss_does_not_read_scores_nothing(torch, network, squares):
    """Large weights on a pixel that is always dark are the least important of all."""
    from hwsim.config.jobs.compress import TrainConfig
    from hwsim.models.training.saliency import Saliency
    from hwsim.models.training.train import train_epoch

    network.weights()["fc2"][:, 3] = 50.0
    network.weights()["fc1"][3] = 0
    dict(network.named_parameters())["stages.3.bias"].data[3] = -1.0
    schedule = TrainConfig(
        epochs=1, learning_rate=1e-6, weight_decay=0, shift=0, precision="float32"
    )
    saliency = Saliency()
    train_epoch(
        network, squares, schedule, (0, 1), None, torch.Generator(), masks={}, saliency=saliency
    )
    scores = saliency.scores(network.weights(), {}, regrow=False)
    assert not scores["fc2"][:, 3].any()
    assert scores["fc2"][:, [0, 1, 2]].any()
