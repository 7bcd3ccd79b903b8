"""Fixtures that every part may use."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

# pytest's workers share the cores, and so do the commands that they start: two processes of several threads each would
# slow each other down. torch reads this when it is imported.
if "PYTEST_XDIST_WORKER" in os.environ:
    os.environ["OMP_NUM_THREADS"] = "1"

from prunecxr.tracking import sqlite
from tests import synthetic_study

TEST_DATA = Path(os.environ.get("PRUNECXR_TEST_DATA", Path(__file__).parents[1] / "../shared/data")).resolve()


@pytest.fixture(scope="session")
def test_data() -> Path:
    """The folder of real images and label tables; tests that need it skip where it is absent."""
    if not TEST_DATA.is_dir():
        pytest.skip(f"no real data at {TEST_DATA} (environment variable PRUNECXR_TEST_DATA)")
    return TEST_DATA


@pytest.fixture(scope="session")
def make_study():
    """Makes seeded synthetic studies; see tests/synthetic_study.py."""
    return synthetic_study.make_study


@pytest.fixture(scope="session")
def study(make_study):
    """The synthetic study as it is by default."""
    return make_study()


@pytest.fixture(scope="session")
def nih_test_labels(test_data: Path) -> pd.DataFrame:
    """``id``, ``subject_id``, 20 classes; 21,081 images."""
    path = test_data / "nih-cxr-lt" / "miccai2023_nih-cxr-lt_labels_test.csv"
    if not path.is_file():
        pytest.skip(f"needs the NIH-CXR-LT test labels at {path}")
    table = pd.read_csv(path, dtype={"subj_id": str}).rename(columns={"subj_id": "subject_id"})
    table.insert(1, "subject_id", table.pop("subject_id"))
    return table


@pytest.fixture(scope="session", autouse=True)
def _ready_made_stores(tmp_path_factory) -> Iterator[None]:
    """New SQLite stores are copies of one that was made once: MLflow's migrations take seconds for each.

    Tests of how a store is made ask for `stores_from_nothing`.
    """
    shared = tmp_path_factory.getbasetemp()
    shared = shared.parent if "PYTEST_XDIST_WORKER" in os.environ else shared
    template, make = shared / "template.db", sqlite._make
    with FileLock(f"{template}.lock"):
        if not template.exists():
            make(template)

    def copy(path: Path) -> None:
        shutil.copyfile(template, path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite, "_make", copy)
        patch.setattr(sqlite, "make_from_nothing", make, raising=False)
        yield


@pytest.fixture
def stores_from_nothing(monkeypatch) -> None:
    """New stores are made as users' are."""
    monkeypatch.setattr(sqlite, "_make", sqlite.make_from_nothing)
