"""The studies that ship name what is there, and compare like with like."""

from __future__ import annotations

import pytest

from hwsim.checkpoints import find as shipped
from hwsim.checkpoints.checkpoint import Checkpoint
from hwsim.config.catalog import CONFIGS
from hwsim.config.jobs.study import CompareConfig, StudyConfig
from hwsim.studies import compare

STUDIES = {
    path.stem: study
    for path in sorted((CONFIGS / "study").glob("*.yaml"))
    if isinstance(study := StudyConfig.read(path).study, CompareConfig)
}


@pytest.mark.parametrize("name", STUDIES)
def test_checkpoints_fit_their_designs(name):
    config = STUDIES[name]
    network, archs = compare.load(config, name)
    datasets = set()
    for pair in config.pairs:
        checkpoint = Checkpoint.read(shipped.find_checkpoint(pair.checkpoint), network)
        datasets.add(shipped.dataset_of(checkpoint))
        widest = max(layer.weight_bits for layer in checkpoint.layers.values())
        numbers = archs[pair.arch].numbers
        assert widest == numbers.weight_width, pair
        for layer in checkpoint.layers.values():
            assert layer.weight_code == numbers.weight_code, pair
    assert len(datasets) == 1


def test_the_demo_proves_each_side():
    archs = compare.load(STUDIES["lenet5"])[1]
    proved = {archs[name].array.decodes_indices for name in STUDIES["lenet5"].verify.archs}
    assert proved == {True, False}
