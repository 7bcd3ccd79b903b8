"""Pruning-identified exemplars (PIEs): the images on which dense and pruned populations disagree most.

After Hooker et al. (arXiv:1911.05248) and, for several labels an image, Holste et al. (MICCAI 2023), sections 2.3
and 3.4: the predictions of all seeds are averaged at sparsity 0 and at a high sparsity, the two averages of an image
are compared over the classes, and the images that agree least are the PIEs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import pandas as pd

from prunecxr.studies.pruning.analysis.agreement import agreement, measure_named


class Exemplars(NamedTuple):
    """Agreement of two populations on every image, and which images are PIEs; both of shape (n_images,)."""

    agreement: np.ndarray
    is_pie: np.ndarray


@dataclass(frozen=True)
class Chooser:
    """Which images are PIEs: one rule for the set, its controls, and other measures.

    Attributes:
        order: places of the image ids, which break ties, shape (n_images,).
        fraction: share of the images that are PIEs.
        measure: of agreement.
    """

    order: np.ndarray
    fraction: float
    measure: str

    @classmethod
    def of(cls, ids: Sequence[str] | np.ndarray, fraction: float, measure: str) -> Chooser:
        """For images with these ids."""
        return cls(ranks_of_ids(ids), fraction, measure)

    def by(self, measure: str) -> Chooser:
        """The same by another measure."""
        return replace(self, measure=measure)

    def __call__(self, dense: np.ndarray, pruned: np.ndarray) -> Exemplars:
        """From the mean predictions of two populations, each of shape (n_images, n_classes)."""
        values = agreement(dense, pruned, self.measure)
        best = measure_named(self.measure).best
        return Exemplars(values, lowest_by_rank(values, self.order, self.fraction, best))


def lowest(values: np.ndarray, ids: Sequence[str] | np.ndarray, fraction: float, best: float = math.inf) -> np.ndarray:
    """The floor(fraction * n) images of lowest agreement, ties broken by image id; undefined ones are never chosen.

    Args:
        values: agreement, shape (n_images,).
        ids: image ids, shape (n_images,).
        fraction: share of all n images, in [0, 1].
        best: agreement from which on an image is never chosen, however few are left: that of perfect agreement.

    Returns:
        Shape (n_images,), bool.
    """
    return lowest_by_rank(values, ranks_of_ids(ids), fraction, best)


def ranks_of_ids(ids: Sequence[str] | np.ndarray) -> np.ndarray:
    """Places of the ids in sorted order, shape (n_images,): what breaks ties, sorted once for many choices."""
    ranks = np.empty(len(ids), int)
    ranks[np.argsort(np.asarray(ids, dtype=str), kind="stable")] = np.arange(len(ids))
    return ranks


def lowest_by_rank(values: np.ndarray, ranks: np.ndarray, fraction: float, best: float = math.inf) -> np.ndarray:
    """:func:`lowest` for images whose ids have the places ``ranks``."""
    order = np.lexsort((ranks, values))  # NaN last
    chosen = np.zeros(len(values), bool)
    chosen[order[: places(len(values), fraction)]] = True
    return chosen & (values < best)


def places(n: int, fraction: float) -> int:
    """How many of n images are PIEs: floor(fraction * n)."""
    return math.floor(round(fraction * n, 6))  # 0.29 * 100 is 28.999... in floating point


def pies(
    labels: pd.DataFrame,
    dense: np.ndarray,
    pruned: np.ndarray,
    fraction: float = 0.05,
    measure: str = "spearman",
) -> pd.DataFrame:
    """Every test image with its agreement, lowest first.

    Args:
        labels: ``id``, ``subject_id``, then one 0/1 column a class.
        dense: mean probabilities over seeds at sparsity 0, shape (n_images, n_classes), in the order of ``labels``.
        pruned: the same at the PIE sparsity.
        fraction: share of the images that are PIEs; 5% in the paper.
        measure: see :func:`prunecxr.studies.pruning.analysis.agreement.measure_named`.

    Returns:
        Columns id, subject_id, agreement (NaN where undefined; these images come last and are no PIE), is_pie, the
        label columns, and top_dense, top_dense_probability, top_pruned, top_pruned_probability: the class that each
        population puts first.
    """
    names = np.asarray(class_columns(labels))
    values, is_pie = Chooser.of(labels["id"].to_numpy(), fraction, measure)(dense, pruned)
    head = labels[["id", "subject_id"]].assign(agreement=values, is_pie=is_pie)
    tops: dict[str, np.ndarray] = {}
    for population, predictions in (("dense", np.asarray(dense)), ("pruned", np.asarray(pruned))):
        tops[f"top_{population}"] = names[predictions.argmax(axis=1)]
        tops[f"top_{population}_probability"] = predictions.max(axis=1)
    table = pd.concat([head, labels[names], pd.DataFrame(tops, index=labels.index)], axis=1)
    order = np.lexsort((labels["id"].to_numpy(dtype=str), values))
    return table.iloc[order].reset_index(drop=True)


def class_columns(labels: pd.DataFrame) -> list[str]:
    """The class names of a label table: its columns without ``id`` and ``subject_id``."""
    return [column for column in labels.columns if column not in ("id", "subject_id")]


def nearest_sparsity(available: Sequence[float], wanted: float) -> float:
    """The sparsity above 0 closest to ``wanted``, the higher of two equally close; NaN where all models are dense."""
    pruned = sorted((k for k in available if k > 0), reverse=True)
    return min(pruned, key=lambda k: round(abs(k - wanted), 9), default=math.nan)
