"""Label tables: read, validate, and check the splits against each other. Knows no images."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class LabelTable:
    """The labels of one split.

    Attributes:
        ids: image ids, shape (n,), dtype object (str), unique.
        subjects: subject (patient) ids, shape (n,), dtype object (str).
        labels: 0/1 labels, shape (n, n_classes), uint8.
        classes: class names in the order of the table's header, length n_classes.
        files: where each image is said to lie, relative to the image folder, shape (n,), or None when only the id tells.
    """

    ids: np.ndarray
    subjects: np.ndarray
    labels: np.ndarray
    classes: tuple[str, ...]
    files: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.ids)

    def counts(self) -> dict[str, int]:
        """Number of positive images of each class."""
        return dict(zip(self.classes, self.labels.sum(axis=0, dtype=int).tolist(), strict=True))
