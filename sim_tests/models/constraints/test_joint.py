"""A recipe's constraints become one projection of the whole network, or one clear line."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.config import NetworkConfig
from hwsim.config.base import parse
from hwsim.config.jobs.compress import ConstraintConfig, PruneConfig
from hwsim.errors import InputError
from hwsim.workload.lowering import lower_weight, weight_shape

NET = {
    "name": "net",
    "input": {"channels": 2, "height": 8, "width": 8},
    "layers": [
        {"name": "conv1", "type": "conv", "M": 6, "R": 3},
        {"name": "conv2", "type": "conv", "M": 4, "R": 3, "G": 2},
        {"name": "pool1", "type": "maxpool", "R": 2, "stride": 2},
        {"name": "fc1", "type": "fc", "M": 5},
        {"name": "fc2", "type": "fc", "M": 3},
    ],
}
#: Weights of conv1, conv2, fc1, fc2.
COUNTS = {"conv1": 108, "conv2": 108, "fc1": 80, "fc2": 15}
fuzz = settings(
    deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def net() -> NetworkConfig:
    return NetworkConfig.model_validate(NET)


@pytest.fixture
def weights(torch, net):
    """Random weights of every layer, in PyTorch's shapes."""
    shapes = [shape for shape in net.shapes() if shape.has_weights]
    return {shape.layer.name: torch.randn(weight_shape(shape)) for shape in shapes}


def prune(**keys) -> PruneConfig:
    return parse(PruneConfig, {"retrain": {"epochs": 1}, **keys}, "recipe")


def build(net, **keys):
    from hwsim.models.constraints.recipe import build, check

    config = prune(**keys)
    check("recipe", config, net)
    return build(config, net)


def matrices(net, name, weight):
    shape = next(shape for shape in net.shapes() if shape.layer.name == name)
    return lower_weight(shape, weight.numpy())


def test_blocks_begin_with_each_tap(torch, net, weights):
    joint = build(net, layers={"fc1": {"nm": {"n": 1, "m": 3, "taps": True}}})
    (mask,) = matrices(net, "fc1", joint.masks(weights)["fc1"])
    shape = next(shape for shape in net.shapes() if shape.layer.name == "fc1")
    assert shape.C % 3
    taps = mask.reshape(-1, shape.C)
    kept = [taps[:, first : first + 3].sum(axis=1) for first in range(0, shape.C, 3)]
    assert (np.array(kept) == 1).all()


def test_layers_obey_their_own_constraints(torch, net, weights):
    joint = build(net, layers={"conv1": {"filters": 0.5}, "fc1": {"unstructured": 0.25}})
    masks = joint.masks(weights)
    assert joint.names == tuple(masks) == ("conv1", "fc1")
    assert int(masks["conv1"].flatten(1).any(dim=1).sum()) == 3
    assert int(masks["fc1"].sum()) == 20
    projected = joint.project(weights)
    assert set(projected) == {"conv1", "fc1"}, "ADMM splits no other layer"
    for name, mask in masks.items():
        assert projected[name].equal(weights[name] * mask)
    half = joint.relaxed(0.5).masks(weights)
    assert int(half["fc1"].sum()) == 50


def test_a_budget_is_shared_by_all_layers(torch, net, weights):
    """The largest magnitudes of the whole network are kept; counted by hand."""
    joint = build(net, budget={"unstructured": 0.1})
    masks = joint.masks(weights)
    assert joint.names == tuple(COUNTS) == tuple(masks)
    everything = np.concatenate([weight.abs().flatten().numpy() for weight in weights.values()])
    threshold = np.sort(everything)[-31]
    assert sum(int(mask.sum()) for mask in masks.values()) == 31
    for name, mask in masks.items():
        assert mask.equal(weights[name].abs() >= threshold)
    assert int(joint.relaxed(0.5).masks(weights)["conv1"].sum()) > int(masks["conv1"].sum())
    assert joint.frozen(weights) == joint


