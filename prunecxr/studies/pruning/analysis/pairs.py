"""Pairs of classes: do classes of similar frequency, or that occur together, forget alike?

After Holste et al. (MICCAI 2023), sections 2.2 and 3.3, equation 2 and figures 4 and 7. The numbers that the paper
prints were not computed as its text says, so there are two definitions:

- ``paper`` (the text): FCD is the mean squared difference of the two forgettability curves over k > 0; the frequency
  of a class is the number of test images with the label; IoU is images with both / images with either.
- ``published`` (the printed numbers): FCD is the Euclidean distance of the two curves over k > 0; the frequency is
  the row sum of the co-occurrence matrix Y'Y, a label's images plus all its co-occurrences; IoU is
  n_ab / (rowsum_a + rowsum_b - n_ab).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.association import correlate

if TYPE_CHECKING:
    from statsmodels.regression.linear_model import RegressionResults

TERMS = ("intercept", "log_freq_diff", "iou_fourth_root", "log_freq_diff:iou_fourth_root")
MEASURED = ("", "chance_corrected_")  # prefixes of FCD: from raw curves, and from chance-corrected ones
LEVELS = (0.1, 0.5, 0.9)  # quantiles over pairs at which the effect of co-occurrence is shown
STEPS = 21  # points of a line


@dataclass(frozen=True)
class Definition:
    """One reading of section 2.2.

    Attributes:
        dissimilarity: differences of two curves, shape (n_pairs, n_sparsities) -> FCD, shape (n_pairs,).
        frequency: co-occurrence matrix Y'Y, shape (n_classes, n_classes) -> frequency of a class, shape (n_classes,).
    """

    dissimilarity: Callable[[np.ndarray], np.ndarray]
    frequency: Callable[[np.ndarray], np.ndarray]


DEFINITIONS: dict[str, Definition] = {
    "paper": Definition(
        dissimilarity=lambda difference: (difference**2).mean(axis=1),
        frequency=lambda together: together.diagonal(),
    ),
    "published": Definition(
        dissimilarity=lambda difference: np.sqrt((difference**2).sum(axis=1)),
        frequency=lambda together: together.sum(axis=1),
    ),
}


def pairs(
    curve: xr.DataArray,
    labels: pd.DataFrame,
    definitions: tuple[str, ...] = tuple(DEFINITIONS),
    corrected: xr.DataArray | None = None,
) -> pd.DataFrame:
    """Dissimilarity, difference in frequency and overlap of every unordered pair of classes.

    Args:
        curve: forgettability curves (median relative change in AP), dims (class, sparsity).
        labels: 0/1 columns a class, rows are test images; has a column for every class of ``curve``.
        definitions: keys of :data:`DEFINITIONS`.
        corrected: the chance-corrected curves of the same classes, dims (class, sparsity).

    Returns:
        Columns class_a, class_b, and for each definition fcd, log_freq_diff = abs(ln f_a - ln f_b), iou and
        iou_fourth_root with the definition as suffix (``fcd_paper``), then chance_corrected_fcd with the suffix. FCD
        is NaN where either curve is undefined at a sparsity that any class has a value at, the others where a class
        has no test image.

    Raises:
        ValueError: unknown definition.
    """
    names = [str(name) for name in curve["class"].to_numpy()]
    truth = labels[names].to_numpy(np.float64)
    together = truth.T @ truth
    a, b = np.triu_indices(len(names), k=1)
    table = {"class_a": np.array(names)[a], "class_b": np.array(names)[b]}
    for name in definitions:
        definition = _definition(name)
        frequency = definition.frequency(together)
        log_frequency = np.log(frequency, where=frequency > 0, out=np.full(len(names), np.nan))
        either = frequency[a] + frequency[b] - together[a, b]
        iou = np.divide(together[a, b], either, where=either > 0, out=np.full(len(a), np.nan))
        table |= {
            f"fcd_{name}": _fcd(curve, a, b, definition),
            f"log_freq_diff_{name}": np.abs(log_frequency[a] - log_frequency[b]),
            f"iou_{name}": iou,
            f"iou_fourth_root_{name}": iou**0.25,
        }
    if corrected is not None:
        table |= {f"chance_corrected_fcd_{name}": _fcd(corrected, a, b, _definition(name)) for name in definitions}
    return pd.DataFrame(table)


def pair_correlations(pair_table: pd.DataFrame, definitions: tuple[str, ...] = tuple(DEFINITIONS)) -> pd.DataFrame:
    """Pearson and Spearman correlation of FCD with the difference in frequency and with the overlap.

    Args:
        pair_table: the table of :func:`pairs`.
        definitions: keys of :data:`DEFINITIONS`.

    Returns:
        Columns definition, x (log_freq_diff, iou_fourth_root), y (fcd, chance_corrected_fcd), n (pairs), pearson_r,
        pearson_p, spearman_rho, spearman_p. As in the paper, P takes pairs as independent, which pairs that share a
        class are not.
    """
    rows = []
    for name in definitions:
        for y in (f"{prefix}fcd" for prefix in _measured(pair_table, name)):
            for x in ("log_freq_diff", "iou_fourth_root"):
                found = correlate(pair_table[f"{x}_{name}"], pair_table[f"{y}_{name}"])
                rows.append({"definition": name, "x": x, "y": y, **found})
    return pd.DataFrame(rows).drop(columns=["n_pearson", "n_censored"])


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
        constant or linearly dependent.
    """
    tables = []
    for name in definitions:
        table = pd.DataFrame({"definition": name, "term": TERMS})
        for prefix in _measured(pair_table, name):
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
        Columns definition, y (fcd, chance_corrected_fcd), quantile (:data:`LEVELS`, over pairs), log_freq_diff (at
        that quantile), iou_fourth_root (rising over the range of the pairs), fitted (FCD), low, high (95% confidence
        interval of the fitted mean). Without rows for a regression that cannot be fitted.
    """
    tables = [_lines(pair_table, name, prefix) for name in definitions for prefix in _measured(pair_table, name)]
    columns = ["definition", "y", "quantile", "log_freq_diff", "iou_fourth_root", "fitted", "low", "high"]
    filled = [table for table in tables if len(table)]
    return pd.concat(filled, ignore_index=True) if filled else pd.DataFrame(columns=columns)


def _definition(name: str) -> Definition:
    if name not in DEFINITIONS:
        raise ValueError(f"unknown definition {name!r}; known: {', '.join(DEFINITIONS)}")
    return DEFINITIONS[name]


def _fcd(curve: xr.DataArray, a: np.ndarray, b: np.ndarray, definition: Definition) -> np.ndarray:
    """Dissimilarity of the curves of classes ``a`` and ``b`` over k > 0, shape (n_pairs,)."""
    pruned = curve.transpose("class", "sparsity").where(curve["sparsity"] > 0, drop=True)
    values = pruned.dropna("sparsity", how="all").to_numpy()
    return definition.dissimilarity(values[a] - values[b]) if values.shape[1] else np.full(len(a), np.nan)


def _measured(pair_table: pd.DataFrame, name: str) -> list[str]:
    """The prefixes of FCD that the table has."""
    return [prefix for prefix in MEASURED if f"{prefix}fcd_{name}" in pair_table]


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
