"""What is told on the scales of forgetting, in words."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd

from prunecxr.report.wording import TIED, listing, number, p_value, percent, sparsity
from prunecxr.studies.pruning.analysis.scales import FREE, SCALES
from prunecxr.studies.pruning.sections.findings import Findings

SHOWN = "ap_ref"  # the scale of headlines
COLLAPSED = "there is no sparsity above 0 at which networks have not collapsed"


def has_scales(findings: Findings) -> bool:
    """Whether anything was measured on the scales, which takes the predictions of all variants."""
    return "changes" in findings.tables


def title(findings: Findings, scale: str) -> str:
    """A scale in words: 'AP at 5% prevalence'."""
    return f"AP at {sparsity(findings.reference)} prevalence" if scale == "ap_ref" else SCALES[scale].title


def titles(findings: Findings, scales: Iterable[str] = FREE) -> str:
    """Several scales: 'AP at 5% prevalence, AUROC and separability d′'."""
    return listing(title(findings, scale) for scale in scales)


def asked(findings: Findings) -> float:
    """The highest sparsity that is not collapsed; NaN if there is none."""
    table = findings.tables["sparsities"]
    return float(table.loc[table["asked"], "sparsity"].max())


def eligible(findings: Findings) -> pd.DataFrame:
    """Changes on the scale of headlines, of classes that the dense networks know and that have enough positives."""
    changes, scores = findings.tables["changes"], findings.tables["scores"]
    dense = scores[(scores["sparsity"] == 0) & (scores["scale"] == SHOWN) & scores["known"] & ~scores["few"]]
    rows = changes[(changes["scale"] == SHOWN) & changes["class"].isin(dense["class"]) & ~changes["collapsed"]]
    return rows[rows["change"].notna()]


def with_interval(row: pd.Series) -> str:
    """'−41% (95% CI −55% to −27%)'."""
    return f"{percent(row['change'])} (95% CI {percent(row['low'])} to {percent(row['high'])})"


def rho_of(row: pd.Series, adjusted: bool = False) -> str:
    """'ρ = 0.62 (95% CI 0.3 to 0.8, P = 0.004)', with P by permutation of the classes.

    Args:
        adjusted: P after Holm's adjustment.
    """
    if np.isnan(row["spearman_rho"]):
        return "undefined"
    interval = f"95% CI {number(row['rho_low'])} to {number(row['rho_high'])}, " if pd.notna(row["rho_low"]) else ""
    p = row["p_holm"] if adjusted else row["p"]
    return f"ρ{TIED}={TIED}{number(row['spearman_rho'])} ({interval}{p_value(p)})"


def null_of(row: pd.Series) -> str:
    """What equal forgetting would give: '0.78 (95% of simulations 0.70 to 0.85)'."""
    rho, low, high = (number(row[name]) for name in ("null_rho", "null_low", "null_high"))
    return f"ρ{TIED}={TIED}{rho} (95% of simulations {low} to {high})"