def test_relaxing_begins_at_what_is_left(torch, net, weights):
    """A quarter of each layer is left: half of the way to the constraint is half of the rest."""
    for name, weight in weights.items():
        smallest = weight.abs().flatten().sort().values[round(0.75 * weight.numel())]
        weights[name] = weight * (weight.abs() >= smallest)
    left = sum(int(weight.count_nonzero()) for weight in weights.values())
    shared = build(net, budget={"unstructured": 0.05}).begun(weights)
    target = round(0.05 * 311)
    for progress, count in ((0.0, left), (0.5, (left + 0.05 * 311) / 2), (1.0, target)):
        masks = shared.relaxed(progress).masks(weights)
        assert sum(int(mask.sum()) for mask in masks.values()) == round(count)
    keys = {"fc1": {"unstructured": 0.1, "filters": 0.8}, "conv1": {"columns": 0.5}}
    weights["conv1"][:, 1] = 0
    weights["conv1"][:, 0] = 1
    alone = build(net, layers=keys).begun(weights)
    assert int(alone.relaxed(0).masks(weights)["fc1"].sum()) == 20
    half = alone.relaxed(0.5).masks(weights)
    assert int(half["fc1"].sum()) == round((20 + 8) / 2)
    # 9 of 18 columns are left, and as many are asked for
    assert int(half["conv1"][0].sum()) == 9


@pytest.mark.parametrize(
    ("layer", "keep", "expected"),
    [
        ("conv1", {"filters": 0.4, "columns": 0.3}, (4, 4)),
        ("conv1", {"filters": 0.55, "columns": 0.6}, (4, 12)),
        ("conv1", {"filters": 0.2, "columns": 0.05}, (4, 4)),
        ("conv1", {"filters": 1.0, "columns": 1.0}, (6, 16)),
        ("fc1", {"filters": 0.5}, (4, 16)),
        ("fc2", {"filters": 0.5}, (3, 5)),
    ],
)
def test_what_is_left_fills_the_array(torch, net, weights, tmp_path, layer, keep, expected):
    """4 x 4 PEs: filters and columns in fours, or all there are of the filters."""
    path = tmp_path / "mini.yaml"
    array = "{family: dense, dataflow: ws, rows: 4, cols: 4, acc_depth: 16}"
    path.write_text(f"name: mini\ndescription: 4x4\narray: {array}\n")
    joint = build(net, layers={layer: keep}, fill=str(path))
    mask = joint.masks(weights)[layer].flatten(1)
    assert (int(mask.any(dim=1).sum()), int(mask.any(dim=0).sum())) == expected
    if "columns" in keep:
        assert tuple(joint.late) == (layer,), "columns are counted after dead paths are gone"
        # on the way any number may be left, and no filter waits for the columns
        assert not joint.relaxed(0.5).late
        half = joint.relaxed(0.5).masks(weights)[layer].flatten(1)
        assert int(half.any(dim=1).sum()) == round((6 + expected[0]) / 2)


def test_columns_that_died_leave_a_smaller_multiple(torch, net, weights):
    """Of 18 columns 11 are alive: two times 4 are kept, though 12 were asked for."""
    from hwsim.models.constraints.projections import Columns

    weight = weights["conv1"]
    weight.flatten(1)[:, :7] = 0
    assert int(Columns(12 / 18, multiple=4).mask(weight)[0].sum()) == 8
    weight.flatten(1)[:, :15] = 0
    assert int(Columns(12 / 18, multiple=4).mask(weight)[0].sum()) == 3, "less than one multiple"


def test_each_filter_of_the_layer_before_keeps_a_reader(torch):
    """Three channels of four columns: by norm alone, the columns of the first would be kept."""
    from hwsim.models.constraints.projections import Columns

    weight = torch.tensor([[9.0, 8, 7, 6, 1, 2, 1, 1, 0, 0, 0, 0]])
    kept = Columns(4 / 12, multiple=2, channels=3)
    assert kept.mask(weight)[0].nonzero().flatten().tolist() == [0, 1, 2, 5]
    assert kept.relaxed(0.5).mask(weight)[0].nonzero().flatten().tolist() == list(range(8))
    assert Columns(4 / 12).mask(weight)[0].nonzero().flatten().tolist() == [0, 1, 2, 3]


def every(size):
    return (np.arange(1 << size)[:, None] >> np.arange(size) & 1).astype(bool)


