"""Tests over pairs of classes in words: which scale, what is held equal, and whose P."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from prunecxr.report.wording import TIED, count, number, p_value
from prunecxr.studies.pruning.analysis.pair_tests import COEFFICIENT, INTERACTION, RHO, R
from prunecxr.studies.pruning.analysis.pair_verdicts import rows_of
from prunecxr.studies.pruning.sections.findings import Findings

SCALES = {
    "ap_ref": "AP at reference prevalence",
    "auroc": "AUROC",
    "separability": "separability d′",
    "ap": "AP at own prevalence",
    "ap_chance": "chance-corrected AP at own prevalence",
}
DRAWN = ("ap_ref", "ap", "ap_chance")  # scales that have figures of their own, in order
TITLES = {"ap_ref": ", AP at reference prevalence", "ap": "", "ap_chance": ", chance-corrected"}
SUFFIXES = {"ap_ref": "_ap_ref", "ap": "", "ap_chance": "_chance_corrected"}  # of files
SYMBOLS = {"spearman_rho": "ρ", "pearson_r": "r", "partial_spearman_rho": "partial ρ", "coefficient": "coefficient"}


def fcd_label(scale: str, definition: str) -> str:
    """Of an axis."""
    measured = {"ap": "FCD", "ap_chance": "chance-corrected FCD"}.get(scale, f"FCD of {SCALES[scale]}")
    return f"{measured} (definition '{definition}')"


def row_of(findings: Findings, definition: str, scale: str, x: str, statistic: str) -> pd.Series:
    """One test of the table of tests."""
    return rows_of(findings.tables["pair_tests"], definition, x, statistic).loc[scale]


def correlations_of(findings: Findings, definition: str, scale: str, x: str, p: str = "permutation_p") -> pd.Series:
    """Spearman's rho and Pearson's r of FCD with ``x``, nothing held equal, as :func:`wording.correlation` takes them.

    Args:
        p: the column of P.
    """
    rho, r = (row_of(findings, definition, scale, x, statistic) for statistic in (RHO, R))
    return pd.Series(
        {"n": rho["n"], "spearman_rho": rho["value"], "spearman_p": rho[p], "pearson_r": r["value"], "pearson_p": r[p]}
    )


def value_of(row: pd.Series, p: float | None = None) -> str:
    """A value with its P where there is one: 'partial ρ = −0.31 (P = 0.020)'.

    Args:
        p: given in place of the larger permutation P, such as one that is adjusted.
    """
    p = np.fmax(row["permutation_p"], row["stratified_p"]) if p is None else p
    if np.isnan(row["value"]):
        return f"undefined ({row['reason']})"
    tested = "" if np.isnan(p) else f" ({p_value(p)})"
    return f"{SYMBOLS[row['statistic']]}{TIED}={TIED}{number(row['value'])}{tested}"


def values_of(rows: pd.DataFrame, scales: Iterable[str], adjusted: Iterable[float] | None = None) -> str:
    """Scale by scale, those that the rows have: 'AUROC partial ρ = −0.31 (P = 0.020), ...'.

    Args:
        rows: as from :func:`rows_of`.
        adjusted: P of each of ``scales``, in place of the larger permutation P.
    """
    scales = list(scales)
    given = [None] * len(scales) if adjusted is None else list(adjusted)
    return ", ".join(
        f"{SCALES[scale]} {value_of(rows.loc[scale], p)}"
        for scale, p in zip(scales, given, strict=True)
        if scale in rows.index
    )


def papers_p(row: pd.Series) -> str:
    """The P of the paper, which takes pairs as independent; empty where there is none."""
    return "" if np.isnan(row["naive_p"]) else f"{p_value(row['naive_p'])} if pairs were independent, as in the paper"


def interaction_of(findings: Findings, definition: str, scale: str) -> str:
    """The coefficient of the product in equation 2: its permutation P, then the paper's."""
    row = row_of(findings, definition, scale, INTERACTION, COEFFICIENT)
    if np.isnan(row["value"]):
        return f"not determined ({row['reason']})"
    naive = papers_p(row)
    return f"{number(row['value'])}{f' ({p_value(row.permutation_p)}; {naive})' if naive else ''}"


def size_of(row: pd.Series) -> str:
    """'190 pairs of 20 classes'."""
    return f"{count(int(row['n']), 'pair')} of {count(int(row['n_classes']), 'class', 'classes')}"
