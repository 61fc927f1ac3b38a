"""Projections land in their set, and no member of the set is nearer."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from hwsim.config import NetworkConfig
from hwsim.lowering import lower_weight, weight_shape


@pytest.fixture
def weight(torch):
    return torch.randn(4, 2, 1, 3)


def test_unstructured_keeps_the_largest_magnitudes(torch):
    from models.projections import Unstructured

    weight = torch.tensor([[3.0, -4.0], [1.0, -2.0]])
    assert Unstructured(0.5).project(weight).tolist() == [[3, -4], [0, 0]]
    assert Unstructured(0.25).project(weight).tolist() == [[0, -4], [0, 0]]
    assert Unstructured(1.0).project(weight).tolist() == weight.tolist()


def test_at_least_one_stays(torch):
    from models.projections import Columns, Filters, Unstructured

    for kind, kept in ((Unstructured, 1), (Filters, 3), (Columns, 5)):
        assert int(kind(0.01).mask(torch.randn(5, 3)).sum()) == kept


@pytest.mark.parametrize("axis", ["filters", "columns"])
def test_structured_projection_is_the_nearest(weight, axis):
    """Against every choice of half the rows, or half the columns, of the matrix."""
    from models.projections import Columns, Filters

    matrix = weight.flatten(1)
    found = (Filters if axis == "filters" else Columns)(0.5).project(weight).flatten(1)
    dim = 0 if axis == "filters" else 1
    count = matrix.shape[dim]
    nearest = min(
        float(matrix.index_select(dim, matrix.new_tensor(dropped).long()).square().sum())
        for dropped in itertools.combinations(range(count), count // 2)
    )
    assert float((matrix - found).square().sum()) == pytest.approx(nearest)
    alive = found.ne(0).any(dim=1 - dim)
    assert int(alive.sum()) == count - count // 2
    # what stays is untouched
    assert found.index_select(dim, alive.nonzero().flatten()).ne(0).all()


def test_a_projection_applied_twice_is_applied_once(weight):
    from models.projections import Chain, Columns, Filters, Unstructured

    for kind in (
        Unstructured(0.3), Filters(0.5), Columns(0.5), Chain((Filters(0.5), Columns(0.5)))
    ):  # fmt: skip
        once = kind.project(weight)
        assert kind.project(once).equal(once)


def test_a_chain_keeps_what_all_parts_keep(weight):
    from models.projections import Chain, Columns, Filters

    mask = Chain((Filters(0.5), Columns(0.5))).mask(weight).flatten(1)
    assert int(mask.any(dim=1).sum()) == 2
    assert int(mask.any(dim=0).sum()) == 3
    assert int(mask.sum()) == 6


def test_relaxing_moves_from_nothing_to_the_whole_constraint(weight):
    from models.projections import Chain, Columns, Filters, Unstructured

    assert Unstructured(0.2).relaxed(0.5) == Unstructured(0.6)
    assert Filters(0.2).relaxed(0.0) == Filters(1.0)
    assert Columns(0.2).relaxed(1.0).keep == pytest.approx(0.2)
    assert Chain((Filters(0.5),)).relaxed(0.0).mask(weight).all()


def nearest(weight, masks) -> float:
    """Least squared distance to what one of these masks keeps."""
    return min(float(weight[~mask].square().sum()) for mask in masks)


def distance(weight, projected) -> float:
    return float((weight - projected).square().sum())


@pytest.mark.parametrize(("n", "m"), [(1, 2), (2, 4), (1, 4), (3, 4), (4, 4)])
def test_nm_is_the_nearest_with_n_of_every_m(torch, n, m):
    """Seven columns: the last block is short, and keeps n all the same."""
    from models.projections import NM

    weight = torch.randn(1, 7)
    allowed = [
        torch.tensor([bits])
        for bits in itertools.product([False, True], repeat=7)
        if all(sum(bits[first : first + m]) <= n for first in range(0, 7, m))
    ]
    found = NM(n, m).project(weight)
    assert distance(weight, found) == pytest.approx(nearest(weight, allowed))
    assert any(mask.equal(found.ne(0)) for mask in allowed)
    rows = torch.randn(3, 7)
    assert NM(n, m).project(rows).equal(torch.cat([NM(n, m).project(row[None]) for row in rows]))


def test_balanced_columns_are_the_nearest_with_as_many_in_each_bank(torch):
    from models.projections import BankBalancedColumns

    weight = torch.randn(3, 8)
    banks = [[column for column in range(8) if column % 3 == bank] for bank in range(3)]
    allowed = []
    for kept in itertools.product(*(itertools.combinations(bank, 2) for bank in banks)):
        mask = torch.zeros(3, 8, dtype=torch.bool)
        mask[:, list(itertools.chain(*kept))] = True
        allowed.append(mask)
    found = BankBalancedColumns(0.75, 3).project(weight)
    assert distance(weight, found) == pytest.approx(nearest(weight, allowed))
    assert any(mask.equal(found.ne(0)) for mask in allowed)


def test_a_bank_with_few_columns_left_limits_the_others(torch):
    from models.projections import BankBalancedColumns

    weight = torch.randn(2, 8)
    weight[:, [1, 3, 5]] = 0
    kept = BankBalancedColumns(0.75, 2).mask(weight).any(dim=0)
    assert (int(kept[::2].sum()), int(kept[1::2].sum())) == (1, 1)
    assert kept[7]
    weight[:, 7] = 0
    assert int(BankBalancedColumns(0.75, 2).mask(weight)[0, ::2].sum()) == 1, "never nothing"


def test_a_kernel_takes_the_best_pattern_of_the_library(torch):
    """Most kernels choose, then each is nearest given the choice; against all 56 patterns."""
    from models.projections import Pattern

    weight = torch.randn(6, 4, 3, 3)
    every = [{4, *others} for others in itertools.combinations([0, 1, 2, 3, 5, 6, 7, 8], 3)]
    found = Pattern(3).project(weight).view(24, 9)
    used = {tuple(kernel.nonzero().flatten().tolist()) for kernel in found}
    assert len(used) <= 3
    assert all(set(taps) in every for taps in used)
    kernels = weight.view(24, 9)
    masks = [torch.tensor([tap in taps for tap in range(9)]) for taps in every]
    votes = [min(range(56), key=lambda i: float(k[~masks[i]].square().sum())) for k in kernels]
    counts = sorted((votes.count(i) for i in set(votes)), reverse=True)
    library = [set(taps) for taps in used]
    assert sum(votes.count(every.index(taps)) for taps in library) == sum(counts[:3])
    chosen = [masks[every.index(taps)] for taps in library]
    for kernel, projected in zip(kernels, found, strict=True):
        assert distance(kernel, projected) == pytest.approx(nearest(kernel, chosen))
    assert Pattern(3).project(found.view(6, 4, 3, 3)).equal(found.view(6, 4, 3, 3))


def test_all_patterns_leave_each_kernel_its_three_largest_and_the_centre(torch):
    from models.projections import Pattern

    weight = torch.randn(2, 2, 3, 3)
    kept = Pattern(56).mask(weight).view(4, 9)
    for kernel, mask in zip(weight.view(4, 9), kept, strict=True):
        others = [tap for tap in range(9) if tap != 4]
        largest = sorted(others, key=lambda tap: -abs(float(kernel[tap])))[:3]
        assert set(mask.nonzero().flatten().tolist()) == {4, *largest}


def test_patterns_then_connectivity_is_the_nearest_given_the_library(torch):
    """The kernels that keep most of their energy stay, against every choice of half of them."""
    from models.projections import Chain, Connectivity, Pattern

    weight = torch.randn(2, 3, 3, 3)
    inside = Pattern(2).mask(weight)
    found = Chain((Pattern(2), Connectivity(0.5))).project(weight)
    allowed = []
    for kernels in itertools.combinations(range(6), 3):
        mask = torch.zeros(6, 9, dtype=torch.bool)
        mask[list(kernels)] = True
        allowed.append(mask.view(2, 3, 3, 3) & inside)
    assert distance(weight, found) == pytest.approx(nearest(weight, allowed))


@pytest.mark.parametrize("name", ["conv1", "conv2", "fc1"])
def test_lowered_has_the_arrays_order_of_k(torch, name):
    """A mask made in K order, seen through hwsim's own lowering; grouped and plain layers."""
    from models.projections import NM, Lowered

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
    shape = next(shape for shape in config.shapes() if shape.layer.name == name)
    weight = torch.randn(weight_shape(shape))
    mask = Lowered(shape.C, NM(1, 4)).mask(weight)
    groups = zip(
        lower_weight(shape, weight.numpy()), lower_weight(shape, mask.numpy()), strict=True
    )
    for matrix, kept in groups:
        expected = NM(1, 4).mask(torch.from_numpy(matrix)).numpy()
        np.testing.assert_array_equal(kept, expected)


def test_the_new_constraints_relax_to_nothing(torch):
    from models.projections import NM, BankBalancedColumns, Chain, Filters, Lowered, Pattern

    assert NM(1, 4).relaxed(0.0) == NM(4, 4)
    assert NM(1, 4).relaxed(0.7) == NM(2, 4)
    assert NM(1, 4).relaxed(1.0) == NM(1, 4)
    assert BankBalancedColumns(0.5, 8).relaxed(1.0) == BankBalancedColumns(0.5, 8)
    assert Pattern(4).relaxed(0.0).mask(torch.randn(2, 2, 3, 3)).all()
    assert Pattern(4).relaxed(1.0) == Pattern(4)
    assert Lowered(2, NM(1, 2)).relaxed(0.0) == Lowered(2, NM(2, 2))
    assert Chain((Lowered(2, BankBalancedColumns(0.5, 2)),)).late
    assert not Chain((Lowered(2, NM(1, 2)),)).late
    rows, columns = Filters(0.5), BankBalancedColumns(0.5, 2)
    assert Chain((rows, columns)).relaxed(0.5) == Chain((rows, columns.relaxed(0.5)))
