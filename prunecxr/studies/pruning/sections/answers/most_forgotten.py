"""What is forgotten most."""

from __future__ import annotations

import numpy as np

from prunecxr.analysis.verdicts import CANNOT_BE_TOLD, NOT_SHOWN
from prunecxr.report.section import Answer
from prunecxr.report.wording import count, listing, sparsity
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.scale_wording import (
    COLLAPSED,
    SHOWN,
    asked,
    eligible,
    has_scales,
    title,
    with_interval,
)

QUESTION = "What is forgotten most?"
TIE = 1e-9


def answer(findings: Findings) -> Answer | None:
    """The classes with the largest loss at the highest sparsity that has not collapsed, ties and all."""
    if not has_scales(findings):
        return None
    at = asked(findings)
    if np.isnan(at):
        return _answer(f"Cannot be told: {COLLAPSED}.", CANNOT_BE_TOLD)
    rows = eligible(findings)
    rows = rows[np.isclose(rows["sparsity"], at)]
    if rows.empty:
        return _answer(
            "Cannot be told: no class is known by the dense networks and has 10 positive test images.", CANNOT_BE_TOLD
        )
    worst = rows[rows["change"] <= rows["change"].min() + TIE]
    one, scale = worst.iloc[0], title(findings, SHOWN)
    if not (rows["p_holm"] < findings.alpha).any():
        return _answer(
            f"No class is shown to lose anything at {sparsity(at)} sparsity.",
            NOT_SHOWN,
            f"The largest loss of {scale} is that of {listing(worst['class'])}: {with_interval(one)}.",
        )
    others = rows[~rows["class"].isin(worst["class"]) & (rows["low"] <= one["high"])]
    beside = f" Intervals that overlap with it: {listing(others['class'])}." if len(others) else ""
    tied = f", the same in {count(len(worst), 'class', 'classes')}" if len(worst) > 1 else ""
    return _answer(
        f"{listing(worst['class'])}: {with_interval(one)} at {sparsity(at)} sparsity{tied}.",
        "; ".join(worst["class"]),
        f"Change of {scale}, measured from what knowing nothing gives; median over seeds, interval over seeds and "
        f"patients; {count(len(rows), 'class', 'classes')} with 10 test positives or more.{beside}",
    )


def _answer(verdict: str, state: str, evidence: str = "") -> Answer:
    return Answer(QUESTION, verdict, evidence, name="most_forgotten", state=state)
