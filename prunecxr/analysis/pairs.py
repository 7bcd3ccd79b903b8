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

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.association import correlate

TERMS = ("intercept", "log_freq_diff", "iou_fourth_root", "log_freq_diff:iou_fourth_root")


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


def pairs(curve: xr.DataArray, labels: pd.DataFrame, definitions: tuple[str, ...] = tuple(DEFINITIONS)) -> pd.DataFrame:
    """Dissimilarity, difference in frequency and overlap of every unordered pair of classes.

    Args:
        curve: forgettability curves (median relative change in AP), dims (class, sparsity).
        labels: 0/1 columns a class, rows are test images; has a column for every class of ``curve``.
        definitions: keys of :data:`DEFINITIONS`.

    Returns:
        Columns class_a, class_b, and for each definition fcd, log_freq_diff = abs(ln f_a - ln f_b), iou and
        iou_fourth_root with the definition as suffix (``fcd_paper``). FCD is NaN where either curve is undefined at a
        sparsity that any class has a value at, the others where a class has no test image.

    Raises:
        ValueError: unknown definition.
    """
    names = [str(name) for name in curve["class"].to_numpy()]
    truth = labels[names].to_numpy(np.float64)
    together = truth.T @ truth
    pruned = curve.transpose("class", "sparsity").where(curve["sparsity"] > 0, drop=True)
    values = pruned.dropna("sparsity", how="all").to_numpy()
    a, b = np.triu_indices(len(names), k=1)
    table = {"class_a": np.array(names)[a], "class_b": np.array(names)[b]}
    for name in definitions:
        definition = _definition(name)
        frequency = definition.frequency(together)
        log_frequency = np.log(frequency, where=frequency > 0, out=np.full(len(names), np.nan))
        either = frequency[a] + frequency[b] - together[a, b]
        iou = np.divide(together[a, b], either, where=either > 0, out=np.full(len(a), np.nan))
        fcd = definition.dissimilarity(values[a] - values[b]) if values.shape[1] else np.full(len(a), np.nan)
        table |= {
            f"fcd_{name}": fcd,
            f"log_freq_diff_{name}": np.abs(log_frequency[a] - log_frequency[b]),
            f"iou_{name}": iou,
            f"iou_fourth_root_{name}": iou**0.25,
        }
    return pd.DataFrame(table)


def pair_correlations(pair_table: pd.DataFrame, definitions: tuple[str, ...] = tuple(DEFINITIONS)) -> pd.DataFrame:
    """Pearson and Spearman correlation of FCD with the difference in frequency and with the overlap.

    Args:
        pair_table: the table of :func:`pairs`.
        definitions: keys of :data:`DEFINITIONS`.

    Returns:
        Columns definition, x (log_freq_diff, iou_fourth_root), y (fcd), n (pairs), pearson_r, pearson_p,
        spearman_rho, spearman_p. As in the paper, P takes pairs as independent, which pairs that share a class are
        not.
    """
    rows = []
    for name in definitions:
        for x in ("log_freq_diff", "iou_fourth_root"):
            found = correlate(pair_table[f"{x}_{name}"], pair_table[f"fcd_{name}"])
            rows.append({"definition": name, "x": x, "y": "fcd", **found})
    return pd.DataFrame(rows).drop(columns=["n_pearson", "n_censored"])


def ols(pair_table: pd.DataFrame, definitions: tuple[str, ...] = tuple(DEFINITIONS)) -> pd.DataFrame:
    """Ordinary least squares of equation 2: FCD on frequency difference, overlap and their product.

    FCD = b0 + b1 * LogFreqDiff + b2 * IoU^(1/4) + b3 * LogFreqDiff * IoU^(1/4)

    Args:
        pair_table: the table of :func:`pairs`.
        definitions: keys of :data:`DEFINITIONS`.

    Returns:
        Columns definition, term (:data:`TERMS`), coefficient, se, t, p, r2, n (pairs). All but n are NaN where the
        pairs do not determine the four coefficients and their errors: fewer than 5 pairs, or predictors that are
        constant or linearly dependent.
    """
    return pd.concat([_fit(pair_table, name) for name in definitions], ignore_index=True)


def _definition(name: str) -> Definition:
    if name not in DEFINITIONS:
        raise ValueError(f"unknown definition {name!r}; known: {', '.join(DEFINITIONS)}")
    return DEFINITIONS[name]


def _fit(pair_table: pd.DataFrame, name: str) -> pd.DataFrame:
    # statsmodels takes a second to import, which only this function should cost.
    from statsmodels.regression.linear_model import OLS

    columns = [f"fcd_{name}", f"log_freq_diff_{name}", f"iou_fourth_root_{name}"]
    fcd, difference, overlap = pair_table[columns].dropna().to_numpy(np.float64).T
    design = np.column_stack([np.ones(len(fcd)), difference, overlap, difference * overlap])
    table = pd.DataFrame({"definition": name, "term": TERMS}).reindex(
        columns=["definition", "term", "coefficient", "se", "t", "p", "r2"]
    )
    determined = len(fcd) > len(TERMS) and np.linalg.matrix_rank(design) == len(TERMS)
    if determined and np.ptp(fcd) > 0:
        fit = OLS(fcd, design).fit()
        table = table.assign(coefficient=fit.params, se=fit.bse, t=fit.tvalues, p=fit.pvalues, r2=fit.rsquared)
    return table.assign(n=len(fcd)).astype({"coefficient": float, "se": float, "t": float, "p": float, "r2": float})
