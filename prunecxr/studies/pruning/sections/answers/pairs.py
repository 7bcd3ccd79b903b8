"""Whether classes that occur together are forgotten alike."""

from __future__ import annotations

import numpy as np

from prunecxr.report.section import Answer
from prunecxr.report.wording import correlation, count
from prunecxr.studies.pruning.sections.findings import Findings
from prunecxr.studies.pruning.sections.shared import MEASURED, NOT_TESTED, direction, interaction, pair_row


def answer(findings: Findings) -> Answer | None:
    """How dissimilarity of curves goes with co-occurrence and with difference in frequency; None without pairs."""
    question = "Are classes that occur together forgotten alike?"
    if "pair_correlations" not in findings.tables:
        return None
    overlap, frequency = (
        [pair_row(findings, x, f"{prefix}fcd", findings.definition) for prefix in MEASURED]
        for x in ("iou_fourth_root", "log_freq_diff")
    )
    if np.isnan(overlap[0].spearman_rho):
        return Answer(question, f"Cannot be told from {count(int(overlap[0].n), 'pair')} of classes.")
    verdict = {
        -1: "Yes: the more two classes occur together, the more alike their curves are.",
        0: "Not shown: no association of co-occurrence with likeness of curves.",
        1: "No: the more two classes occur together, the less alike their curves are.",
    }[direction(overlap[0], findings.alpha)]
    results = [
        f"{correlation(raw)}; chance-corrected: {correlation(corrected)}" for raw, corrected in (overlap, frequency)
    ]
    terms = [interaction(findings, findings.definition, prefix) for prefix in MEASURED]
    return Answer(
        question,
        NOT_TESTED if np.isnan(overlap[0].spearman_p) else verdict,
        f"Dissimilarity (FCD, definition '{findings.definition}') against overlap, IoU^¼: {results[0]}. Against "
        f"difference in log frequency: {results[1]}. Interaction of both in the regression: {terms[0]}; "
        f"chance-corrected: {terms[1]}.",
    )
