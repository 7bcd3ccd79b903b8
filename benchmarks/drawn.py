"""Labels and predictions drawn from a seed: studies of any size without a network or an image."""

from __future__ import annotations

import numpy as np
import pandas as pd

CLASSES = (
    "Atelectasis", "Cardiomegaly", "Consolidation", "Edema", "Effusion", "Emphysema", "Fibrosis", "Hernia",
    "Infiltration", "Mass", "Nodule", "Pleural Thickening", "Pneumonia", "Pneumothorax", "Pneumoperitoneum",
    "Pneumomediastinum", "Subcutaneous Emphysema", "Tortuous Aorta", "Calcification of the Aorta", "No Finding",
)  # fmt: skip


def class_names(count: int) -> tuple[str, ...]:
    """The paper's 20 classes, and numbered ones where more are wanted; the last is 'No Finding'."""
    more = [f"Finding {number}" for number in range(count - len(CLASSES))]
    return (*CLASSES[: max(0, min(count, len(CLASSES)) - 1)], *more, CLASSES[-1])


def draw_labels(images: int, classes: tuple[str, ...] = CLASSES) -> pd.DataFrame:
    """Long-tailed labels of patients with several images each: id, subject_id, one 0/1 column a class."""
    rng = np.random.default_rng(0)
    findings = len(classes) - 1
    patient = np.sort(rng.integers(max(2, images // 9), size=images))
    logits = np.linspace(-1.6, -6.5, findings)[rng.permutation(findings)]
    truth = (rng.random((images, findings)) < 1 / (1 + np.exp(-logits))).astype(int)
    truth[np.arange(findings), np.arange(findings)] = 1  # every class has an image
    table = pd.DataFrame(np.column_stack([truth, truth.sum(axis=1) == 0]).astype(int), columns=list(classes))
    table.insert(0, "subject_id", [f"{p}" for p in patient])
    table.insert(0, "id", [f"{i:08d}_000.png" for i in range(images)])
    return table


class Predictions:
    """Probabilities of every seed and sparsity; rare classes are forgotten first."""

    def __init__(self, truth: np.ndarray) -> None:
        """Args: truth: 0/1, shape (n_images, n_classes)."""
        self._truth = truth.astype(np.float32)
        self._rarity = truth.mean(axis=0).argsort().argsort() / truth.shape[1]
        self._shared = np.random.default_rng(1).standard_normal(truth.shape, np.float32)

    def of_seed(self, seed: int, sparsities: tuple[float, ...]) -> list[np.ndarray]:
        """One array a sparsity, shape (n_images, n_classes), float32."""
        rng = np.random.default_rng([2, seed])
        own = self._shared + 0.6 * rng.standard_normal(self._truth.shape, np.float32)
        drawn = []
        for k in sparsities:
            kept = (1 / (1 + np.exp((k - 0.7 - 0.15 * self._rarity) / 0.05))).astype(np.float32)
            noise = own + 0.3 * rng.standard_normal(self._truth.shape, np.float32)
            drawn.append(1 / (1 + np.exp(-(2.2 * kept * self._truth + (0.4 + 0.6 * kept) * noise - 2.5))))
        return drawn
