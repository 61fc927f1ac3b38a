"""Projections land in their set, and no member of the set is nearer.

A set is written down here a second time, as a rule on masks, and every mask there is of a tiny
tensor is tried. Weights are small integers: distances are exact, and equal magnitudes and zeros
come often.
"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hwsim.config import NetworkConfig
from hwsim.workload.lowering import lower_weight, weight_shape

#: Every pattern: the centre and three others.
PATTERNS = [
    tuple(tap == 4 or tap in way for tap in range(9))
    for way in itertools.combinations([0, 1, 2, 3, 5, 6, 7, 8], 3)
]
#: Indices of two of them; they share two taps.
LIBRARY = (0, 17)


def at_most(count, *axes):
    """At most ``count`` groups are non-zero; ``axes`` are those inside a group."""
    return lambda masks: _groups(masks.any(axis=tuple(axis + 1 for axis in axes))) <= count


def _groups(alive):
    return alive.reshape(len(alive), -1).sum(axis=1)


def n_of_m(n, m):
    def rule(masks):
        starts = range(0, masks.shape[-1], m)
        return np.all([(masks[..., s : s + m].sum(-1) <= n).all(-1) for s in starts], axis=0)

    return rule


def tiles(count, rows, columns):
    def rule(masks):
        corners = itertools.product(
            range(0, masks.shape[1], rows), range(0, masks.shape[2], columns)
        )
        alive = [masks[:, r : r + rows, c : c + columns].any(axis=(1, 2)) for r, c in corners]
        return np.sum(alive, axis=0) <= count

    return rule


def banks(count, number):
    def rule(masks):
        alive = masks.any(axis=1)
        return np.all([alive[:, bank::number].sum(axis=1) <= count for bank in range(number)], 0)

    return rule


def in_library(masks):
    kernels = masks.reshape(len(masks), -1, 1, 9)
    library = np.array([PATTERNS[index] for index in LIBRARY])
    return (kernels <= library).all(axis=-1).any(axis=-1).all(axis=-1)


def both(first, second):
    return lambda masks: first(masks) & second(masks)


#: Name -> projection, shape of the weights, the same set as a rule.
EXACT = {
    "unstructured": (lambda p: p.Unstructured(0.4), (2, 5), at_most(4)),
    "unstructured, all": (lambda p: p.Unstructured(1.0), (2, 3), at_most(6)),
    "filters": (lambda p: p.Filters(0.5), (4, 1, 1, 3), at_most(2, 1, 2, 3)),
    "columns": (lambda p: p.Columns(0.5), (2, 2, 1, 3), at_most(3, 0)),
    "channels, conv": (lambda p: p.Channels(0.7, 3), (2, 3, 1, 2), at_most(2, 0, 2, 3)),
    "connectivity": (lambda p: p.Connectivity(0.5), (2, 3, 1, 2), at_most(3, 2, 3)),
    "tiles": (lambda p: p.Blocks(0.5, 1, 2), (2, 6), tiles(3, 1, 2)),
    "tiles, smaller at the edges": (lambda p: p.Blocks(0.5, 2, 2), (3, 4), tiles(2, 2, 2)),
    "1:2": (lambda p: p.NM(1, 2), (2, 5), n_of_m(1, 2)),
    "2:4": (lambda p: p.NM(2, 4), (1, 10), n_of_m(2, 4)),
    "3:4": (lambda p: p.NM(3, 4), (2, 5), n_of_m(3, 4)),
    "4:4": (lambda p: p.NM(4, 4), (2, 5), n_of_m(4, 4)),
    "1:2, blocks begin with every 3": (
        lambda p: p.NM(1, 2, 3),
        (2, 6),
        lambda masks: n_of_m(1, 2)(masks.reshape(len(masks), 4, 3)),
    ),
    "pattern": (lambda p: p.Pattern(2, library=LIBRARY), (1, 1, 3, 3), in_library),
    "nm, filters": (
        lambda p: p.Chain((p.NM(1, 2), p.Filters(0.7))),
        (3, 4),
        both(n_of_m(1, 2), at_most(2, 1)),
    ),
    "pattern, connectivity": (
        lambda p: p.Chain((p.Pattern(2, library=LIBRARY), p.Connectivity(0.5))),
        (1, 2, 3, 3),
        both(in_library, at_most(1, 2, 3)),
    ),
    "connectivity, groups": (
        lambda p: p.Connectivity(0.5, 2),
        (3, 2, 1, 2),
        lambda masks: tiles(2, 2, 1)(masks.any(axis=(3, 4))),
    ),
    "pattern, connectivity, groups": (
        lambda p: p.Chain((p.Pattern(2, library=LIBRARY), p.Connectivity(0.5, 2))),
        (2, 1, 3, 3),
        both(in_library, lambda masks: tiles(1, 2, 1)(masks.any(axis=(3, 4)))),
    ),
    "pattern, filters": (
        lambda p: p.Chain((p.Pattern(2, library=LIBRARY), p.Filters(0.5))),
        (2, 1, 3, 3),
        both(in_library, at_most(1, 1, 2, 3)),
    ),
    "pattern, channels": (
        lambda p: p.Chain((p.Pattern(2, library=LIBRARY), p.Channels(0.5, 2))),
        (1, 2, 3, 3),
        both(in_library, at_most(1, 0, 2, 3)),
    ),
}
#: Chains that land in the set, but need not be the nearest.
HEURISTIC = {
    "filters, columns": (
        lambda p: p.Chain((p.Filters(0.5), p.Columns(0.5))),
        (4, 3),
        both(at_most(2, 1), at_most(2, 0)),
    ),
    "channels, filters": (
        lambda p: p.Chain((p.Channels(0.5, 2), p.Filters(0.5))),
        (4, 2, 1, 1),
        both(at_most(1, 0, 2, 3), at_most(2, 1, 2, 3)),
    ),
    "channels, nm": (
        lambda p: p.Chain((p.Channels(0.5, 2), p.Lowered(2, p.NM(1, 4)))),
        (2, 2, 1, 3),
        at_most(1, 0, 2, 3),
    ),
    "filters, tiles": (
        lambda p: p.Chain((p.Filters(0.5), p.Blocks(0.5, 2, 2))),
        (3, 4),
        both(at_most(2, 1), tiles(2, 2, 2)),
    ),
    "filters, unstructured": (
        lambda p: p.Chain((p.Filters(0.5), p.Unstructured(0.25))),
        (3, 4),
        both(at_most(2, 1), at_most(3)),
    ),
    "pattern, filters, connectivity": (
        lambda p: p.Chain((p.Pattern(2, library=LIBRARY), p.Filters(0.5), p.Connectivity(0.5))),
        (2, 1, 3, 3),
        both(in_library, at_most(1, 1, 2, 3)),
    ),
    "filters, banks": (
        lambda p: p.Chain((p.Filters(0.5), p.BankBalancedColumns(0.5, 2))),
        (3, 4),
        both(at_most(2, 1), banks(1, 2)),
    ),
}
fuzz = settings(
    deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture
def p(torch):
    """The module under test, whose import needs torch."""
    from hwsim.models.constraints import projections

    return projections


def draw_weight(torch, data, shape):
    size = int(np.prod(shape))
    values = data.draw(st.lists(st.integers(-5, 5), min_size=size, max_size=size))
    return torch.tensor(values, dtype=torch.float32).view(shape)


def members(shape, rule):
    """Every mask of a shape that obeys a rule, ``(masks, *shape)``."""
    size = int(np.prod(shape))
    bits = np.arange(1 << size, dtype=np.int32)[:, None] >> np.arange(size) & 1
    masks = bits.astype(bool).reshape(-1, *shape)
    return masks[rule(masks)]


def distance(weight, projected):
    return float((weight - projected).square().sum())


def nearest(weight, masks):
    """Least squared distance to the weights that one of these masks keeps."""
    lost = np.where(masks, 0, weight.numpy() ** 2)
    return float(lost.reshape(len(masks), -1).sum(axis=1).min())


@pytest.mark.parametrize("name", EXACT)
@fuzz
@given(data=st.data())
def test_no_member_of_the_set_is_nearer(torch, p, name, data):
    make, shape, rule = EXACT[name]
    weight = draw_weight(torch, data, shape)
    found = make(p).project(weight)
    assert distance(weight, found) == nearest(weight, _members(name, shape, rule))
    assert rule(found.ne(0).numpy()[None]).all()


@pytest.mark.parametrize("name", EXACT)
def test_no_member_of_the_set_is_nearer_to_weights_of_many_sizes(torch, p, name):
    """Magnitudes span decades, so that the largest norm is not that of the largest sum."""
    make, shape, rule = EXACT[name]
    masks = _members(name, shape, rule)
    for seed in range(60):
        weight = torch.randn(shape, generator=torch.Generator().manual_seed(seed)) ** 3
        found = distance(weight, make(p).project(weight))
        assert found == pytest.approx(nearest(weight, masks), rel=1e-5), f"seed {seed}"


_MEMBERS: dict[str, np.ndarray] = {}


def _members(name, shape, rule):
    if name not in _MEMBERS:
        _MEMBERS[name] = members(shape, rule)
    return _MEMBERS[name]


@pytest.mark.parametrize("name", HEURISTIC)
@fuzz
@given(data=st.data())
def test_a_heuristic_chain_lands_in_the_set(torch, p, name, data):
    make, shape, rule = HEURISTIC[name]
    weight = draw_weight(torch, data, shape)
    found = make(p).project(weight)
    assert rule(found.ne(0).numpy()[None]).all()
    assert found[found.ne(0)].equal(weight[found.ne(0)]), "what stays is untouched"


@pytest.mark.parametrize("name", [*EXACT, *HEURISTIC])
@fuzz
@given(data=st.data())
def test_a_projection_applied_twice_is_applied_once(torch, p, name, data):
    make, shape, _ = (EXACT | HEURISTIC)[name]
    once = make(p).project(draw_weight(torch, data, shape))
    assert make(p).project(once).equal(once)


@pytest.mark.parametrize("name", [*EXACT, *HEURISTIC])
@fuzz
@given(data=st.data())
def test_relaxing_removes_nothing_at_first_and_everything_at_last(torch, p, name, data):
    """A relaxed constraint never prunes more than the full one, except rows with columns."""
    make, shape, _ = (EXACT | HEURISTIC)[name]
    weight = draw_weight(torch, data, shape)
    kind = make(p)
    assert kind.relaxed(1.0).project(weight).equal(kind.project(weight))
    if not kind.late:
        assert kind.relaxed(0.0).project(weight).equal(weight)
    kept = [kind.relaxed(progress).project(weight).square().sum() for progress in (0, 0.3, 0.7, 1)]
    if name in EXACT:
        assert kept == sorted(kept, reverse=True)


def test_filters_then_columns_is_not_the_joint_projection(torch, p):
    """Keep one row and one column; the row of the largest norm has not the largest weight."""
    weight = torch.tensor([[3.0, 3.0], [0.0, 4.0]])
    found = p.Chain((p.Filters(0.5), p.Columns(0.5))).project(weight)
    assert found.tolist() == [[3, 0], [0, 0]]
    masks = members((2, 2), both(at_most(1, 1), at_most(1, 0)))
    assert nearest(weight, masks) == 18 < distance(weight, found) == 25


@pytest.mark.parametrize("shape", [(5, 3), (5, 3, 1, 1)])
def test_at_least_one_stays(torch, p, shape):
    weight = torch.randn(shape)
    kinds = {p.Unstructured(0.01): 1, p.Filters(0.01): 3, p.Columns(0.01): 5}
    kinds |= {p.Channels(0.01, 3): 5}
    assert [int(kind.mask(weight).sum()) for kind in kinds] == list(kinds.values())
    assert int(p.Blocks(0.01, 2, 2).mask(weight.view(5, 3)).sum()) in (1, 2, 4)


def test_the_first_of_equals_stays(torch, p):
    weight = torch.tensor([[1.0, -1.0, 1.0, 1.0], [1.0, 1.0, 1.0, -1.0]])
    assert p.Unstructured(0.375).mask(weight).tolist() == [[True] * 3 + [False], [False] * 4]
    assert p.Filters(0.5).mask(weight).tolist() == [[True] * 4, [False] * 4]
    assert p.Columns(0.5).mask(weight)[0].tolist() == [True, True, False, False]
    assert p.NM(1, 2).mask(weight)[0].tolist() == [True, False, True, False]
    assert p.BankBalancedColumns(0.5, 2).mask(weight)[0].tolist() == [True, True, False, False]
    assert p.Blocks(0.5, 1, 2).mask(weight).tolist() == [[True] * 4, [False] * 4]


@fuzz
@given(scores=st.lists(st.integers(-2, 4), min_size=1, max_size=12), count=st.integers(0, 12))
def test_as_many_as_asked_for_stay_but_never_a_zero(torch, p, scores, count):
    chosen = p.largest(torch.tensor(scores, dtype=torch.float32), count).tolist()
    assert sum(chosen) == min(count, sum(score > 0 for score in scores))
    stay = [score for score, mark in zip(scores, chosen, strict=True) if mark]
    assert sorted(stay, reverse=True) == sorted(scores, reverse=True)[: len(stay)]


def test_what_was_removed_does_not_come_back_to_fill_up_a_count(torch, p):
    """A dead filter is all zeros; the mask of a relaxed constraint does not revive it."""
    weight = torch.randn(4, 6)
    weight[1] = 0
    for kind in (p.Unstructured(0.9), p.Filters(1.0), p.NM(3, 4), p.Blocks(0.9, 1, 2)):
        assert not kind.mask(weight)[1].any()


def test_channels_of_a_layer_after_a_pool_are_groups_of_its_columns(torch, p):
    """Three channels of 2 x 2 pixels: the middle one has the least energy."""
    weight = torch.ones(2, 12)
    weight[:, 4:8] = 0.5
    kept = p.Channels(0.67, 3).mask(weight)
    assert kept[:, [0, 1, 2, 3, 8, 9, 10, 11]].all()
    assert not kept[:, 4:8].any()


@fuzz
@given(data=st.data(), number=st.integers(1, 3))
def test_balanced_columns_are_the_nearest_with_as_many_in_each_bank(torch, p, data, number):
    """Without zero columns; in the next test a bank with fewer columns limits the others."""
    size = data.draw(st.lists(st.integers(1, 5), min_size=12, max_size=12))
    weight = torch.tensor(size, dtype=torch.float32).view(2, 6)
    kind = p.BankBalancedColumns(0.5, number)
    count = max(1, round(3 / number))
    found = kind.project(weight)
    assert distance(weight, found) == nearest(weight, members((2, 6), banks(count, number)))
    alive = found.ne(0).any(dim=0)
    assert {int(alive[bank::number].sum()) for bank in range(number)} == {count}
    assert kind.project(found).equal(found)


def test_a_bank_with_few_columns_left_limits_the_others(torch, p):
    weight = torch.randn(2, 8)
    weight[:, [1, 3, 5]] = 0
    kept = p.BankBalancedColumns(0.75, 2).mask(weight).any(dim=0)
    assert (int(kept[::2].sum()), int(kept[1::2].sum())) == (1, 1)
    assert kept[7]
    weight[:, 7] = 0
    assert int(p.BankBalancedColumns(0.75, 2).mask(weight)[0, ::2].sum()) == 1, "never nothing"


def test_the_library_is_what_most_kernels_would_choose(torch, p):
    """Compare with the choice among all 56 patterns, made for each of 24 kernels on its own."""
    weight = torch.randn(6, 4, 3, 3)
    masks = torch.tensor(PATTERNS)
    kernels = weight.view(24, 9)
    votes = [
        min(range(56), key=lambda i: distance(kernel, kernel * masks[i])) for kernel in kernels
    ]
    counts = sorted((votes.count(index) for index in set(votes)), reverse=True)
    library = p.Pattern(3).frozen(weight).library
    assert len(set(library)) == 3
    assert sum(votes.count(index) for index in library) == sum(counts[:3])
    assert p.Pattern(3).mask(weight).equal(p.Pattern(3, library=library).mask(weight))


def test_all_patterns_leave_each_kernel_its_three_largest_and_the_centre(torch, p):
    weight = torch.randn(2, 2, 3, 3)
    kept = p.Pattern(56).mask(weight).view(4, 9)
    for kernel, mask in zip(weight.view(4, 9), kept, strict=True):
        others = [tap for tap in range(9) if tap != 4]
        largest = sorted(others, key=lambda tap: -abs(float(kernel[tap])))[:3]
        assert set(mask.nonzero().flatten().tolist()) == {4, *largest}


def test_a_frozen_library_stays_when_the_kernels_change(torch, p):
    """Also inside a chain and a lowered part; removed kernels do not vote."""
    weight, other = torch.randn(4, 4, 3, 3), torch.randn(4, 4, 3, 3)
    chain = p.Chain((p.Pattern(2), p.Connectivity(0.5)))
    frozen = chain.frozen(weight)
    library = frozen.parts[0].library
    assert library == p.Pattern(2).frozen(weight).library
    assert library != p.Pattern(2).frozen(other).library, "the seed must tell them apart"
    assert frozen.frozen(other) == frozen
    used = {tuple(kernel) for kernel in frozen.mask(other).view(16, 9).tolist() if any(kernel)}
    assert used <= {PATTERNS[index] for index in library}
    after = p.Chain((p.Filters(0.25), p.Pattern(2))).frozen(weight).parts[1].library
    assert after == p.Pattern(2).frozen(p.Filters(0.25).project(weight)).library
    assert p.Unstructured(0.5).frozen(weight) == p.Unstructured(0.5)
    assert p.NM(1, 4, 6).relaxed(0) == p.NM(4, 4, 6)
    assert p.Lowered(4, p.NM(1, 4)).frozen(weight) == p.Lowered(4, p.NM(1, 4))


def test_a_library_is_chosen_anew_for_other_taps(torch, p):
    frozen = p.Pattern(2).frozen(torch.randn(4, 4, 3, 3))
    assert frozen.relaxed(1.0) == frozen
    assert frozen.relaxed(0.5) == p.Pattern(2, taps=7)


@pytest.mark.parametrize("name", ["conv1", "conv2", "fc1"])
@pytest.mark.parametrize("part", ["nm", "tiles", "banks"])
def test_lowered_has_the_arrays_order_of_k(torch, p, name, part):
    """A mask made in K order, seen through hwsim's own lowering; grouped and plain layers."""
    config = NetworkConfig.model_validate(
        {
            "name": "net",
            "input": {"channels": 3, "height": 6, "width": 6},
            "layers": [
                {"name": "conv1", "type": "conv", "M": 6, "R": 3, "S": 2},
                {"name": "conv2", "type": "conv", "M": 4, "R": 2, "G": 2},
                {"name": "fc1", "type": "fc", "M": 3},
            ],
        }
    )
    kind = {"nm": p.NM(1, 4), "tiles": p.Blocks(0.4, 2, 5), "banks": p.BankBalancedColumns(0.5, 4)}
    shape = next(shape for shape in config.shapes() if shape.layer.name == name)
    weight = torch.randn(weight_shape(shape))
    mask = p.Lowered(shape.C, kind[part]).mask(weight)
    stacked = np.concatenate(lower_weight(shape, weight.numpy()))
    expected = kind[part].mask(torch.from_numpy(stacked)).numpy()
    np.testing.assert_array_equal(np.concatenate(lower_weight(shape, mask.numpy())), expected)


def test_a_late_part_chooses_among_what_will_stay(torch, p):
    rows, columns = p.Filters(0.5), p.BankBalancedColumns(0.5, 2)
    chain = p.Chain((rows, p.Lowered(2, columns)))
    assert chain.late
    assert chain.relaxed(0.5) == p.Chain((rows, p.Lowered(2, columns.relaxed(0.5))))
    assert not p.Chain((p.Lowered(2, p.NM(1, 2)),)).late
