"""Training learns, is repeatable, and changes only the weights that are free."""

from __future__ import annotations

import pytest

from hwsim.config.jobs.compress import TrainConfig
from hwsim.errors import InputError

SCHEDULE = TrainConfig(epochs=3, learning_rate=0.02, batch=32, shift=0, precision="float32")


def train(torch, tiny, data, schedule=SCHEDULE, *, masks=None, **options):
    """Train a network of seed 1; return the figures of each epoch, too."""
    from hwsim.models.networks.network import Network
    from hwsim.models.training.train import apply_masks, train_epoch

    torch.manual_seed(1)
    network, generator = Network(tiny), torch.Generator().manual_seed(1)
    apply_masks(network, masks or {})
    optimizer, log = None, []
    for epoch in range(schedule.epochs):
        figures, optimizer = train_epoch(
            network, data, schedule, (epoch, schedule.epochs), optimizer, generator,
            masks=masks or {}, **options,
        )  # fmt: skip
        log.append(figures)
    return network, log


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_learns_and_reports_each_epoch(torch, tiny, squares, precision):
    from hwsim.models.training.train import accuracy

    schedule = SCHEDULE.model_copy(update={"precision": precision})
    network, log = train(torch, tiny, squares, schedule)
    assert accuracy(network, squares[0], batch=70) > 0.99
    assert log[-1]["heldout_accuracy"] == accuracy(network, squares[1]) > 0.95
    assert log[-1]["loss"] < log[0]["loss"]
    assert log[0]["train_accuracy"] < log[-1]["train_accuracy"] <= 1
    # the peak is behind the warm-up, then the cosine falls
    rates = [figures["learning_rate"] for figures in log]
    assert rates[0] == SCHEDULE.learning_rate > rates[1] > 2 * rates[2] > 0


def test_a_constant_schedule_stays_at_its_peak(torch, tiny, squares):
    schedule = SCHEDULE.model_copy(update={"schedule": "constant"})
    _, log = train(torch, tiny, squares, schedule)
    assert [figures["learning_rate"] for figures in log] == [SCHEDULE.learning_rate] * 3


def test_the_same_seed_gives_the_same_network(torch, tiny, squares):
    schedule = SCHEDULE.model_copy(update={"epochs": 1, "shift": 2})
    first, _ = train(torch, tiny, squares, schedule)
    second, _ = train(torch, tiny, squares, schedule)
    for name, weight in first.state_dict().items():
        assert weight.equal(second.state_dict()[name])


def test_masked_weights_stay_zero_and_the_others_move(torch, tiny, squares):
    masks = {"conv2": torch.rand(6, 4, 2, 2) < 0.5}
    start, _ = train(torch, tiny, squares, SCHEDULE.model_copy(update={"epochs": 0}), masks=masks)
    network, _ = train(torch, tiny, squares, masks=masks)
    for name, weight in network.weights().items():
        moved = weight != start.weights()[name]
        mask = masks.get(name, torch.ones_like(moved))
        assert not weight[~mask].any()
        assert moved[mask].float().mean() > 0.9


def test_only_what_is_free_moves(torch, tiny, squares):
    """Fixed weights keep every bit in spite of weight decay and momentum; biases change."""
    masks = {"fc1": torch.rand(8, 24) < 0.8}
    free = {name: torch.rand(shape) < 0.5 for name, shape in (("conv1", (4, 1, 3, 3)),)}
    free["fc1"] = masks["fc1"] & (torch.rand(8, 24) < 0.5)
    schedule = SCHEDULE.model_copy(update={"weight_decay": 0.5})
    start, _ = train(torch, tiny, squares, SCHEDULE.model_copy(update={"epochs": 0}), masks=masks)
    network, _ = train(torch, tiny, squares, schedule, masks=masks, free=free)
    for name, weight in network.weights().items():
        before = start.weights()[name]
        if name in free:
            assert weight[~free[name]].equal(before[~free[name]])
            assert (weight != before)[free[name]].float().mean() > 0.9
        else:
            assert not weight.equal(before)
    biases = [stage.bias for _, stage in network.weighted()]
    assert not any(
        b.equal(stage.bias) for b, (_, stage) in zip(biases, start.weighted(), strict=True)
    )


def test_a_loss_that_is_no_number_is_one_line(torch, tiny, squares):
    """A failed epoch does not change the network."""
    from hwsim.models.networks.network import Network
    from hwsim.models.training.train import Dataset, train_epoch

    train, heldout = squares
    network = Network(tiny)
    network.weights()["fc1"].mul_(1e30)
    before = {name: each.clone() for name, each in network.state_dict().items()}
    bright = Dataset(train.images * 1e30, train.labels)
    with pytest.raises(
        InputError, match=r"^tiny: loss = nan: must stay finite: lower lear"
    ) as caught:
        train_epoch(network, (bright, heldout), SCHEDULE, (0, 3), None, torch.Generator(), masks={})
    assert "\n" not in str(caught.value)
    assert all(each.equal(before[name]) for name, each in network.state_dict().items())


def test_shifts_move_whole_images_and_fill_with_zeros(torch):
    from hwsim.models.training.train import shift_randomly

    image = torch.arange(1, 26, dtype=torch.float32).view(1, 1, 5, 5)
    generator = torch.Generator().manual_seed(0)
    moved = shift_randomly(image.expand(200, 2, 5, 5), 1, generator)
    assert moved.shape == (200, 2, 5, 5)
    padded = torch.nn.functional.pad(image[0, 0], (1,) * 4)
    positions = [padded[y : y + 5, x : x + 5] for y in range(3) for x in range(3)]
    found = [next(n for n, p in enumerate(positions) if p.equal(one)) for one in moved[:, 0]]
    assert set(found) == set(range(9))
    assert moved[:, 1].equal(moved[:, 0])
    assert shift_randomly(image, 0, generator) is image


def test_images_are_mirrored_by_chance(torch):
    from hwsim.models.training.train import mirror_randomly

    image = torch.arange(12, dtype=torch.float32).view(1, 1, 3, 4).expand(200, 2, 3, 4)
    mirrored = mirror_randomly(image, torch.Generator().manual_seed(0))
    flipped = torch.tensor([not one.equal(image[0]) for one in mirrored])
    assert 70 < int(flipped.sum()) < 130
    assert (mirrored[flipped] == image[0].flip(2)).all()


def test_images_held_out_are_the_last(torch, squares):
    from hwsim.models.training.train import Dataset

    data = Dataset(torch.arange(10.0).view(10, 1, 1, 1), torch.arange(10))
    train, heldout = data.split(3)
    assert (train.labels.tolist(), heldout.labels.tolist()) == (list(range(7)), [7, 8, 9])
    assert heldout.images.flatten().tolist() == [7, 8, 9]
