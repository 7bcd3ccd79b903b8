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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from prunecxr.analysis.association import correlate

# Scale that curves are measured on -> prefix of its columns, as in ``chance_corrected_fcd_paper``.
PREFIXES = {
    "ap": "",
    "ap_chance": "chance_corrected_",
    "ap_ref": "ap_ref_",
    "auroc": "auroc_",
    "separability": "separability_",
}
PAPER_SCALES = ("ap", "ap_chance")  # of the paper, and the one that stood beside it from the start


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
    curves: Mapping[str, xr.DataArray],
    labels: pd.DataFrame,
    definitions: tuple[str, ...] = tuple(DEFINITIONS),
    sparsities: Sequence[float] | None = None,
) -> pd.DataFrame:
    """Dissimilarity, difference in frequency and overlap of every unordered pair of classes.

    Args:
        curves: scale (a key of :data:`PREFIXES`) -> forgettability curves (median relative change on that scale), dims
            (class, sparsity), the same classes in the same order for each.
        labels: 0/1 columns a class, rows are test images; has a column for every class of ``curves``.
        definitions: keys of :data:`DEFINITIONS`.
        sparsities: those above 0 that curves are compared at, such as those that are not collapsed; all by default.

    Returns:
        Columns class_a, class_b, and for each definition fcd, log_freq_diff = abs(ln f_a - ln f_b), iou and
        iou_fourth_root with the definition as suffix (``fcd_paper``). FCD is that of the scale ``ap``; those of other
        scales follow with their prefix and suffix (``auroc_fcd_paper``). FCD is NaN where either curve is undefined at
        a sparsity that any class has a value at, the others where a class has no test image.

    Raises:
        ValueError: unknown definition or scale, no scale, or scales of different classes.
    """
    names = _classes(curves)
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
        if "ap" in curves:
            table[f"fcd_{name}"] = _fcd(curves["ap"], a, b, definition, sparsities)
        table |= {
            f"log_freq_diff_{name}": np.abs(log_frequency[a] - log_frequency[b]),
            f"iou_{name}": iou,
            f"iou_fourth_root_{name}": iou**0.25,
        }
    table |= {
        f"{PREFIXES[scale]}fcd_{name}": _fcd(curves[scale], a, b, _definition(name), sparsities)
        for scale in PREFIXES
        if scale in curves and scale != "ap"
        for name in definitions
    }
    return pd.DataFrame(table)


def pair_correlations(pair_table: pd.DataFrame, definitions: tuple[str, ...] = tuple(DEFINITIONS)) -> pd.DataFrame:
    """Pearson and Spearman correlation of FCD with the difference in frequency and with the overlap, as in the paper.

    Args:
        pair_table: the table of :func:`pairs`.
        definitions: keys of :data:`DEFINITIONS`.

    Returns:
        Columns definition, x (log_freq_diff, iou_fourth_root), y (fcd, chance_corrected_fcd), n (pairs), pearson_r,
        pearson_p, spearman_rho, spearman_p. As in the paper, P takes pairs as independent, which pairs that share a
        class are not: :func:`prunecxr.studies.pruning.analysis.pair_tests.pair_tests` permutes the classes.
    """
    rows = []
    for name in definitions:
        for y in (f"{PREFIXES[scale]}fcd" for scale in scales_of(pair_table, name) if scale in PAPER_SCALES):
            for x in ("log_freq_diff", "iou_fourth_root"):
                found = correlate(pair_table[f"{x}_{name}"], pair_table[f"{y}_{name}"])
                rows.append({"definition": name, "x": x, "y": y, **found})
    columns = ["definition", "x", "y", "n", "pearson_r", "pearson_p", "spearman_rho", "spearman_p"]
    return pd.DataFrame(rows, columns=columns)


def scales_of(pair_table: pd.DataFrame, definition: str) -> list[str]:
    """The scales that the table has FCD on, in the order of :data:`PREFIXES`."""
    return [scale for scale, prefix in PREFIXES.items() if f"{prefix}fcd_{definition}" in pair_table]


def _classes(curves: Mapping[str, xr.DataArray]) -> list[str]:
    """The classes that all the curves are of."""
    unknown = [scale for scale in curves if scale not in PREFIXES]
    if unknown or not curves:
        raise ValueError(f"unknown scale {', '.join(map(repr, unknown)) or '(none)'}; known: {', '.join(PREFIXES)}")
    first, *others = ([str(name) for name in curve["class"].to_numpy()] for curve in curves.values())
    if any(names != first for names in others):
        raise ValueError("curves on different scales are of different classes, or of the same in another order")
    return first


def _definition(name: str) -> Definition:
    if name not in DEFINITIONS:
        raise ValueError(f"unknown definition {name!r}; known: {', '.join(DEFINITIONS)}")
    return DEFINITIONS[name]


def _fcd(
    curve: xr.DataArray, a: np.ndarray, b: np.ndarray, definition: Definition, sparsities: Sequence[float] | None
) -> np.ndarray:
    """Dissimilarity of the curves of classes ``a`` and ``b`` over the sparsities above 0, shape (n_pairs,)."""
    compared = curve["sparsity"] > 0
    if sparsities is not None:
        compared = compared & curve["sparsity"].isin(list(sparsities))
    # An infinite change, as of a separability of 0, compares with nothing.
    pruned = curve.transpose("class", "sparsity").where(np.isfinite(curve) & compared)
    values = pruned.dropna("sparsity", how="all").to_numpy()
    return definition.dissimilarity(values[a] - values[b]) if values.shape[1] else np.full(len(a), np.nan)
