"""Machines in Verilator that more than one file of tests runs: a build takes most of a minute."""

from functools import cache

import pytest
from harness.machine import cramped_machine

from hwsim.rtl.cosim import machine_bench


@pytest.fixture(scope="session")
def cramped(tmp_path_factory):
    """Bench of one of the cramped machines, by its name."""

    @cache
    def bench_of(name):
        folder = tmp_path_factory.mktemp("machine")
        return machine_bench.build(cramped_machine(name), folder, 1 << 19)

    return bench_of
