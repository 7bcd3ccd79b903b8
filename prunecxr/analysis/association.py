"""Correlations that say what they left out, and Holm's correction for several tests."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike
from scipy import stats

MIN_POINTS = 3
ROUNDING = 1e-12


def correlate(x: ArrayLike, y: ArrayLike, censored: ArrayLike | None = None) -> dict[str, float]:
    """Pearson r and Spearman rho of two variables, with two-sided P.

    Args:
        x: shape (n,); NaN leaves a point out.
        y: shape (n,); NaN leaves a point out, unless it is censored.
        censored: shape (n,) bool: points whose ``y`` is only known to lie beyond every observed one. They are left
            out of Pearson and share the last rank in Spearman.

    Returns:
        n (points in Spearman), pearson_r, pearson_p, spearman_rho, spearman_p, n_pearson, n_censored. A coefficient
        is NaN with fewer than 3 points or where either variable is constant.
    """
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    late = np.zeros(len(x), bool) if censored is None else np.asarray(censored, bool)
    observed = np.isfinite(x) & np.isfinite(y)
    late = late & np.isfinite(x)
    # Only order matters to Spearman, so infinity is a faithful 'later than all'.
    y_ranked = np.where(late, np.inf, y)[observed | late]
    x_ranked = x[observed | late]
    r, r_p = _pearson(x[observed], y[observed])
    rho, rho_p = _pearson(stats.rankdata(x_ranked), stats.rankdata(y_ranked))
    return {
        "n": len(x_ranked),
        "pearson_r": r,
        "pearson_p": r_p,
        "spearman_rho": rho,
        "spearman_p": rho_p,
        "n_pearson": int(observed.sum()),
        "n_censored": int(late.sum()),
    }


def holm(p: ArrayLike) -> np.ndarray:
    """P-values adjusted by Holm's step-down method, over those that are not NaN; shape (n,), NaN stays NaN."""
    p = np.asarray(p, np.float64)
    tested = np.flatnonzero(~np.isnan(p))
    order = tested[np.argsort(p[tested], kind="stable")]
    adjusted = np.full(len(p), np.nan)
    adjusted[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(order), 0, -1)), 1)
    return adjusted


def without_p(table: pd.DataFrame) -> pd.DataFrame:
    """The same table with NaN for every P-value (columns ``p``, ``*_p``)."""
    tests = [column for column in table if column == "p" or column.endswith("_p")]
    return table.assign(**dict.fromkeys(tests, np.nan))


def _pearson(x: np.ndarray, y: np.ndarray) -> tuple[float, float]:
    if len(x) < MIN_POINTS or _constant(x) or _constant(y):
        return np.nan, np.nan
    result = stats.pearsonr(x, y)
    return float(result.statistic), float(result.pvalue)


def _constant(values: np.ndarray) -> bool:
    return bool(np.ptp(values) <= ROUNDING * np.abs(values).max())
