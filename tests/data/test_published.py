from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from prunecxr.data.labels import LabelTable, read_table
from prunecxr.data.published import COUNTS, IMAGES, differences, published_counts

# The column "Total" of paper A's Table 2 (the counts of the splits were typed in; this finds slips).
TOTALS = {
    "nih-cxr-lt": {
        "No Finding": 59406, "Infiltration": 19894, "Atelectasis": 11559, "Effusion": 13317, "Nodule": 6331,
        "Mass": 5782, "Pneumothorax": 5302, "Consolidation": 4667, "Cardiomegaly": 2776, "Pleural Thickening": 3385,
        "Fibrosis": 1686, "Edema": 2303, "Emphysema": 2516, "Pneumonia": 1431, "Subcutaneous Emphysema": 1991,
        "Tortuous Aorta": 742, "Calcification of the Aorta": 455, "Pneumoperitoneum": 316, "Pneumomediastinum": 253,
        "Hernia": 227, IMAGES: 112120,
    },
    "mimic-cxr-lt": {
        "No Finding": 47976, "Support Devices": 104366, "Lung Opacity": 81393, "Atelectasis": 71752,
        "Effusion": 75151, "Pneumothorax": 16484, "Consolidation": 17595, "Cardiomegaly": 77793, "Edema": 43587,
        "Pneumonia": 45175, "Subcutaneous Emphysema": 2768, "Enlarged Cardiomediastinum": 28241, "Fracture": 11095,
        "Lung Lesion": 2405, "Tortuous Aorta": 3086, "Calcification of the Aorta": 3688, "Pneumoperitoneum": 641,
        "Pneumomediastinum": 853, "Pleural Other": 553, IMAGES: 257018,
    },
}  # fmt: skip


def as_published(name: str, rename: dict[str, str] | None = None) -> dict[str, LabelTable]:
    """Tables with exactly the published counts."""
    counts = published_counts(name)
    classes = [label for label in counts if label != IMAGES]
    tables = {}
    for split in ("train", "val", "test"):
        n = counts[IMAGES][split]
        labels = np.stack([np.arange(n) < counts[label][split] for label in classes], axis=1).astype(np.uint8)
        ids = np.array([f"{split}{index}" for index in range(n)], dtype=object)
        names = tuple((rename or {}).get(label, label) for label in classes)
        tables[split] = LabelTable(ids, ids, labels, names)
    return tables


@pytest.mark.parametrize("name", COUNTS)
def test_the_counts_add_up_to_the_printed_totals(name: str):
    assert {label: sum(counts.values()) for label, counts in published_counts(name).items()} == TOTALS[name]


def test_the_published_tables_differ_in_nothing():
    assert differences("nih-cxr-lt", as_published("nih-cxr-lt")) == []
    # what the real tables call two of the classes
    assert differences("mimic-cxr-lt", as_published("mimic-cxr-lt", {"Effusion": "Pleural Effusion"})) == []


def test_differences_are_sentences():
    tables = as_published("nih-cxr-lt", {"Mass": "Lump"})
    test = tables["test"]
    labels = test.labels[:-1].copy()
    labels[0, list(test.classes).index("Hernia")] = 0
    tables["test"] = LabelTable(test.ids[:-1], test.subjects[:-1], labels, test.classes)
    assert differences("nih-cxr-lt", tables) == [
        "nih-cxr-lt: classes of the published data set that are not here: Mass",
        "nih-cxr-lt: classes that the published data set does not have: Lump",
        "nih-cxr-lt: the test split is not the published one: 21,080 images instead of 21,081; "
        "the positives of 1 class differ: Hernia 61 instead of 62",
    ]


def test_other_data_sets_have_nothing_to_differ_from():
    assert differences("mine", as_published("nih-cxr-lt")) == []


def test_the_real_tables_are_as_published(test_data: Path):
    for split in ("val", "test"):
        table = read_table(test_data / "nih-cxr-lt" / f"miccai2023_nih-cxr-lt_labels_{split}.csv")
        assert differences("nih-cxr-lt", {split: table}) == []
