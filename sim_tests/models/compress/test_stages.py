"""The stages of a recipe: the state that each one leaves, and saving that state."""

from __future__ import annotations

from itertools import pairwise

import pytest

from hwsim.config import NumberConfig
from hwsim.config.jobs.compress import ADMMConfig, FixConfig, TrainConfig

TRAIN = TrainConfig(epochs=1, learning_rate=0.05, batch=50, shift=0, precision="float32")
ADMM = ADMMConfig(iterations=6, rho=0.3, growth=2, train=TRAIN)


@pytest.fixture
def codes(network):
    from hwsim.models.quantization.codes import Codes

    return {
        name: Codes(NumberConfig(weight_width=bits, weight_code=code))
        for name, (code, bits) in zip(
            network.weights(),
            (("int", 4), ("levels", 2), ("ternary", 2), ("pow2", 3)),
            strict=True,
        )
    }


@pytest.fixture
def state(torch, network):
    """The tiny network at the beginning of a run, half of fc1 removed."""
    from hwsim.models.compress.stages import State
    from hwsim.models.training.train import apply_masks

    masks = {"fc1": torch.rand(8, 24) < 0.5}
    apply_masks(network, masks)
    return State(network, torch.Generator().manual_seed(0), masks=masks)


def run(stage, state, data, after=lambda state: None):
    from hwsim.models.compress.stages import run_stages

    run_stages([stage], state, data, save=after)
    assert (state.stage, state.epoch) == (1, 0)
    return state.log


def distance(codes, state) -> float:
    """Relative distance of the weights inside the masks to their levels."""
    found = []
    for name, weight in state.network.weights().items():
        inside = weight[state.masks[name]] if name in state.masks else weight
        found.append(float((inside - codes[name].project(inside)).norm() / inside.norm()))
    return max(found)


def test_admm_goes_to_the_levels_and_leaves_holes_alone(torch, state, squares, codes):
    from hwsim.models.compress.stages import Levels

    before = distance(codes, state)
    log = run(Levels("quantize", codes, ADMM), state, squares)
    assert distance(codes, state) < 0.4 * before
    assert [epoch.rho for epoch in log] == pytest.approx([0.3 * 2**n for n in range(6)])
    assert sum(log[-1].primal.values()) < 0.4 * sum(log[0].primal.values())
    assert not state.network.weights()["fc1"][~state.masks["fc1"]].any()
    assert state.network.weights()["fc1"][state.masks["fc1"]].all()
    assert (state.split, state.anchor) == (None, {})


def test_z_and_u_move_once_an_iteration(torch, state, squares, codes):
    """In iterations of two epochs the second epoch has the residuals and raises rho."""
    from hwsim.models.compress.stages import Levels

    config = ADMM.model_copy(
        update={"iterations": 2, "train": TRAIN.model_copy(update={"epochs": 2})}
    )
    log = run(Levels("quantize", codes, config), state, squares)
    assert [bool(epoch.primal) for epoch in log] == [False, True, False, True]
    assert [epoch.rho for epoch in log] == pytest.approx([0.3, 0.3, 0.6, 0.6])


def test_admm_prunes_where_it_hurts_least(torch, network, squares):
    """Weights shrink before they are removed; the remaining ones obey the constraint."""
    from hwsim.models.compress.stages import Prune, State
    from hwsim.models.constraints.joint import PerLayer
    from hwsim.models.constraints.projections import Filters, Unstructured

    constraints = PerLayer({"conv2": Unstructured(0.25), "fc1": Filters(0.5)})
    state = State(network, torch.Generator().manual_seed(0))
    last = {}

    def remember(state):
        last.update({name: weight.clone() for name, weight in network.weights().items()})

    log = run(Prune("prune", constraints, ADMM), state, squares, remember)
    assert all(epoch.kept == 1 for epoch in log)
    for name in ("conv2", "fc1"):
        assert log[-1].primal[name] < 0.4 * log[0].primal[name]
        removed = ~state.masks[name]
        assert not network.weights()[name][removed].any()
        assert last[name][removed].norm() < 0.2 * last[name].norm()
        assert network.weights()[name][~removed].equal(last[name][~removed])
    assert 0 < int(state.masks["conv2"].sum()) <= 24
    neurons = state.masks["fc1"].any(dim=1)
    assert neurons.sum() == 4
    # what only they fed, or was fed by, is gone
    assert not state.masks["fc2"][:, ~neurons].any()
    stages = {shape.layer.name: stage for shape, stage in network.weighted()}
    assert not stages["fc1"].bias[~neurons].any()


def test_without_admm_the_projection_alone_prunes(torch, network, squares):
    from hwsim.models.compress.stages import Prune, State
    from hwsim.models.constraints.joint import PerLayer
    from hwsim.models.constraints.projections import Unstructured

    state = State(network, torch.Generator())
    before = network.weights()["fc1"].clone()
    log = run(Prune("prune", PerLayer({"fc1": Unstructured(0.25)}), None), state, squares)
    assert log == []
    left = network.weights()["fc1"]
    smallest = before[left != 0].abs().min()
    assert int((left != 0).sum()) == 48
    assert (before[left == 0].abs() <= smallest).all()


