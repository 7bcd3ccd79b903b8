"""Intervals that hold for many quantities at once, from resamples of all of them.

With 20 classes, each in an interval of its own 95%, some interval misses in every second or third study. Simultaneous
ones are widened until 95% of the resamples lie within all of them: the balanced bootstrap of Beran (1988), which is
Westfall and Young's max-T on the scale of ranks. Quantities that move together cost less than Bonferroni's correction,
and no quantity needs a normal distribution.
"""

from __future__ import annotations

import numpy as np
from scipy import stats


def simultaneous_interval(samples: np.ndarray, level: float = 0.95) -> tuple[np.ndarray, np.ndarray]:
    """Intervals that together cover at least the share ``level`` of the resamples.

    Args:
        samples: shape (resamples, m), without NaN; infinities count as largest or smallest.
        level: joint coverage, in (0, 1).

    Returns:
        Lower and upper ends, each of shape (m,): as many order statistics from either end in every column. NaN where
        the resamples are too few to tell: where intervals from the lowest to the highest of them would be needed.
    """
    resamples, m = samples.shape
    if not m:
        return np.empty(0), np.empty(0)
    below = stats.rankdata(samples, method="max", axis=0) - 1
    above = resamples - stats.rankdata(samples, method="min", axis=0)
    depth = np.sort(np.minimum(below, above).min(axis=1))  # from the nearer end, in the column where that is nearest
    cut = int(depth[int(np.floor(round((1 - level) * resamples, 9)))])
    if cut == 0 and depth[-1] > 0:
        return np.full(m, np.nan), np.full(m, np.nan)
    ordered = np.sort(samples, axis=0)
    return ordered[cut], ordered[resamples - 1 - cut]
