"""Lesions that a tiny network learns in seconds: bright blots on dark noise, whose colour is their class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from prunecxr.learning.optimizers import Recipe
from prunecxr.studies.localization.batches import LesionBatches
from tests.tiny import CPU

FEATURES = (4, 4, 8, 8, 8, 4)


@dataclass(frozen=True)
class Blots:
    """Images (n, size, size, 3) uint8, masks (n, size, size) uint8 0/1, classes (n,) 0..2."""

    images: np.ndarray
    masks: np.ndarray
    classes: np.ndarray

    def batches(self, targets: np.ndarray, index: np.ndarray | None = None, flip: bool = True) -> LesionBatches:
        return LesionBatches(
            self.images,
            targets,
            batch_size=8,
            flip=flip,
            rotation=180 if flip else 0,
            device=CPU.device,
            channels_last=CPU.channels_last,
            index=index,
        )


def blots(n: int = 40, size: int = 32, seed: int = 0) -> Blots:
    rng = np.random.default_rng(seed)
    images = rng.integers(0, 60, (n, size, size, 3))
    masks = np.zeros((n, size, size), dtype=np.uint8)
    classes = rng.integers(0, 3, n)
    for image, mask, colour in zip(images, masks, classes, strict=True):
        height, width = rng.integers(size // 4, size // 2, 2)
        top, left = rng.integers(0, size - height), rng.integers(0, size - width)
        mask[top : top + height, left : left + width] = 1
        image[mask > 0] += 80
        image[mask > 0, colour] += 100
    return Blots(images.astype(np.uint8), masks, classes)


def recipe(epochs: int = 3, **changes) -> Recipe:
    values = {
        "optimizer": "sgd",
        "learning_rate": 0.1,
        "weight_decay": 2e-4,
        "momentum": 0.9,
        "schedule": "step",
        "milestones": (2,),
        "epochs": epochs,
        "patience": epochs,
    }
    return Recipe(**(values | changes))
