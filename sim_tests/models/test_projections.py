"""Projections land in their set, and no member of the set is nearer."""

from __future__ import annotations

import itertools

import pytest


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
