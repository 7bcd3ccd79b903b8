"""A data set made ready: checked, cached, fingerprinted. Shared by all seeds of a study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd

from prunecxr.config import Config
from prunecxr.data.cache import CachedImages, cache_images, data_fingerprint
from prunecxr.data.datasets import Dataset, open_dataset
from prunecxr.data.images import resize

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Material:
    """A data set, its cached pixels and the fingerprint of each split's content."""

    dataset: Dataset
    cached: dict[str, CachedImages]
    fingerprints: dict[str, str]

    def counts(self) -> pd.DataFrame:
        """class, train_count, val_count, test_count; n_train, n_val, n_test: the images of each split."""
        splits = {name: getattr(self.dataset, name).table for name in SPLITS}
        table = pd.DataFrame({"class": list(self.dataset.classes)})
        for name, labels in splits.items():
            table[f"{name}_count"] = labels.labels.sum(axis=0, dtype=int)
        for name, labels in splits.items():
            table[f"n_{name}"] = len(labels)
        return table


def prepare(config: Config) -> Material:
    """Open and check the data set, decode what is not in the cache yet.

    Raises:
        UserError: anything wrong with labels or images, all of it before any training.
    """
    dataset = open_dataset(config.data)
    folder = config.execution.workdir / "images"
    cached, fingerprints = {}, {}
    for name in SPLITS:
        split = getattr(dataset, name)
        cached[name] = cache_images(
            split.images,
            config.data.image_size,
            config.data.interpolation,
            folder,
            workers=config.execution.workers,
            desc=f"{name} images",
        )
        fingerprints[name] = data_fingerprint(split.table, cached[name])
    return Material(dataset, cached, fingerprints)


def reader(config: Config) -> Callable[[str], np.ndarray]:
    """A look-up of single test images by id, gray pixels of shape (height, width), for the gallery of a report."""
    images = open_dataset(config.data).test.images
    at = {image_id: index for index, image_id in enumerate(images.ids)}
    return lambda image_id: resize(images.read(at[image_id]), config.data.image_size, config.data.interpolation)
