"""Whether rare classes are forgotten more."""

from __future__ import annotations

import numpy as np

from prunecxr.report.section import Answer
from prunecxr.report.wording import correlation, count, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import FIRST, MEASURED, MOST, NOT_TESTED, direction, highest


def answer(findings: Findings) -> Answer:
    """Whether rare classes are forgotten more and earlier, and whether this survives chance correction."""
    question = "Are rare classes forgotten more?"
    table = findings.tables["correlations"].set_index("y")
    (raw, early), (corrected, early_corrected) = (
        [table.loc[f"{prefix}{y}"] for y in (MOST, FIRST)] for prefix in MEASURED
    )
    if np.isnan(raw.spearman_rho):
        classes = count(int(raw.n), "class", "classes")
        return Answer(question, f"Cannot be told from {classes} with known training frequency and a change in AP.")
    verdict = (
        NOT_TESTED
        if np.isnan(raw.spearman_p)
        else _verdict(direction(raw, findings.alpha), direction(corrected, findings.alpha))
    )
    return Answer(
        question,
        verdict,
        f"Log training frequency against relative change at {sparsity(highest(findings))} sparsity: "
        f"{correlation(raw)}; chance-corrected: {correlation(corrected)}. Against the first 20% drop: "
        f"{correlation(early)}; chance-corrected: {correlation(early_corrected)}.",
    )


def _verdict(raw: int, corrected: int) -> str:
    """The answer from the directions of the raw and the chance-corrected association (1: rare classes lose more)."""
    if raw == corrected:
        return {
            1: "Yes, also after chance correction.",
            0: "Not shown, neither on raw AP nor after chance correction.",
            -1: "No: frequent classes are, also after chance correction.",
        }[raw]
    before = {1: "Yes on raw AP", 0: "Not shown on raw AP", -1: "On raw AP, frequent classes are"}[raw]
    after = {1: "rare classes are", 0: "it is not shown", -1: "frequent classes are"}[corrected]
    return f"{before}; after chance correction, {after}."
