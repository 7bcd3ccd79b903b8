"""Fixtures that every part may use."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

TEST_DATA = Path(os.environ.get("PRUNECXR_TEST_DATA", Path(__file__).parents[1] / "../shared/data")).resolve()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real images and label tables; tests that need it skip where it is absent."""
    if not TEST_DATA.is_dir():
        pytest.skip(f"no real data at {TEST_DATA} (environment variable PRUNECXR_TEST_DATA)")
    return TEST_DATA