@pytest.mark.parametrize("within", [None, "unstructured", "nm"])
@fuzz
@given(data=st.data())
def test_no_member_of_a_budgets_set_is_nearer(torch, data, within):
    """Compare two layers of 4 and 6 weights, small integers, with all 1024 masks.

    A budget of 8 or more is larger than what the layers' own constraints leave.
    """
    from hwsim.models.constraints.joint import Budget, PerLayer
    from hwsim.models.constraints.projections import NM, Unstructured

    drawn = data.draw(st.lists(st.integers(-4, 4), min_size=10, max_size=10))
    flat = np.array(drawn, dtype=np.float32)
    # no layer dies: see the next test
    flat[[0, 4]] = 9
    weights = {"a": torch.from_numpy(flat[:4])[None], "b": torch.from_numpy(flat[4:])[None]}
    masks = every(10)
    count = data.draw(st.sampled_from([2, 4, 6, 8, 10]))
    allowed = masks.sum(axis=1) <= count
    support = {"unstructured": Unstructured(0.34), "nm": NM(1, 3)}.get(within)
    if within == "unstructured":
        allowed &= masks[:, 4:].sum(axis=1) <= 2
    if within == "nm":
        allowed &= (masks[:, 4:].reshape(-1, 2, 3).sum(axis=2) <= 1).all(axis=1)
    best = np.where(masks[allowed], 0, flat**2).sum(axis=1).min()
    budget = Budget(count / 10, ("a", "b"), PerLayer({} if support is None else {"b": support}))
    found = budget.project(weights)
    lost = sum(float((weights[name] - found[name]).square().sum()) for name in weights)
    assert lost == best
    kept = np.concatenate([budget.masks(weights)[name].numpy()[0] for name in ("a", "b")])
    assert (masks[allowed] == kept).all(axis=1).any()
    again = budget.project(found)
    assert all(again[name].equal(found[name]) for name in found)


def test_a_budget_that_leaves_a_layer_without_weights_is_refused(torch, net, weights):
    joint = build(net, budget={"unstructured": 0.1})
    weights["fc2"].mul_(1e-6)
    with pytest.raises(InputError) as caught:
        joint.masks(weights)
    assert str(caught.value) == (
        "recipe: prune.budget.unstructured = 0.1: must be larger: no weight of fc2 is among "
        "those that stay"
    )


def test_a_library_is_frozen_through_the_whole_network(torch, net, weights):
    """After freezing, other weights use the patterns that the first ones chose."""
    joint = build(net, layers={"conv1": {"pattern": {"patterns": 1}}, "fc1": {"filters": 0.4}})
    other = {name: torch.randn_like(weight) for name, weight in weights.items()}
    chosen = {tuple(k) for k in joint.masks(weights)["conv1"].view(12, 9).tolist()}
    frozen = joint.frozen(weights)
    assert {tuple(k) for k in frozen.masks(other)["conv1"].view(12, 9).tolist()} == chosen
    assert {tuple(k) for k in joint.masks(other)["conv1"].view(12, 9).tolist()} != chosen
    assert frozen.frozen(other) == frozen
    layers = {"conv1": {"pattern": {"patterns": 1}}}
    budget = build(net, budget={"unstructured": 0.4}, layers=layers)
    assert budget.frozen(weights).within.supports == {"conv1": frozen.supports["conv1"]}


def test_banks_are_late_and_nothing_else(torch, net):
    joint = build(
        net,
        layers={
            "conv1": {"filters": 0.5, "columns": 0.5, "banks": 2},
            "fc1": {"filters": 0.5, "columns": 0.5},
        },
    )
    assert set(joint.late) == {"conv1"}
    assert build(net, budget={"unstructured": 0.5}).late == {}


COMPOSED = {
    "filters, channels, columns": {"filters": 0.5, "channels": 0.5, "columns": 0.4},
    "filters, channels, nm": {"filters": 0.5, "channels": 0.5, "nm": {"n": 1, "m": 4}},
    "filters, channels, block": {
        "filters": 0.5,
        "channels": 0.5,
        "block": {"rows": 2, "columns": 3, "keep": 0.2},
    },
    "filters, channels, unstructured": {"filters": 0.5, "channels": 0.5, "unstructured": 0.1},
    "filters, channels, pattern": {
        "filters": 0.5,
        "channels": 0.5,
        "pattern": {"patterns": 2, "kernels": 0.2},
    },
    "filters, columns, banks": {"filters": 0.5, "columns": 0.5, "banks": 3},
}


