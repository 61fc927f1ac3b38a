"""The alternating direction method of multipliers finds constrained optima."""

from __future__ import annotations

from itertools import combinations

import pytest

from hwsim.config.jobs.compress import TrainConfig

SIZE = 6


@pytest.fixture
def quadratic(torch):
    """``f(w) = 1/2 w'Hw - b'w`` with H positive definite, and its least w >= 0, by brute force."""
    factor = torch.randn(SIZE + 2, SIZE, dtype=torch.float64)
    hessian, slope = factor.T @ factor, 3 * torch.randn(SIZE, dtype=torch.float64)
    best, least = torch.zeros(SIZE, dtype=torch.float64), 0.0
    for count in range(1, SIZE + 1):
        for chosen in map(list, combinations(range(SIZE), count)):
            w = torch.zeros(SIZE, dtype=torch.float64)
            w[chosen] = torch.linalg.solve(hessian[chosen][:, chosen], slope[chosen])
            value = float(w @ hessian @ w / 2 - slope @ w)
            if (w >= 0).all() and value < least:
                best, least = w, value
    assert 0 < best.count_nonzero() < SIZE, "the constraint must matter"
    return hessian, slope, best


def not_negative(weights):
    return {name: weight.clamp(min=0) for name, weight in weights.items()}


@pytest.mark.parametrize("growth", [1.0, 1.02])
def test_converges_to_the_constrained_optimum(torch, quadratic, growth):
    """With an exact W-step both residuals vanish."""
    from hwsim.models.compress.admm import Split

    hessian, slope, best = quadratic
    split = Split.start({"w": torch.zeros_like(slope)}, not_negative, 1.0)
    residuals = []
    for _ in range(150):
        pull = split.pulls()["w"]
        w = torch.linalg.solve(
            hessian + pull.rho * torch.eye(SIZE, dtype=torch.float64),
            slope + pull.rho * pull.target,
        )
        primal, dual = split.update({"w": w}, not_negative, growth)
        residuals.append(primal["w"] + dual["w"])
    assert torch.allclose(split.z["w"], best, atol=1e-6)
    assert torch.allclose(w, best, atol=1e-6)
    assert residuals[-1] < 1e-6 < residuals[0]
    # rho U is the multiplier of w >= 0: minus the gradient of f
    assert torch.allclose(split.rho * split.u["w"], slope - hessian @ best, atol=1e-4)


def test_an_iteration_is_the_papers(torch):
    """Z = P(W + U), U = U + W - Z; U shrinks as rho grows, so that the multiplier rho U stays."""
    from hwsim.models.compress.admm import Split

    weights = {"a": torch.randn(3, 4), "b": torch.randn(5)}
    split = Split.start({n: torch.randn_like(w) for n, w in weights.items()}, not_negative, 0.5)
    split.u = {name: torch.randn_like(weight) for name, weight in weights.items()}
    u, z = dict(split.u), dict(split.z)
    primal, dual = split.update(weights, not_negative, 1.5)
    assert split.rho == 0.75
    for name, weight in weights.items():
        expected = (weight + u[name]).clamp(min=0)
        assert split.z[name].equal(expected)
        assert torch.allclose(split.rho * split.u[name], 0.5 * (u[name] + weight - expected))
        size = weight.norm()
        assert primal[name] == pytest.approx(float((weight - expected).norm() / size))
        assert dual[name] == pytest.approx(float((expected - z[name]).norm() / size))


def test_it_begins_at_the_projection(torch):
    from hwsim.models.compress.admm import Split

    weights = {"a": torch.randn(7)}
    split = Split.start(weights, not_negative, 2.0)
    assert split.z["a"].equal(weights["a"].clamp(min=0))
    assert not split.u["a"].any()
    weights["a"].zero_()
    assert split.z["a"].any(), "a copy"
    target = split.pulls()["a"].target
    assert (target.equal(split.z["a"]), split.pulls()["a"].rho) == (True, 2.0)


def test_the_penalty_is_the_squared_distance(torch, tiny, squares):
    """Training equals autograd of loss + rho/2 ||W - Z + U||^2 with the same optimizer.

    The penalty is not part of the loss that is reported.
    """
    from hwsim.models.compress.admm import Split
    from hwsim.models.networks.network import Network
    from hwsim.models.training.train import train_epoch

    data = squares[0]
    network, reference = Network(tiny), Network(tiny)
    reference.load_state_dict(network.state_dict())
    split = Split.start(network.weights(), lambda w: {n: w[n] / 2 for n in ("conv2", "fc1")}, 0.7)
    split.u = {name: 0.1 * torch.randn_like(z) for name, z in split.z.items()}

    schedule = TrainConfig(
        epochs=4, learning_rate=0.01, batch=len(data), shift=0, schedule="constant",
        precision="float32", weight_decay=0.1,
    )  # fmt: skip
    state, losses, expected = None, [], []
    optimizer = torch.optim.AdamW(reference.parameters(), lr=0.01, weight_decay=0.1)
    for epoch in range(4):
        figures, state = train_epoch(
            network, squares, schedule, (epoch, 4), state, torch.Generator(), masks={},
            pulls=split.pulls(),
        )  # fmt: skip
        losses.append(figures["loss"])
        optimizer.zero_grad()
        loss = torch.nn.functional.cross_entropy(reference(data.images), data.labels)
        expected.append(float(loss.detach()))
        for shape, stage in reference.weighted():
            name = shape.layer.name
            if name in split.z:
                distance = stage.weight - split.z[name] + split.u[name]
                loss = loss + 0.7 / 2 * distance.square().sum()
        loss.backward()
        optimizer.step()
    assert losses == pytest.approx(expected, rel=1e-4)
    for name, weight in network.weights().items():
        assert torch.allclose(weight, reference.weights()[name], atol=1e-5), name
