"""Fixtures of the tests that need a Verilog simulator."""

import os

import pytest
from harness.small_designs import SMALL

from hwsim.errors import InputError


@pytest.fixture
def need():
    """Skip where a simulator is missing; in continuous integration that is a failure."""

    def check(simulator):
        from hwsim.rtl.cosim import toolchain

        try:
            toolchain.require(simulator)
        except InputError as error:
            if os.environ.get("CI"):
                pytest.fail(str(error))
            pytest.skip(str(error))

    return check


@pytest.fixture(params=SMALL.values(), ids=SMALL.keys())
def small(request):
    """Each of the small designs."""
    return request.param
