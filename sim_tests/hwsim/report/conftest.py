"""Fixtures of the tests that look at pages in a browser."""

import os

import pytest
from harness import browser


@pytest.fixture
def chromium(tmp_path):
    """A browser; without one the test is skipped, except in CI, where it fails."""
    if browser.executable() is None:
        reason = "a browser is missing: apt-get install chromium"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    with browser.Browser(tmp_path / "profile") as started:
        yield started