@pytest.mark.parametrize("name", COMPOSED)
@pytest.mark.parametrize("seed", range(5))
def test_a_composed_constraint_obeys_each_of_its_parts(torch, net, weights, name, seed):
    """conv1 has 6 filters of 2 channels of 3x3; counted on the matrix of the array."""
    torch.manual_seed(seed)
    config = COMPOSED[name]
    weight = torch.randn_like(weights["conv1"])
    mask = build(net, layers={"conv1": config}).masks(weights | {"conv1": weight})["conv1"]
    assert mask.any()
    assert int(mask.flatten(1).any(dim=1).sum()) <= 3
    if "channels" in config:
        assert int(mask.any(dim=(0, 2, 3)).sum()) == 1
    (matrix,) = matrices(net, "conv1", mask)
    if "banks" in config:
        alive = matrix.any(axis=0)
        assert [int(alive[bank::3].sum()) for bank in range(3)] == [3, 3, 3]
    elif "columns" in config:
        assert matrix.any(axis=0).sum() == 7
    if "nm" in config:
        padded = np.pad(matrix, ((0, 0), (0, 2))).reshape(6, 5, 4)
        assert padded.sum(axis=2).max() == 1
    if "block" in config:
        tiles = matrix.reshape(3, 2, 6, 3).any(axis=(1, 3))
        assert tiles.sum() <= round(0.2 * 18)
    if "unstructured" in config:
        assert int(mask.sum()) == round(0.1 * 108)
    if "pattern" in config:
        kernels = mask.view(12, 9)
        assert int(kernels.any(dim=1).sum()) == round(0.2 * 12)
        assert set(kernels.sum(dim=1).tolist()) == {0, 4}
        assert len({tuple(kernel) for kernel in kernels.tolist() if any(kernel)}) <= 2


def test_n_of_m_then_filters_keeps_more_than_the_other_order(torch, net, weights):
    """Sixteen weights of 1 are more than four of 1.5, but of each block of four only one stays."""
    weight = torch.zeros(5, 16)
    weight[0] = 1.0
    # the taps of channel 0: one in each block of four channels
    weight[1, :4] = 1.5
    config = {"filters": 0.2, "nm": {"n": 1, "m": 4}}
    mask = build(net, layers={"fc1": config}).masks(weights | {"fc1": weight})["fc1"]
    assert mask.any(dim=1).tolist() == [False, True, False, False, False]


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"layers": {"conv9": {"filters": 0.5}}},
         "prune.layers.conv9: must be a layer with weights of net: conv1, conv2, fc1, fc2"),
        ({"layers": {"pool1": {"filters": 0.5}}},
         "prune.layers.pool1: must be a layer with weights of net: conv1, conv2, fc1, fc2"),
        ({"layers": {"fc1": {"pattern": {}}}},
         "prune.layers.fc1.pattern = 'fc 2x2': must be on a conv of 3x3 kernels"),
        ({"layers": {"conv1": {"pattern": {"kernels": 0.04}}}},
         "prune.layers.conv1.pattern.kernels = 0.04: must keep at least one of the layer's 12 "
         "kernels"),
        ({"layers": {"fc2": {"nm": {"n": 2, "m": 8}}}},
         "prune.layers.fc2.nm.m = 8: must be at most the layer's K, 5"),
        ({"layers": {"fc2": {"columns": 0.5, "banks": 6}}},
         "prune.layers.fc2.banks = 6: must be at most the layer's K, 5"),
        ({"layers": {"fc2": {"block": {"rows": 4, "columns": 1, "keep": 0.5}}}},
         "prune.layers.fc2.block.rows = 4: must be at most the layer's M, 3"),
        ({"layers": {"fc2": {"block": {"rows": 1, "columns": 6, "keep": 0.5}}}},
         "prune.layers.fc2.block.columns = 6: must be at most the layer's K, 5"),
        ({"layers": {"conv2": {"block": {"rows": 3, "columns": 4, "keep": 0.5}}}},
         "prune.layers.conv2.block.rows = 3: must be at most the layer's M, 2"),
        ({"layers": {"fc1": {"block": {"rows": 4, "columns": 8, "keep": 0.1}}}},
         "prune.layers.fc1.block.keep = 0.1: must keep at least one of the layer's 4 tiles"),
        ({"layers": {"fc2": {"unstructured": 0.01}}},
         "prune.layers.fc2.unstructured = 0.01: must keep at least one of the layer's 15 weights"),
        ({"layers": {"fc1": {"filters": 0.05}}},
         "prune.layers.fc1.filters = 0.05: must keep at least one of the layer's 5 filters"),
        ({"layers": {"conv2": {"channels": 0.1}}},
         "prune.layers.conv2.channels = 0.1: must keep at least one of the layer's 3 channels"),
        ({"layers": {"conv1": {"columns": 0.02}}},
         "prune.layers.conv1.columns = 0.02: must keep at least one of the layer's 18 columns"),
        ({"layers": {"fc1": {"filters": 0.5}}, "fill": "bitmask_64"},
         "prune.fill: must be a systolic design, with rows and cols: bitmask_64 is bitmask"),
        ({"budget": {"unstructured": 0.01}},
         "prune.budget.unstructured = 0.01: must keep a weight of each layer: at least 4 of 311"),
        ({"budget": {"unstructured": 0.5}, "layers": {"fc1": {"columns": 0.5, "banks": 2}}},
         "prune.layers.fc1.banks = 2: must be absent with prune.budget, which would unbalance "
         "the banks"),
    ],
)  # fmt: skip
def test_what_does_not_fit_the_network_is_refused_in_one_line(torch, net, keys, message):
    with pytest.raises(InputError) as caught:
        build(net, **keys)
    assert str(caught.value) == f"recipe: {message}"


