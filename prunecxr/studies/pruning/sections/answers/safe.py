"""How far one can prune and be sure of a loss within the margin."""

from __future__ import annotations

import numpy as np
import pandas as pd

from prunecxr.report.section import Answer
from prunecxr.report.wording import count, listing, percent, sparsity
from prunecxr.studies.pruning.analysis.safe_sparsity import NOT_KNOWN, NOT_SAFE, SAFE
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.scale_wording import title

QUESTION = "Which sparsity is safe?"


def recommended(mean_change: pd.DataFrame) -> float:
    """The highest sparsity at which the mean is surely within the margin; 0, the dense networks, if there is none."""
    safe = mean_change.loc[mean_change["safe"].astype(bool), "sparsity"]
    return float(safe.max()) if len(safe) else 0.0


def answer(findings: Findings) -> Answer | None:
    """The sparsest networks that are surely not worse than the dense ones by the margin, and class by class."""
    if "safe_sparsity" not in findings.tables:
        return None
    mean, table = findings.tables["mean_change"], findings.tables["safe_sparsity"]
    if mean.empty:
        return _answer("Cannot be told: the dense networks know no class with 10 positive test images.", 0.0, "")
    if mean["p"].isna().all():
        return _answer("Cannot be told: nothing is tested with fewer than 3 seeds.", 0.0, "")
    best, scale, delta = recommended(mean), title(findings, mean["scale"].iloc[0]), percent(mean["delta"].iloc[0])
    collapsed = [sparsity(k) for k in mean.loc[mean["collapsed"], "sparsity"]]
    gone = f" Collapsed: {listing(collapsed)}." if collapsed else ""
    if not best:
        lowest = mean.iloc[0]
        return _answer(
            f"The dense networks alone: at no sparsity is the mean surely within {delta} of theirs.",
            best,
            f"At {sparsity(lowest['sparsity'])}, a loss of the mean {scale} of up to {_loss(lowest['low'])} cannot be "
            f"ruled out (one-sided 95% bound over seeds and patients).{gone}",
        )
    at, row = table[np.isclose(table["sparsity"], best)], mean[np.isclose(mean["sparsity"], best)].iloc[0]
    parts = [_classes(at, outcome, text) for outcome, text in _TEXTS.items()]
    return _answer(
        f"Up to {sparsity(best)}, if the mean of the classes counts: it surely loses less than {delta} of {scale}.",
        best,
        f"Change of the mean of {count(int(row['n_classes']), 'class', 'classes')}: {percent(row['change'])}, "
        f"one-sided 95% bound {percent(row['low'])}. {' '.join(part for part in parts if part)}{gone}",
    )


_TEXTS = {
    SAFE: "Each by itself is safe there: {}.",
    NOT_SAFE: "Not safe there: {}.",
    NOT_KNOWN: "Not known (too few positives or seeds to rule a larger loss out): {}.",
}


def _classes(at: pd.DataFrame, outcome: str, text: str) -> str:
    names = at.loc[at["outcome"] == outcome, "class"]
    return text.format(listing(names, 8)) if len(names) else ""


def _loss(low: float) -> str:
    return percent(-low) if np.isfinite(low) else "any size"


def _answer(verdict: str, best: float, evidence: str) -> Answer:
    return Answer(QUESTION, verdict, evidence, name="safe_sparsity", state=f"{best:g}")
