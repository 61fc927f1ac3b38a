"""Distillation: its loss, by hand, and a network that learns from a teacher's logits alone."""

from __future__ import annotations

import numpy as np
import pytest

from hwsim.config.jobs.compress import TrainConfig


def softmax(logits):
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize(("weight", "temperature"), [(0.25, 1.0), (0.5, 4.0), (1.0, 2.0)])
def test_the_loss_is_hintons(torch, weight, temperature):
    from hwsim.models.training.distil import Teacher

    rng = np.random.default_rng(5)
    logits, soft = rng.normal(size=(2, 6, 3)) * 3
    labels = np.array([0, 2, 1, 1, 0, 2])
    p, q = softmax(soft / temperature), softmax(logits / temperature)
    hard = -np.log(softmax(logits)[np.arange(6), labels]).mean()
    divergence = (p * (np.log(p) - np.log(q))).sum(axis=1).mean()
    expected = (1 - weight) * hard + weight * temperature**2 * divergence
    teacher = Teacher(torch.from_numpy(soft), weight, temperature)
    found = teacher.loss(torch.from_numpy(logits), torch.from_numpy(labels))
    assert float(found) == pytest.approx(expected)


def test_a_teacher_is_followed_image_by_image(torch, tiny, squares):
    """Labels that are wrong everywhere do no harm where the teacher has all the weight."""
    from hwsim.models.networks.network import Network
    from hwsim.models.training.distil import Teacher
    from hwsim.models.training.train import Dataset, accuracy, train_epoch

    data, heldout = squares
    wrong = (data.labels + 1) % 3
    teacher = Teacher(8.0 * torch.nn.functional.one_hot(data.labels, 3), 1.0, 2.0)
    schedule = TrainConfig(epochs=6, learning_rate=0.02, batch=32, shift=0, precision="float32")
    torch.manual_seed(1)
    network, generator, optimizer = Network(tiny), torch.Generator().manual_seed(1), None
    for epoch in range(6):
        _, optimizer = train_epoch(
            network, (Dataset(data.images, wrong, teacher), heldout), schedule, (epoch, 6),
            optimizer, generator, masks={},
        )  # fmt: skip
    assert accuracy(network, heldout) > 0.95
