"""Paper A's class lists and counts (its Table 2), and how a data set differs from them."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from pathlib import Path

from prunecxr.data.labels import LabelTable

FIGURES = Path(__file__).parent / "figures"
COUNTS = {"nih-cxr-lt": "class_counts.csv", "mimic-cxr-lt": "class_counts_mimic.csv"}
NAMED = 3  # classes whose counts a sentence spells out
IMAGES = "(images)"  # the row that counts images instead of positives
# The paper's table and the label tables do not always use the same name.
SAME_CLASS = {"pleural effusion": "effusion", "cardiomediastinal enlargement": "enlarged cardiomediastinum"}


def published_counts(name: str) -> dict[str, dict[str, int]]:
    """Positives by class and split, and under `(images)` the number of images, of one of the paper's data sets."""
    with (FIGURES / COUNTS[name]).open(encoding="utf-8") as file:
        return {
            row["class"]: {split: int(row[split]) for split in ("train", "val", "test")} for row in csv.DictReader(file)
        }


def differences(name: str, tables: Mapping[str, LabelTable]) -> list[str]:
    """How label tables differ from the published ones of the data set `name`: one sentence each, none if they agree.

    Data sets that the paper does not have differ in nothing.
    """
    if name not in COUNTS:
        return []
    expected = {_plain(label): counts for label, counts in published_counts(name).items() if label != IMAGES}
    classes = {_plain(label): label for label in next(iter(tables.values())).classes}
    found = []
    missing = [label for label in published_counts(name) if label != IMAGES and _plain(label) not in classes]
    if missing:
        found.append(f"{name}: classes of the published data set that are not here: {', '.join(missing)}")
    extra = [label for plain, label in classes.items() if plain not in expected]
    if extra:
        found.append(f"{name}: classes that the published data set does not have: {', '.join(extra)}")
    for split, table in tables.items():
        found += _count_differences(name, split, table, expected)
    return found


def _count_differences(
    name: str, split: str, table: LabelTable, expected: Mapping[str, Mapping[str, int]]
) -> list[str]:
    images = published_counts(name)[IMAGES][split]
    differ = [
        f"{label} {count:,} instead of {expected[_plain(label)][split]:,}"
        for label, count in table.counts().items()
        if _plain(label) in expected and count != expected[_plain(label)][split]
    ]
    parts = [] if len(table) == images else [f"{len(table):,} images instead of {images:,}"]
    if differ:
        classes = "1 class differ" if len(differ) == 1 else f"{len(differ)} classes differ"
        more = f" and {len(differ) - NAMED} more" if len(differ) > NAMED else ""
        parts.append(f"the positives of {classes}: {', '.join(differ[:NAMED])}{more}")
    return [f"{name}: the {split} split is not the published one: {'; '.join(parts)}"] if parts else []


def _plain(label: str) -> str:
    plain = " ".join(label.lower().replace("_", " ").split())
    return SAME_CLASS.get(plain, plain)
