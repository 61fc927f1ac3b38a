"""Training learns, repeats itself, and respects masks."""

from __future__ import annotations

import pytest

from hwsim.config.compress import TrainConfig

SCHEDULE = TrainConfig(epochs=3, learning_rate=0.02, batch=32, shift=0)


@pytest.fixture
def data(torch):
    """Three classes: the place of a bright square."""
    from models.training import Dataset

    labels = torch.arange(300) % 3
    images = 0.2 * torch.rand(300, 1, 8, 8)
    for place in range(3):
        images[labels == place, :, 2 * place : 2 * place + 3, 1:7] += 0.7
    return Dataset(images, labels)


def run(torch, tiny, data, schedule=SCHEDULE, **options):
    from models.networks import Network
    from models.training import train

    torch.manual_seed(1)
    network = Network(tiny)
    generator = torch.Generator().manual_seed(1)
    return network, train(network, data, schedule, generator, "train", **options)


def test_learns_and_reports_each_epoch(torch, tiny, data):
    from models.training import accuracy

    seen = []
    network, log = run(torch, tiny, data, report=seen.append)
    assert accuracy(network, data, batch=70) > 0.99
    assert seen == log
    assert [(epoch.stage, epoch.epoch) for epoch in log] == [("train", n) for n in (1, 2, 3)]
    assert log[-1].loss < log[0].loss
    assert log[0].learning_rate == SCHEDULE.learning_rate
    assert log[-1].learning_rate < 0.5 * SCHEDULE.learning_rate


def test_the_same_seed_gives_the_same_network(torch, tiny, data):
    schedule = SCHEDULE.model_copy(update={"epochs": 1, "shift": 2})
    first, _ = run(torch, tiny, data, schedule)
    second, _ = run(torch, tiny, data, schedule)
    for name, weight in first.weights().items():
        assert weight.equal(second.weights()[name])


def test_masked_weights_stay_zero(torch, tiny, data):
    masks = {"conv2": torch.zeros(6, 4, 2, 2, dtype=torch.bool)}
    masks["conv2"][::2] = True
    network, log = run(torch, tiny, data, masks=masks)
    weight = network.weights()["conv2"]
    assert not weight[1::2].any()
    assert weight[::2].ne(0).all()
    total = sum(w.numel() for w in network.weights().values())
    assert log[-1].kept == 1 - 48 / total


def test_a_penalty_pulls_the_weights(torch, tiny, data):
    def towards_zero(network):
        return sum(stage.weight.square().sum() for _, stage in network.weighted())

    free, _ = run(torch, tiny, data)
    pulled, _ = run(torch, tiny, data, penalty=towards_zero)
    norms = [
        sum(float(w.square().sum()) for w in network.weights().values())
        for network in (free, pulled)
    ]
    assert norms[1] < 0.5 * norms[0]


def test_shifts_move_whole_images_and_fill_with_zeros(torch):
    from models.training import shift_randomly

    image = torch.arange(1, 26, dtype=torch.float32).view(1, 1, 5, 5)
    generator = torch.Generator().manual_seed(0)
    moved = shift_randomly(image.expand(200, 2, 5, 5), 1, generator)
    assert moved.shape == (200, 2, 5, 5)
    padded = torch.nn.functional.pad(image[0, 0], (1,) * 4)
    places = [padded[y : y + 5, x : x + 5] for y in range(3) for x in range(3)]
    found = [next(n for n, p in enumerate(places) if p.equal(one)) for one in moved[:, 0]]
    assert set(found) == set(range(9))
    assert moved[:, 1].equal(moved[:, 0])
    assert shift_randomly(image, 0, generator) is image
