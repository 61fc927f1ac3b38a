"""Pixels in groups: regions of a map, jobs whose weights stay, what does not fit."""

from __future__ import annotations

import numpy as np
import pytest
from harness.component import seeded
from harness.machine import blank, small_machine

from hwsim.accelerator.tile import ArrayJob
from hwsim.compiler.compile import compile_network
from hwsim.compiler.groups import _regions
from hwsim.config import ArchConfig, NetworkConfig
from hwsim.config.base import parse
from hwsim.contract.descriptors import POST_LEVELS
from hwsim.errors import InputError


def network(*layers, channels=4, size=7):
    raw = {
        "name": "net",
        "input": {"channels": channels, "height": size, "width": size},
        "layers": list(layers),
    }
    return parse(NetworkConfig, raw, "test")


def test_regions_cover_a_map_once_with_lines_of_at_most_all_lanes():
    rng = seeded(1)
    for _ in range(200):
        width, height, lanes = (int(each) for each in rng.integers(1, 20, size=3))
        pixels = np.zeros((height, width), int)
        for region in _regions(0, 0, width, height, lanes):
            assert 1 in (region.width, region.height)
            assert region.width * region.height <= lanes
            down, across = region.down * region.height, region.across * region.width
            pixels[region.y : region.y + down, region.x : region.x + across] += 1
        assert (pixels == 1).all()


def test_a_map_of_whole_groups_is_one_job_and_another_has_one_per_strip():
    for size, border, jobs in ((8, 0, 1), (7, 0, 5), (8, 1, 4)):
        layers = [{"name": "c", "type": "conv", "M": 8, "R": 1}]
        layers.append({"name": "d", "type": "conv", "M": 4, "R": 3, "padding": border})
        net = network(*layers, size=size)
        compiled = compile_network(small_machine("csc"), net, blank(net))
        found = [tile.job for tile in compiled.program.tiles if tile.layer == "c"]
        assert len(found) == jobs
        assert [job.weight_words > 0 for job in found] == [True] + [False] * (jobs - 1)
        assert max(len(job.post.bounds) for job in found) <= POST_LEVELS
        assert sum(job.pixels * job.group for job in found) == size * size


def test_filters_that_do_not_fit_together_load_their_weights_one_after_the_other():
    net = network({"name": "c", "type": "conv", "M": 40, "R": 1}, size=3)
    tiles = compile_network(small_machine("csc"), net, blank(net)).program.tiles
    # 4 rows of 4 filters
    jobs = [tile for tile in tiles if isinstance(tile.job, ArrayJob) and tile.job.weight_words]
    assert [tile.job.m_folds for tile in jobs] == [4, 4, 2]
    assert all(any(load.target == "weight" for load in tile.loads) for tile in jobs)


def test_too_long_a_k_is_refused():
    net = network({"name": "wide", "type": "conv", "M": 4, "R": 7, "padding": 3}, channels=8)
    rule = r"wide = 392: must be at most 254: K, in whole words"
    with pytest.raises(InputError, match=rule):
        compile_network(small_machine("csc"), net, blank(net))


@pytest.mark.parametrize(
    ("fields", "rule"),
    [
        ({"codebook_bits": 4}, "memory must be absent where there is a codebook"),
        ({"drain_pes": 2}, "memory must be absent unless partial sums of all PEs"),
        ({"lanes": 3}, "lanes x window of a machine's array must be a power of two"),
    ],
)
def test_arrays_without_a_machine(fields, rule):
    raw = small_machine("csc").model_dump()
    raw["array"] |= fields
    with pytest.raises(ValueError, match=rule):
        ArchConfig.model_validate(raw)
