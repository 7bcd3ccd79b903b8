"""Regression of the dissimilarity of curves on difference in frequency, co-occurrence and their product (equation 2).

After Holste et al. (MICCAI 2023), section 3.3. Errors and P take pairs as independent, as in the paper, which pairs
that share a class are not: :func:`prunecxr.studies.pruning.analysis.pair_tests.pair_tests` permutes the classes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from prunecxr.studies.pruning.analysis.pairs import DEFINITIONS, PAPER_SCALES, PREFIXES, scales_of

if TYPE_CHECKING:
    from statsmodels.regression.linear_model import RegressionResults

TERMS = ("intercept", "log_freq_diff", "iou_fourth_root", "log_freq_diff:iou_fourth_root")
LEVELS = (0.1, 0.5, 0.9)  # quantiles over pairs at which the effect of co-occurrence is shown
STEPS = 21  # points of a line


def ols(pair_table: pd.DataFrame, definitions: tuple[str, ...] = tuple(DEFINITIONS)) -> pd.DataFrame:
    """Ordinary least squares of equation 2: FCD on frequency difference, overlap and their product.

    FCD = b0 + b1 * LogFreqDiff + b2 * IoU^(1/4) + b3 * LogFreqDiff * IoU^(1/4)

    Args:
        pair_table: the table of :func:`pairs`.
        definitions: keys of :data:`DEFINITIONS`.

    Returns:
        Columns definition, term (:data:`TERMS`), coefficient, se, t, p, r2, n (pairs), and where the table has
        chance-corrected FCD the same for it, with the prefix ``chance_corrected_``. All but n are NaN where the
        pairs do not determine the four coefficients and their errors: fewer than 5 pairs, or predictors that are
        constant or linearly dependent. Coefficients on the other scales stand in the table of tests alone.
    """
    tables = []
    for name in definitions:
        table = pd.DataFrame({"definition": name, "term": TERMS})
        for prefix in (PREFIXES[scale] for scale in scales_of(pair_table, name) if scale in PAPER_SCALES):
            fit, n = _fit(pair_table, name, prefix)
            numbers = np.full((5, len(TERMS)), np.nan)
            if fit is not None:
                numbers[:] = fit.params, fit.bse, fit.tvalues, fit.pvalues, np.full(len(TERMS), fit.rsquared)
            columns = dict(zip(("coefficient", "se", "t", "p", "r2"), numbers, strict=True))
            table = table.assign(**{f"{prefix}{column}": values for column, values in columns.items()})
            table[f"{prefix}n"] = n
        tables.append(table)
    return pd.concat(tables, ignore_index=True)


def partial_effects(pair_table: pd.DataFrame, definitions: tuple[str, ...] = tuple(DEFINITIONS)) -> pd.DataFrame:
    """What the interaction of equation 2 means: fitted FCD against overlap, at a small, middle and large difference.

    Args:
        pair_table: the table of :func:`pairs`.
        definitions: keys of :data:`DEFINITIONS`.

    Returns:
        Columns definition, y (fcd, chance_corrected_fcd, auroc_fcd ...), quantile (:data:`LEVELS`, over pairs),
        log_freq_diff (at that quantile), iou_fourth_root (rising over the range of the pairs), fitted (FCD), low, high
        (95% confidence interval of the fitted mean). Without rows for a regression that cannot be fitted.
    """
    tables = [
        _lines(pair_table, name, PREFIXES[scale]) for name in definitions for scale in scales_of(pair_table, name)
    ]
    columns = ["definition", "y", "quantile", "log_freq_diff", "iou_fourth_root", "fitted", "low", "high"]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def _design(difference: np.ndarray, overlap: np.ndarray) -> np.ndarray:
    """The right-hand side of equation 2, shape (n, 4)."""
    return np.column_stack([np.ones(len(difference)), difference, overlap, difference * overlap])


def _predictors(pair_table: pd.DataFrame, name: str, prefix: str) -> np.ndarray:
    """FCD, difference in frequency and overlap of the pairs that have all three, shape (3, n)."""
    columns = [f"{prefix}fcd_{name}", f"log_freq_diff_{name}", f"iou_fourth_root_{name}"]
    return pair_table[columns].dropna().to_numpy(np.float64).T


def _fit(pair_table: pd.DataFrame, name: str, prefix: str) -> tuple[RegressionResults | None, int]:
    """The regression, None where the pairs do not determine it, and how many pairs there are."""
    # statsmodels takes a second to import, which only this function should cost.
    from statsmodels.regression.linear_model import OLS

    fcd, difference, overlap = _predictors(pair_table, name, prefix)
    design = _design(difference, overlap)
    determined = len(fcd) > len(TERMS) and np.linalg.matrix_rank(design) == len(TERMS)
    return (OLS(fcd, design).fit() if determined and np.ptp(fcd) > 0 else None), len(fcd)


def _lines(pair_table: pd.DataFrame, name: str, prefix: str) -> pd.DataFrame:
    """One regression's part of :func:`partial_effects`."""
    fit, _ = _fit(pair_table, name, prefix)
    if fit is None:
        return pd.DataFrame()
    _, difference, overlap = _predictors(pair_table, name, prefix)
    across = np.tile(np.linspace(overlap.min(), overlap.max(), STEPS), len(LEVELS))
    at = np.repeat(np.quantile(difference, LEVELS), STEPS)
    predicted = fit.get_prediction(_design(at, across))
    low, high = predicted.conf_int(alpha=0.05).T
    return pd.DataFrame(
        {
            "definition": name,
            "y": f"{prefix}fcd",
            "quantile": np.repeat(LEVELS, STEPS),
            "log_freq_diff": at,
            "iou_fourth_root": across,
            "fitted": predicted.predicted_mean,
            "low": low,
            "high": high,
        }
    )
