"""The test images of a study, ordered by patient, and its variants taken one by one.

Everything that is computed of all variants works on one at a time: 600 of 21,081 images and 20 classes are a gigabyte.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.twoway import Estimates, estimate
from prunecxr.studies.pruning.analysis.exemplars import class_columns

T = TypeVar("T")


@dataclass(frozen=True)
class Images:
    """Labels of images, those of a patient side by side.

    Attributes:
        order: places of the images in the label table, shape (n,).
        starts: first image of each patient, shape (n_patients,).
        positive, negative: bool, shape (n_classes, n); an image with an unknown label is neither.
        classes: names.
    """

    order: np.ndarray
    starts: np.ndarray
    positive: np.ndarray
    negative: np.ndarray
    classes: tuple[str, ...]

    @classmethod
    def of(cls, labels: pd.DataFrame) -> Images:
        """From ``id``, ``subject_id`` and one column of 0, 1 or NaN a class."""
        _, patient = np.unique(labels["subject_id"].to_numpy(dtype=str), return_inverse=True)
        order = np.argsort(patient, kind="stable")
        names = tuple(class_columns(labels))
        truth = labels[list(names)].to_numpy(np.float32)[order].T
        starts = np.flatnonzero(np.diff(patient[order], prepend=-1))
        return cls(order, starts, truth == 1, truth == 0, names)

    @property
    def n_patients(self) -> int:
        return len(self.starts)

    @cached_property
    def patient(self) -> np.ndarray:
        """Number of each image's patient, shape (n,)."""
        return np.repeat(np.arange(len(self.starts)), np.diff(self.starts, append=len(self.order)))

    @cached_property
    def known(self) -> np.ndarray:
        """Whether an image's label is known, shape (n_classes, n), bool."""
        return self.positive | self.negative

    @cached_property
    def count(self) -> np.ndarray:
        """Images with a known label, shape (n_classes,)."""
        return self.known.sum(axis=1).astype(np.float64)

    @cached_property
    def per_patient(self) -> np.ndarray:
        """The same of each patient, shape (n_classes, n_patients)."""
        return self.by_patient(self.known)

    @cached_property
    def positives(self) -> np.ndarray:
        """Positive images of each patient, shape (n_classes, n_patients)."""
        return self.by_patient(self.positive)

    @cached_property
    def negatives(self) -> np.ndarray:
        """Negative images of each patient, shape (n_classes, n_patients)."""
        return self.by_patient(self.negative)

    @cached_property
    def rarer(self) -> np.ndarray:
        """Images of the rarer kind, positive or negative, shape (n_classes,)."""
        return np.minimum(self.positive.sum(axis=1), self.negative.sum(axis=1))

    def masked(self, values: np.ndarray) -> np.ndarray:
        """Values (n_classes, n) with 0 where the label is not known."""
        return values if self.known.all() else np.where(self.known, values, np.float32(0))

    def scores(self, variant: np.ndarray) -> np.ndarray:
        """Probabilities of a variant, shape (n, n_classes) as in the label table, as (n_classes, n) in this order."""
        return np.ascontiguousarray(variant[self.order].T, dtype=np.float32)

    def by_patient(self, values: np.ndarray) -> np.ndarray:
        """Sums over each patient's images: (..., n) -> (..., n_patients), float32."""
        return np.add.reduceat(values, self.starts, axis=-1, dtype=np.float32)


def each_seed(predictions: xr.DataArray, sparsity: float, work: Callable[[int, np.ndarray], T]) -> list[T]:
    """What ``work`` makes of every seed's variant at a sparsity, in the order of the seeds; threads share them.

    Args:
        predictions: dims (seed, sparsity, image, class), float32.
        work: is given the place of the seed and probabilities of shape (n_images, n_classes); must not write to them.
    """
    values = predictions.transpose("seed", "sparsity", "image", "class").to_numpy()
    at = place_of(predictions, sparsity)
    if len(values) == 1:
        return [work(0, values[0, at])]
    with ThreadPoolExecutor(min(len(values), os.cpu_count() or 1, 4)) as pool:
        return list(pool.map(lambda seed: work(seed, values[seed, at]), range(len(values))))


def place_of(predictions: xr.DataArray, sparsity: float) -> int:
    """Place of a sparsity on its axis.

    Raises:
        ValueError: it is not there.
    """
    (places,) = np.nonzero(np.isclose(predictions["sparsity"].to_numpy(), sparsity))
    if not len(places):
        raise ValueError(f"there are no predictions at sparsity {sparsity:g}")
    return int(places[0])


def over_seeds(values: np.ndarray, influences: np.ndarray, evidence: np.ndarray) -> Estimates:
    """Medians over seeds with errors over seeds and patients, as :func:`prunecxr.analysis.twoway.estimate`, any shape.

    Args:
        values: shape (n_seeds, ...).
        influences: shape (n_seeds, ..., n_patients).
        evidence: images of the rarer kind behind each, of a shape that broadcasts to (...).

    Returns:
        Arrays of shape (...); an error of 0, which is no evidence of certainty, is NaN.
    """
    shape = values.shape[1:]
    flat = values.reshape(len(values), -1), influences.reshape(len(values), -1, influences.shape[-1])
    one = estimate(*flat, np.broadcast_to(evidence, shape).ravel())
    error = np.where(one.error > 0, one.error, np.nan)
    return Estimates(one.value.reshape(shape), error.reshape(shape), one.freedom.reshape(shape))


def in_order(tables: Sequence[pd.DataFrame], classes: Sequence[str]) -> pd.DataFrame:
    """Tables with columns ``class`` and ``sparsity`` as one, by class in the order of the labels, then by sparsity."""
    table = pd.concat(tables, ignore_index=True)
    place = table["class"].map({name: at for at, name in enumerate(classes)})
    return table.iloc[np.lexsort((table["sparsity"], place))].reset_index(drop=True)
