"""A data set made ready: checked, cached, fingerprinted. Shared by all seeds of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from prunecxr.data.cache import CachedImages, cache_images, data_fingerprint
from prunecxr.data.datasets import Dataset, Split, open_dataset
from prunecxr.data.held_out import HeldOut, open_held_out
from prunecxr.data.images import ImageSource, resize
from prunecxr.studies.pruning.config import Config

SPLITS = ("train", "val", "test")
TRAINED_ELSEWHERE = (
    "The networks were trained elsewhere: that their outputs are in the order of the label table's columns, and that "
    "no test patient was in their training, is taken for granted"
)


@dataclass(frozen=True)
class Material:
    """A data set, the cached pixels and the content's fingerprint of those splits that were made ready."""

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


@dataclass(frozen=True)
class HeldOutMaterial:
    """A test split made ready: what networks are evaluated on that were trained elsewhere."""

    dataset: HeldOut
    cached: dict[str, CachedImages]
    fingerprints: dict[str, str]

    def counts(self) -> pd.DataFrame:
        """class, test_count, n_test; train_count, n_train where they are known."""
        return self.dataset.counts


Evaluable = Material | HeldOutMaterial


def prepare(config: Config, splits: Sequence[str] = SPLITS) -> Material:
    """Open and check the data set, decode what is not in the cache yet.

    Args:
        splits: whose images are wanted; those of the others are left alone.
    Raises:
        UserError: anything wrong with labels or images, all of it before any training.
    """
    dataset = open_dataset(config.data)
    cached = {name: _decode(config, getattr(dataset, name)) for name in splits}
    prints = {name: data_fingerprint(getattr(dataset, name).table, images) for name, images in cached.items()}
    return Material(dataset, cached, prints)


def prepare_held_out(config: Config, dataset: HeldOut) -> HeldOutMaterial:
    """Decode the test images that are not in the cache yet.

    Raises:
        UserError: images that cannot be decoded.
    """
    dataset = replace(dataset, warnings=(*dataset.warnings, TRAINED_ELSEWHERE))
    images = _decode(config, dataset.test)
    return HeldOutMaterial(dataset, {"test": images}, {"test": data_fingerprint(dataset.test.table, images)})


def _decode(config: Config, split: Split) -> CachedImages:
    return cache_images(
        split.images,
        config.data.image_size,
        config.data.interpolation,
        config.execution.workdir / "images",
        workers=config.execution.workers,
        desc=f"{split.name} images",
    )


def open_reader(config: Config) -> Callable[[str], np.ndarray]:
    """A look-up of single test images by id, gray pixels of shape (height, width), for the gallery of a report."""
    return reader_of(open_held_out(config.data).test.images, config)


def reader_of(images: ImageSource, config: Config) -> Callable[[str], np.ndarray]:
    """The same, of images that have been found already."""
    at = {image_id: index for index, image_id in enumerate(images.ids)}
    return lambda image_id: resize(images.read(at[image_id]), config.data.image_size, config.data.interpolation)
