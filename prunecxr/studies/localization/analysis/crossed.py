"""Means of which both factors are samples: seeds, and patients, each seed's networks seeing the same patients.

A test over seeds alone takes the patients for all there are, a test over patients alone the networks. Either rejects
too often where both vary. Their variances add up (Clark 1973, 'The language-as-fixed-effect fallacy': min F', here of
one degree of freedom, with the sign); what seeds and patients have in common is counted twice, on the safe side. Two or
three seeds may by chance agree so well that the sum is too small: the result is never surer than Student's t over the
seeds alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from scipy import stats

from prunecxr.analysis.intervals import totals_by_subject


@dataclass(frozen=True)
class Crossed:
    """A mean over seeds and images, its interval and two-sided P; NaN with fewer than two seeds or patients.

    Attributes:
        difference: the mean.
        low, high: interval that holds for other seeds and other patients.
        p: of no difference.
    """

    difference: float
    low: float
    high: float
    p: float

    def columns(self, prefix: str = "") -> dict[str, float]:
        """As a part of a row."""
        return {f"{prefix}{name}": value for name, value in asdict(self).items()}


def crossed(values: np.ndarray, subjects: Sequence[str] | np.ndarray, alpha: float = 0.05) -> Crossed:
    """The mean of values that were taken from every image with the networks of every seed.

    Args:
        values: shape (n_seeds, n_images): differences, or pseudo-values of a statistic that is no mean, whose mean over
            the images of a seed is that seed's statistic.
        subjects: the patient of each image, shape (n_images,).
        alpha: 1 - coverage.
    """
    values = np.asarray(values, np.float64)
    n_seeds = len(values)
    mean = float(values.mean()) if values.size else np.nan
    undefined = Crossed(mean, np.nan, np.nan, np.nan)
    if n_seeds < 2 or not np.isfinite(values).all():
        return undefined
    totals = totals_by_subject(np.asarray(subjects, dtype=str), (values.mean(axis=0) - mean)[:, None])[:, 0]
    n_subjects = len(totals)
    if n_subjects < 2:
        return undefined
    by_seeds = values.mean(axis=1).var(ddof=1) / n_seeds
    by_subjects = (totals**2).sum() / values.shape[1] ** 2 * n_subjects / (n_subjects - 1)
    both = by_seeds + by_subjects
    if both <= (1e-12 * max(1.0, abs(mean))) ** 2:  # nothing varies: no test
        return undefined
    freedom = both**2 / (by_seeds**2 / (n_seeds - 1) + by_subjects**2 / (n_subjects - 1))
    errors, freedoms = np.sqrt([both, by_seeds]), np.array([freedom, n_seeds - 1])
    reach = float((stats.t.ppf(1 - alpha / 2, freedoms) * errors).max())
    sizes = np.divide(abs(mean), errors, out=np.full(2, np.inf), where=errors > 0)
    return Crossed(mean, mean - reach, mean + reach, float((2 * stats.t.sf(sizes, freedoms)).max()))
