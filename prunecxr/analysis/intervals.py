"""Intervals from a bootstrap over patients: images of one patient are not independent.

Statistics that are functions of sums over images (shares, ratios of shares) need only the sums of each patient: a
resample is a weight for every patient, and all resamples are one matrix product.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

WEIGHTS_AT_ONCE = 4_000_000  # bounds memory at 32 MB, whatever the number of patients


def totals_by_subject(subjects: Sequence[str] | np.ndarray, values: np.ndarray) -> np.ndarray:
    """Sums over the images of each subject.

    Args:
        subjects: subject ids, shape (n_images,).
        values: shape (n_images, m).

    Returns:
        Shape (n_subjects, m), subjects in sorted order, so the order of images does not matter.
    """
    unique, index = np.unique(np.asarray(subjects, dtype=str), return_inverse=True)
    return np.stack([np.bincount(index, column, minlength=len(unique)) for column in values.T], axis=1)


def resampled_totals(totals: np.ndarray, resamples: int, seed: int) -> np.ndarray:
    """Totals over subjects drawn with replacement, as many as there are.

    Args:
        totals: sums of each subject, shape (n_subjects, m).
        resamples: number of draws.
        seed: of the random generator; equal seeds give equal draws.

    Returns:
        Shape (resamples, m).
    """
    rng = np.random.default_rng(seed)
    n = len(totals)
    block = max(1, WEIGHTS_AT_ONCE // n)
    parts = []
    for start in range(0, resamples, block):
        size = min(block, resamples - start)
        drawn = rng.integers(n, size=(size, n)) + n * np.arange(size)[:, None]
        weights = np.bincount(drawn.ravel(), minlength=size * n).reshape(size, n)
        parts.append(weights.astype(np.float64) @ totals)
    return np.concatenate(parts)


def percentile_interval(samples: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Percentile interval of every column, over the samples that are not NaN; infinities count as largest.

    Args:
        samples: shape (resamples, m).
        level: coverage, in (0, 1).

    Returns:
        Lower and upper ends, each of shape (m,); NaN for a column without a defined sample.
    """
    ranked = np.sort(samples, axis=0)  # NaN last
    defined = (~np.isnan(samples)).sum(axis=0)
    tail = round((1 - level) / 2, 12)
    # Order statistics instead of interpolation: between a number and infinity there is no middle.
    low = np.floor(tail * (defined - 1)).astype(int).clip(min=0)
    high = np.ceil((1 - tail) * (defined - 1)).astype(int).clip(min=0)
    columns = np.arange(samples.shape[1])
    return ranked[low, columns], ranked[high, columns]
