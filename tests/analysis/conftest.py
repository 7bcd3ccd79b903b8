"""The real NIH-CXR-LT test labels where they are at hand."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest


@pytest.fixture(scope="session")
def nih_test_labels(test_data: Path) -> pd.DataFrame:
    """``id``, ``subject_id``, 20 classes; 21,081 images."""
    path = test_data / "nih-cxr-lt" / "miccai2023_nih-cxr-lt_labels_test.csv"
    if not path.is_file():
        pytest.skip(f"needs the NIH-CXR-LT test labels at {path}")
    table = pd.read_csv(path, dtype={"subj_id": str}).rename(columns={"subj_id": "subject_id"})
    table.insert(1, "subject_id", table.pop("subject_id"))
    return table