def test_a_tile_across_two_groups_is_refused(torch):
    from hwsim.models.constraints.recipe import check

    layers = [{"name": "conv1", "type": "conv", "M": 8, "R": 1, "G": 2}]
    size = {"channels": 2, "height": 4, "width": 4}
    net = NetworkConfig.model_validate({"name": "net", "input": size, "layers": layers})
    block = {"rows": 3, "columns": 1, "keep": 0.5}
    with pytest.raises(InputError, match="rows = 3: must divide the M of a group, 4"):
        check("recipe", prune(layers={"conv1": {"block": block}}), net)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({}, "must give one of unstructured, nm, pattern, block and columns"),
        ({"unstructured": 0.5, "columns": 0.5}, "must give one of unstructured"),
        ({"nm": {"n": 1, "m": 2}, "pattern": {}}, "must give one of unstructured"),
        ({"nm": {"n": 3, "m": 2}}, r"n must be at most m \(2\), not 3"),
        ({"filters": 0.5, "banks": 2}, "columns must be given with banks"),
        ({"channels": 0.0}, "channels = 0.0: "),
        ({"channels": 1.5}, "channels = 1.5: "),
        ({"block": {"rows": 0, "columns": 2, "keep": 0.5}}, "block.rows = 0: "),
        ({"block": {"rows": 2, "columns": 2}}, "block.keep: "),
        ({"block": {"rows": 2, "columns": 2, "keep": True}}, "block.keep = True: "),
        ({"pattern": {"patterns": 0}}, "pattern.patterns = 0: "),
        ({"kernel": 0.5}, "kernel = 0.5: unknown key"),
    ],
)
def test_a_constraint_that_breaks_a_rule_is_refused(keys, message):
    with pytest.raises(InputError, match=message) as caught:
        parse(ConstraintConfig, keys, "recipe")
    assert "\n" not in str(caught.value)


def test_the_type_of_the_weights_does_not_matter(torch, net, weights):
    """Double precision gives the same bool mask as single precision."""
    joint = build(
        net,
        layers={
            "conv1": {"pattern": {"patterns": 2}, "filters": 0.5},
            "conv2": {"channels": 0.5, "nm": {"n": 2, "m": 4}},
            "fc1": {"block": {"rows": 2, "columns": 4, "keep": 0.5}},
            "fc2": {"columns": 0.4, "banks": 2},
        },
    )
    doubles = {name: weight.double() for name, weight in weights.items()}
    for name, mask in joint.masks(doubles).items():
        assert mask.dtype == torch.bool
        assert mask.shape == weights[name].shape
        assert joint.project(doubles)[name].dtype == torch.float64
        assert mask.equal(joint.masks(weights)[name])