def test_the_closest_are_fixed_step_by_step(torch, state, squares, codes):
    """Fixed weights keep their level to the last bit; the others are trained."""
    from hwsim.models.compress.stages import Fix

    steps = [0.4, 0.75, 1.0]
    config = FixConfig(steps=steps, train=TRAIN.model_copy(update={"epochs": 2}))
    seen = []

    def remember(state):
        weights = {name: weight.clone() for name, weight in state.network.weights().items()}
        seen.append((weights, {name: free.clone() for name, free in state.free.items()}))

    stage = Fix("fix", codes, config)
    assert stage.epochs == 6
    run(stage, state, squares, remember)
    remember_end = {name: weight.clone() for name, weight in state.network.weights().items()}
    assert state.free is None
    for name, weight in remember_end.items():
        mask = state.masks.get(name, torch.ones_like(weight, dtype=torch.bool))
        integers = weight / state.scales[name]
        allowed = codes[name].levels
        gaps = (integers[mask][:, None] - allowed).abs().min(dim=1).values
        assert gaps.max() < 1e-5
        assert not weight[~mask].any()
        total = int(mask.sum())
        # after each epoch: how many are still free; a step is fixed after the last epoch before it
        counts = [int(free[name].sum()) for _, free in seen]
        left = [total - round(step * total) for step in steps]
        assert counts == [left[0], left[1], left[1], left[2], left[2], left[2]]
        for (earlier, free), (later, after) in pairwise(seen):
            assert not (after[name] & ~free[name]).any(), "never free again"
            assert later[name][~free[name]].equal(earlier[name][~free[name]])
            if after[name].any():
                assert (later[name] != earlier[name])[after[name]].float().mean() > 0.5


def test_the_first_to_be_fixed_are_the_closest(torch, state, codes):
    from hwsim.models.compress.stages import Fix

    before = {name: weight.clone() for name, weight in state.network.weights().items()}
    Fix("fix", codes, FixConfig(steps=[0.5, 1.0], train=TRAIN)).begin(state)
    for name, weight in before.items():
        mask = state.masks.get(name, torch.ones_like(weight, dtype=torch.bool))
        free, scale = state.free[name], state.scales[name]
        gaps = (weight - codes[name].nearest(weight, scale) * scale).abs()
        assert gaps[mask & ~free].max() <= gaps[free].min()
        assert not (free & ~mask).any()
        assert scale == pytest.approx(codes[name].fit(weight[mask]))
        assert state.network.weights()[name][free].equal(weight[free])


def test_straight_through_training_ends_on_levels(torch, state, squares, codes):
    from hwsim.models.compress.stages import Train
    from hwsim.models.training.train import accuracy

    config = TRAIN.model_copy(update={"epochs": 4})
    log = run(Train("quantized", config, codes), state, squares)
    assert distance(codes, state) < 1e-5
    assert log[-1].heldout_accuracy > 0.9
    assert accuracy(state.network, squares[1]) == log[-1].heldout_accuracy


def test_a_state_comes_back_from_its_file(torch, state, squares, codes, tmp_path):
    """A state is restored whole, random numbers included, but not for another recipe."""
    from hwsim.models.compress.stages import Levels, State
    from hwsim.models.networks.network import Network

    path = tmp_path / "state.pt"
    stage = Levels("quantize", codes, ADMM)

    class Stop(Exception):
        pass

    def save(state):
        state.save(path, "mine")
        if state.epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        run(stage, state, squares, save)
    other = State(Network(state.network.config), torch.Generator())
    assert not other.restore(path, "another")
    assert other.log == []
    assert other.restore(path, "mine")
    for key in ("stage", "epoch", "log", "scales"):
        assert getattr(other, key) == getattr(state, key)
    for key in ("z", "u"):
        for name, value in getattr(state.split, key).items():
            assert getattr(other.split, key)[name].equal(value)
    assert other.split.rho == state.split.rho
    assert other.masks["fc1"].equal(state.masks["fc1"])
    for name, weight in state.network.state_dict().items():
        assert other.network.state_dict()[name].equal(weight)
    draws = [torch.rand(3, generator=each.generator) for each in (state, other)]
    assert draws[0].equal(draws[1])


@pytest.mark.parametrize("damage", ["absent", "empty", "text", "cut", "foreign"])
def test_a_file_that_is_no_state_is_passed_over(torch, state, tmp_path, damage):
    path = tmp_path / "state.pt"
    state.save(path, "mine")
    whole = path.read_bytes()
    if damage == "absent":
        path.unlink()
    elif damage == "foreign":
        torch.save(["mine"], path)
    else:
        middle = len(whole) // 2
        path.write_bytes(
            {
                "empty": b"",
                "text": b"epoch 3",
                "cut": whole[:middle],
            }[damage]
        )
    before = {name: value.clone() for name, value in state.network.state_dict().items()}
    assert state.restore(path, "mine") is False
    assert all(v.equal(before[name]) for name, v in state.network.state_dict().items())
