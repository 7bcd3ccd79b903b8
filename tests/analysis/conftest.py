"""The synthetic study, and the real NIH-CXR-LT test labels where they are at hand."""

from __future__ import annotations

import importlib.util
import os
import sys
from pathlib import Path

import pandas as pd
import pytest

HERE = Path(__file__).parent


def load_synthetic_study():
    spec = importlib.util.spec_from_file_location("synthetic_study", HERE.parent / "synthetic_study.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look up their annotations
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def make_study():
    return load_synthetic_study().make_study


@pytest.fixture(scope="session")
def study(make_study):
    return make_study()


@pytest.fixture(scope="session")
def nih_test_labels() -> pd.DataFrame:
    """``id``, ``subject_id``, 20 classes; 21,081 images."""
    folder = Path(os.environ.get("PRUNECXR_TEST_DATA") or HERE.parents[1] / "../shared/data")
    path = folder / "nih-cxr-lt" / "miccai2023_nih-cxr-lt_labels_test.csv"
    if not path.is_file():
        pytest.skip(f"needs the NIH-CXR-LT test labels at {path}")
    table = pd.read_csv(path, dtype={"subj_id": str}).rename(columns={"subj_id": "subject_id"})
    table.insert(1, "subject_id", table.pop("subject_id"))
    return table
